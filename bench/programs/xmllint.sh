#!/bin/sh
# Prepares xmllint: a document of chapters, paragraphs and notes, about 13 MB.
set -eu
cd "$1"

awk '
function dice(sides) {
    state = (state * 69069 + 5) % 4294967296
    return int(state / 256) % sides
}
BEGIN {
    state = 67
    print "<?xml version=\"1.0\"?><book xmlns:x=\"urn:example:notes\">"
    for (i = 0; i < 240; i++) {
        printf "<chapter id=\"c%d\" level=\"%d\"><title>Chapter %d</title>", i, dice(4), i
        for (j = 0; j < 90; j++) {
            printf "<p n=\"%d\">", j
            for (k = 0; k < 8; k++)
                printf "<w c=\"%d\">word%d</w> and &lt;%d&gt; <i>some <b>%d</b> more</i> text,",
                    dice(9), dice(5000), dice(100), dice(7)
            printf "<x:note ref=\"c%d\"><!-- to be checked --></x:note></p>", dice(240)
        }
        print "</chapter>"
    }
    print "</book>"
}' >document.xml
