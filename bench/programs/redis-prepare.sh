#!/bin/sh
# Prepares redis: 500,000 commands in the protocol of the server. Keys come and go, values have sizes of all kinds.
set -eu
cd "$1"

LC_ALL=C awk '
function dice(sides) {
    state = (state * 69069 + 5) % 4294967296
    return int(state / 256) % sides
}
function value(longest) {
    return substr(filler, 1 + dice(1000), 1 + dice(dice(9) ? longest / 20 : longest))
}
function send(name, a, b, c,    i, count, text) {
    text = "$" length(name) "\r\n" name "\r\n$" length(a) "\r\n" a "\r\n"
    count = 2
    if (b != "") { text = text "$" length(b) "\r\n" b "\r\n"; count++ }
    if (c != "") { text = text "$" length(c) "\r\n" c "\r\n"; count++ }
    printf "*%d\r\n%s", count, text
}
BEGIN {
    state = 79
    for (i = 0; i < 2000; i++) filler = filler substr("abcdefghijklmnopqrstuvwxyz", 1 + dice(20), 6)
    for (i = 0; i < 500000; i++) {
        kind = dice(100)
        if (kind < 35) send("SET", "string:" dice(90000), value(6000))
        else if (kind < 45) send("GET", "string:" dice(90000))
        else if (kind < 55) send("LPUSH", "list:" dice(2000), value(400))
        else if (kind < 58) send("RPOP", "list:" dice(2000))
        else if (kind < 70) send("HSET", "hash:" dice(4000), "field" dice(200), value(200))
        else if (kind < 76) send("ZADD", "sorted:" dice(1000), dice(100000), "member" dice(5000))
        else if (kind < 80) send("SADD", "set:" dice(1000), "member" dice(100000))
        else if (kind < 84) send("APPEND", "string:" dice(90000), value(100))
        else if (kind < 87) send("EXPIRE", "string:" dice(90000), dice(2) * 10000)
        else if (kind < 90) send("HDEL", "hash:" dice(4000), "field" dice(200))
        else if (kind < 95) send("DEL", "string:" dice(90000))
        else if (kind < 96) send("DEL", (dice(2) ? "hash:" : "list:") dice(2000))
        else send("SET", "string:" dice(90000), value(20000))
    }
}' >commands
