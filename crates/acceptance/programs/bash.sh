#!/bin/bash
# The shell itself: long strings, arrays, substitutions, subshells, jobs, traps.
source "${0%/*}/prelude.sh"

declare -A squares
for ((i = 0; i < 20000; i++)); do
    squares[$i]=$((i * i))
done
sum=0
for key in "${!squares[@]}"; do
    sum=$((sum + squares[$key]))
done
echo "squares: ${#squares[@]} $sum"

text=
for ((i = 0; i < 20000; i++)); do
    text+="word$i "
done
echo "text: ${#text} ${text:100000:20}"
read -ra words <<<"$text"
echo "words: ${#words[@]} ${words[-1]} ${words[*]:5000:3}"
replaced=${text//word1/WORD}
echo "replaced: ${#replaced}"

fibonacci() {
    if (($1 < 2)); then
        echo "$1"
    else
        echo $(($(fibonacci $(($1 - 1))) + $(fibonacci $(($1 - 2)))))
    fi
}
echo "fibonacci in subshells: $(fibonacci 11)"

for job in 1 2 3 4; do
    (
        line=
        for ((i = 0; i < 5000; i++)); do
            line+=$((i * job % 7))
        done
        echo "$line" >"job$job"
        exit "$job"
    ) &
done
for job in 1 2 3 4; do
    status_of wait "%$job"
done
cat job? | sha256sum

trap 'echo "signal"' USR1
kill -USR1 $$
trap - USR1
mapfile -t lines < <(seq 1 30000)
echo "lines: ${#lines[@]} ${lines[12345]}"
while read -r number rest; do
    last=$number
done <<<"$(printf '%s and more\n' "${lines[@]}")"
echo "last: $last"
coproc doubler { while read -r n; do echo $((n * 2)); done; }
for n in 1 20 300; do
    echo "$n" >&"${doubler[1]}"
    read -r doubled <&"${doubler[0]}"
    echo "doubled: $doubled"
done
status_of bash -c 'exit 3'
status_of bash -c 'kill -TERM $$'
status_of bash -c 'ulimit -v 200000; x=$(printf "%0100000d" 7); echo ${#x}'
