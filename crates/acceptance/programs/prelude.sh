#!/bin/bash
# Read by every script in this folder.
#
# A script runs one program or family of programs in the folder it is started in, which is empty and its own. What it
# prints is compared between a run on libc and one on the library under test, so it prints nothing that differs
# from run to run: no times, no process numbers, no addresses. Files are compared by printing their checksums. A script
# that cannot run here says why on stderr and exits with status 77. What helps to understand a failure goes to stderr.

set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Ends the script as skipped unless all these programs are installed.
needs() {
    local program
    for program; do
        if ! command -v "$program" >/dev/null; then
            echo "$program is not installed" >&2
            exit 77
        fi
    done
}

# Tries a command every 0.1 s until it succeeds, for at most 30 s.
wait_until() {
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        if "$@" >/dev/null 2>&1; then
            return
        fi
        sleep 0.1
    done
    echo "waited 30 s in vain for: $*" >&2
    return 1
}

# Prints the exit status of a command instead of failing with it.
status_of() {
    local status=0
    "$@" || status=$?
    echo "$1: status $status"
}
