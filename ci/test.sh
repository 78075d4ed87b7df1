#!/bin/sh
# All the tests. No arguments.
set -eu
cd "$(dirname "$0")/.."

exec cargo xtask test
