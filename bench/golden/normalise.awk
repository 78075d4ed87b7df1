# Assembly without addresses, for golden.sh: reads the section headers of a library, then the listing of one
# function.

function padded(address) { return substr("0000000000000000" address, length(address) + 1) }

# The last part of a demangled name, without what the compiler appends to it.
function short(name) {
    sub(/\+0x[0-9a-f]+$/, "", name)
    sub(/::h[0-9a-f]+$/, "", name)
    sub(/^.*::/, "", name)
    return name
}

# What lies at an address: a variable by its name, or else something in a section.
function data_at(address, symbol,   i, section) {
    for (i = 1; i <= section_count; i++)
        if (starts[i] <= padded(address)) section = sections[i]
    return section ~ /^\.(bss|data)$/ ? short(symbol) : section
}

# Sections that are in memory; the thread-local ones have addresses that others have too.
FNR == NR {
    if ($1 ~ /^[0-9]+$/ && $4 !~ /^0+$/ && $2 !~ /^\.t(bss|data)$/) {
        sections[++section_count] = $2
        starts[section_count] = padded($4)
    }
    next
}

/^ *[0-9a-f]+:/ {
    address = $1
    sub(/:$/, "", address)
    line = $0
    sub(/^ *[0-9a-f]+:[ \t]*/, "", line)
    sub(/[ \t]+$/, "", line)
    # Padding behind the function, and the listing's gaps.
    if (line ~ /^(int3|nop|data16|cs nop|xchg +ax,ax)/) next
    addresses[++count] = address
    lines[count] = line
    index_of[address] = count
}

END {
    for (i = 1; i <= count; i++) {
        line = lines[i]
        symbol = ""
        if (match(line, / *# [0-9a-f]+ <.*>$/)) {
            symbol = substr(line, RSTART)
            line = substr(line, 1, RSTART - 1)
            sub(/^ *# /, "", symbol)
            target = symbol
            sub(/ .*$/, "", target)
            sub(/^[0-9a-f]+ </, "", symbol)
            sub(/>$/, "", symbol)
            sub(/\[rip\+0x[0-9a-f]+\]/, "[" data_at(target, symbol) "]", line)
        } else if (line ~ /^(j[a-z]+|call) +[0-9a-f]+ </) {
            operation = line
            sub(/ .*$/, "", operation)
            target = line
            sub(/^[a-z]+ +/, "", target)
            sub(/ .*$/, "", target)
            if (target in index_of) {
                if (!(target in labels)) labels[target] = ""
                inside[i] = target
            } else {
                symbol = line
                sub(/^[^<]*</, "", symbol)
                sub(/>$/, "", symbol)
                target = short(symbol)
            }
            line = operation " " target
        }
        gsub(/ +/, " ", line)
        gsub(/,/, ", ", line)
        lines[i] = line
    }
    for (i = 1; i <= count; i++)
        if (addresses[i] in labels) labels[addresses[i]] = "L" (++label_count)
    for (i = 1; i <= count; i++) {
        if (addresses[i] in labels) print labels[addresses[i]] ":"
        if (i in inside) sub(/ .*$/, " " labels[inside[i]], lines[i])
        print "    " lines[i]
    }
}
