#!/bin/bash
# Ruby: see ruby.rb.
source "${0%/*}/prelude.sh"
needs ruby
status_of ruby "$here/ruby.rb"
