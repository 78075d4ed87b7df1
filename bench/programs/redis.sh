#!/bin/bash
# Redis without persistence: one client sends all commands in a pipe, then half of the keys are deleted.
# shellcheck source-path=SCRIPTDIR
source "${0%/*}/server.sh"

cli() {
    redis-cli -s socket "$@"
}

rm -f socket
serve redis-server --port 0 --unixsocket "$PWD/socket" --dir "$PWD" --save '' --appendonly no \
    --enable-debug-command local
wait_until cli ping
must_be_preloaded

start=$(now)
cli --pipe <commands >replies
stop=$(now)
grep '^errors' replies
took=$(since "$start" "$stop")
figure time "$took" s
figures_of_processes
echo "$(cli dbsize) keys, digest $(cli debug digest)"
figure peak_rss "$(memory status VmHWM)" KiB
replies=$(sed -n 's/.*replies: //p' replies)
figure requests "$(awk -v count="$replies" -v time="$took" 'BEGIN { printf "%.0f", count / time }')" per_second

# What stays after every other key is gone and a second has passed.
cli --scan | LC_ALL=C sort | awk 'NR % 2' | sed 's/^/DEL /' | cli --pipe >replies
grep -o '^errors: [0-9]*' replies
cli dbsize
sleep 1
figure rss_after_deletes "$(memory status VmRSS)" KiB
end TERM
