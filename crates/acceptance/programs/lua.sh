#!/bin/bash
# Lua, whose only way to memory is realloc: see lua.lua.
source "${0%/*}/prelude.sh"
needs lua5.4
status_of lua5.4 "$here/lua.lua"
