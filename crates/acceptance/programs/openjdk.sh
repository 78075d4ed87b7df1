#!/bin/bash
# OpenJDK: javac gives the same classes, java the same answers, with each of three collectors.
source "${0%/*}/prelude.sh"
needs javac java

javac -d . "$here/Openjdk.java"
sha256sum *.class
for collector in Serial Parallel G1; do
    status_of java -Xmx128m "-XX:+Use${collector}GC" -cp . Openjdk
done
