#!/bin/bash
# Read by the two scripts for postgres.
# shellcheck source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/server.sh"
PATH=$(printf '%s:' /usr/lib/postgresql/*/bin)$PATH
# All processes together take as long as their work does: nothing runs in the background, nothing waits for a disk.
# shellcheck disable=SC2034 # used by the scripts that read this
options=(-k "$PWD" -c listen_addresses= -c shared_buffers=16MB -c fsync=off -c synchronous_commit=off
    -c autovacuum=off -c full_page_writes=off -c jit=off -c max_parallel_workers_per_gather=0
    -c checkpoint_timeout=1h)
export PGUSER=bench PGHOST=$PWD PGDATABASE=postgres HOME=$PWD PGOPTIONS='-c client_min_messages=warning'

query() {
    psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"
}
