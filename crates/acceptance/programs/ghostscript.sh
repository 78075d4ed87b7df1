#!/bin/bash
# Ghostscript: one document rendered to pictures, to PDF, and that PDF to pictures again.
source "${0%/*}/prelude.sh"
needs gs

render() {
    gs -q -dBATCH -dNOPAUSE -dSAFER "$@"
}
cp "$here/ghostscript.ps" in.ps
render -sDEVICE=ppmraw -r150 -sOutputFile=page%d.ppm in.ps
render -sDEVICE=png16m -r72 -dTextAlphaBits=4 -dGraphicsAlphaBits=4 -sOutputFile=page%d.png in.ps
render -sDEVICE=pdfwrite -sOutputFile=out.pdf in.ps
render -sDEVICE=pgmraw -r100 -dNumRenderingThreads=2 -dBandBufferSpace=200000 -dMaxBitmap=100000 -sOutputFile=again%d.pgm out.pdf
render -sDEVICE=txtwrite -sOutputFile=text out.pdf
sha256sum page* again* text
echo '1 0 div' >wrong.ps
status_of render -sDEVICE=nullpage wrong.ps 2>&1
