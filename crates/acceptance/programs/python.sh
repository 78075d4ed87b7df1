#!/bin/bash
# Python's own regression tests, named by the arguments: each test case ends the same way.
source "${0%/*}/prelude.sh"
python=/usr/bin/python3
needs "$python"
if ! "$python" -c 'import test.test_json' 2>/dev/null; then
    echo 'the regression tests of python3 are not installed' >&2
    exit 77
fi

status=0
"$python" -m test -u none --randseed 7 --junit-xml results.xml "$@" >log 2>&1 || status=$?
if ((status != 0)); then
    tail -n 100 log >&2
fi
"$python" "$here/python.py" results.xml
echo "regression tests: status $status"
