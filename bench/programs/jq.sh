#!/bin/sh
# Prepares jq: a document of nested records, about 5 MB.
set -eu
cd "$1"

awk '
function dice(sides) {
    state = (state * 69069 + 5) % 4294967296
    return int(state / 256) % sides
}
BEGIN {
    state = 61
    print "["
    for (i = 0; i < 24000; i++) {
        printf "%s{\"id\": %d, \"owner\": {\"name\": \"owner %d\", \"town\": \"town %d\"}, ",
            i ? "," : "", i, dice(3000), dice(50)
        printf "\"open\": %s, \"tags\": [", dice(3) ? "true" : "null"
        for (j = dice(6); j > 0; j--) printf "\"tag-%d\"%s", dice(400), (j > 1 ? ", " : "")
        printf "], \"items\": ["
        for (j = dice(4); j >= 0; j--)
            printf "{\"label\": \"item %x\", \"count\": %d}%s", dice(100000), dice(90), j ? ", " : ""
        print "]}"
    }
    print "]"
}' >document.json
