#!/bin/sh
# Prepares ghostscript: a document of pages with text, curves, clipped patterns, shadings and procedures, and the
# pages as ghostscript paints them.
set -eu
cd "$1"

awk '
function dice(sides) {
    state = (state * 69069 + 5) % 4294967296
    return int(state / 256) % sides
}
function point() {
    return 30 + dice(540) " " 40 + dice(700)
}
BEGIN {
    split("Times-Roman Helvetica-Bold Courier Palatino-Italic NewCenturySchlbk-Roman", font, " ")
    state = 71
    print "%!PS-Adobe-3.0\n%%Pages: 300"
    print "/memory 20 dict def"
    print "/leaf { 3 dict begin /n exch def n 0 gt { 0 12 rlineto n 1 sub leaf 25 rotate n 2 sub leaf"
    print "  -25 rotate 0 -12 rmoveto } if end } def"
    for (page = 1; page <= 300; page++) {
        print "%%Page: " page " " page
        for (line = 0; line < 60; line++) {
            print "/" font[1 + dice(5)] " findfont " 7 + dice(9) " scalefont setfont 40 " 760 - 12 * line " moveto"
            printf "("
            for (word = 0; word < 12; word++) printf "word%d ", dice(3000)
            print ") show"
        }
        for (i = 0; i < 150; i++) {
            print dice(100) / 100 " " dice(100) / 100 " " dice(100) / 100 " setrgbcolor"
            print "newpath " point() " moveto"
            print point() " " point() " " point() " curveto " point() " lineto closepath"
            print i % 3 ? "stroke" : i % 15 ? "gsave clip 0 0 600 20 rectfill grestore" : "eofill"
        }
        for (i = 0; i < 300; i++)
            print "memory /name" i " [ " i " (text " i ") << /a " i " /b [ 1 2 3 ] >> ] put"
        print "gsave " point() " moveto 7 leaf stroke grestore"
        print "<< /ShadingType 3 /ColorSpace /DeviceRGB /Coords [ " point() " 5 " point() " 90 ]"
        print "   /Function << /FunctionType 2 /Domain [ 0 1 ] /N 1"
        print "      /C0 [ 1 0 0 ] /C1 [ 0 " page / 300 " 1 ] >> >> shfill"
        print "showpage"
    }
}' >pages.ps
gs -q -dSAFER -dBATCH -dNOPAUSE -sDEVICE=pgmraw -r24 -sOutputFile=- pages.ps >expected
