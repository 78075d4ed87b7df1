#!/bin/sh
# Packs all objects of a repository on one thread, as `git gc` does, and prints the name of the pack, which is a
# checksum of what is in it. Usage: git-pack.sh REPOSITORY
set -eu
export HOME="$1" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null
exec /usr/bin/git -C "$1" pack-objects -q --all --no-reuse-delta --no-reuse-object --window=30 --threads=1 \
    ../pack </dev/null
