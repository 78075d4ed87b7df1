# Writes new counts into the baseline, for ci/instructions.sh: reads what count.sh prints, then the baseline.
# Comments and bars stay; a bar in brackets, not met so far, comes into force when it is.

FNR == NR {
    count[$1] = $2
    order[++path_count] = $1
    next
}
/^[ \t]*(#|$)/ { print; next }
$1 in count {
    bar = $3
    if (bar ~ /^\(/ && count[$1] <= substr(bar, 2, length(bar) - 2) + 0) bar = substr(bar, 2, length(bar) - 2)
    print $1 "\t" count[$1] (bar == "" ? "" : "\t" bar)
    written[$1] = 1
}

END {
    for (i = 1; i <= path_count; i++)
        if (!(order[i] in written)) print order[i] "\t" count[order[i]]
}
