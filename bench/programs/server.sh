#!/bin/bash
# Read by the scripts that run a server under the allocator and its clients without it.
#
# The suite gives the library in BENCH_PRELOAD and variables for it in BENCH_ENV, and reads figures from the file
# that BENCH_FIGURES names. What counts is the time of the clients, and the processor time, memory and page faults
# of the server's processes.

set -euo pipefail
export LC_ALL=C.UTF-8
preload=${BENCH_PRELOAD:-libc.so.6}
read -ra allocator <<<"${BENCH_ENV:-}"
server=

# Goes before servers that refuse to run as root: they get a user namespace in which they are somebody else, so
# their files stay ours and no folder needs other rights.
# shellcheck disable=SC2034 # used by the scripts that read this
unprivileged=()
if ((EUID == 0)); then
    # shellcheck disable=SC2034
    unprivileged=(unshare --user --map-user=65534 --map-group=65534)
fi

# Nothing may stay behind, however the script ends.
trap 'if [[ $server ]]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi' EXIT
trap 'exit 1' INT TERM HUP

# Starts a server in the background under the allocator.
serve() {
    env "${allocator[@]}" LD_PRELOAD="$preload" "$@" >log 2>&1 &
    server=$!
}

# Tries a command every 10 ms until it succeeds, for at most 30 s, as long as the server lives.
wait_until() {
    local tries
    for ((tries = 0; tries < 3000; tries++)); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        if ! kill -0 "$server" 2>/dev/null; then
            break
        fi
        sleep 0.01
    done
    echo "waited in vain for: $*; the log of the server ends with:" >&2
    tail -n 5 log >&2
    exit 1
}

# Starts a server in the background as it is, to prepare something.
serve_plainly() {
    "$@" >log 2>&1 &
    server=$!
}

# Ends the server by a signal, given without SIG, and waits for it.
end() {
    kill -"$1" "$server"
    local status=0
    wait "$server" || status=$?
    server=
    echo "server: status $status"
}

# Prints a process and its children.
processes() {
    echo "$1" "$(cat "/proc/$1/task/$1/children" 2>/dev/null || true)"
}

# Fails unless every process of the server has the library in its memory.
must_be_preloaded() {
    local process maps
    for process in $(processes "$server"); do
        # A process that has just ended has no memory to look at.
        if maps=$(cat "/proc/$process/maps" 2>/dev/null) && [[ $maps && $maps != *"/${preload##*/}"* ]]; then
            echo "the server does not run with $preload" >&2
            exit 1
        fi
    done
}

# Prints the seconds on the clock.
now() {
    echo "$EPOCHREALTIME"
}

# Prints the difference of two times.
since() {
    awk -v from="$1" -v to="$2" 'BEGIN { printf "%.6f\n", to - from }'
}

# Prints the paths of a file in /proc for each process of the server.
files() {
    local process
    for process in $(processes "$server"); do
        echo "/proc/$process/$1"
    done
}

# Prints the sum of a line of such a file over all processes, in KiB. One may end meanwhile.
memory() {
    # shellcheck disable=SC2046 # one word per file is meant
    { cat $(files "$1") 2>/dev/null || true; } | awk -v line="$2:" '$1 == line { sum += $2 } END { print sum + 0 }'
}

figure() {
    if [[ ${BENCH_FIGURES:-} ]]; then
        echo "$*" >>"$BENCH_FIGURES"
    fi
}

# Writes processor times and faults of the server and of its children, those that have ended included.
figures_of_processes() {
    # The name of the program may hold spaces; it ends with the last parenthesis.
    # shellcheck disable=SC2046
    { cat $(files stat) 2>/dev/null || true; } | sed 's/.*) //' | awk -v tick="$(getconf CLK_TCK)" '
        { faults += $8 + $9; user += $12 + $14; kernel += $13 + $15 }
        END { printf "user %.3f s\nsystem %.3f s\nfaults %d count\n", user / tick, kernel / tick, faults }
    ' >>"${BENCH_FIGURES:-/dev/null}"
}
