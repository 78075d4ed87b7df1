#!/bin/bash
# Node: see node.js.
source "${0%/*}/prelude.sh"
needs node
status_of node "$here/node.js"
