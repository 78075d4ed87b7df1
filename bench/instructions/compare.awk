# Compares instruction counts with the baseline, for ci/instructions.sh: reads the baseline, then what count.sh
# prints. Shows a table; fails if a path has become longer, or the two do not have the same paths.

function complain(text) {
    complaints = complaints "instructions: " text "\n"
}

{ sub(/#.*/, "") }
NF == 0 { next }
FNR == NR {
    baseline[$1] = $2
    bar[$1] = $3
    next
}
FNR == 1 { printf "%-18s %12s %9s %6s\n", "path", "instructions", "baseline", "bar" }
{
    printf "%-18s %12d %9s %6s\n", $1, $2, $1 in baseline ? baseline[$1] : "-", bar[$1]
    if (!($1 in baseline))
        complain($1 " is not in the baseline")
    else if ($2 > baseline[$1] * 1.01 + slack($1))
        complain($1 " takes " $2 " instructions; " baseline[$1] " are expected, and 1 % more allowed")
    if (bar[$1] ~ /^[0-9]+$/ && $2 > bar[$1] + 0)
        complain($1 " takes " $2 " instructions; it must never take more than " bar[$1])
    counted[$1] = 1
}

# Averages are rounded, and on a busy machine even the cheapest may have some work that is due by the clock.
function slack(path) {
    return path ~ /^(pair|remote)/ ? 1 : 0
}

END {
    for (path in baseline)
        if (!(path in counted)) complain(path " is in the baseline, but was not counted")
    if (complaints == "") exit
    printf "%s", complaints
    print "instructions: if that is meant, ci/instructions.sh --write changes the baseline, though never a bar"
    exit 1
}
