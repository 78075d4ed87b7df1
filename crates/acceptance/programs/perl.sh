#!/bin/bash
# Perl: see perl.pl.
source "${0%/*}/prelude.sh"
needs perl
status_of perl "$here/perl.pl"
