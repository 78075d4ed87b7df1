#!/bin/bash
# The compilers: a template-heavy C++ file and a long C file give the same objects, and errors the same messages.
source "${0%/*}/prelude.sh"
needs gcc g++

cp "$here/gcc.cpp" heavy.cpp
g++ -O0 -g -Wall -c heavy.cpp -o debug.o
g++ -O2 -g -Wall -std=c++20 -c heavy.cpp -o heavy.o
sha256sum debug.o heavy.o
g++ heavy.o -o heavy
./heavy

awk 'BEGIN {
    for (i = 0; i < 400; i++) {
        printf "struct s%d { int a[%d]; struct s%d *next; double d; };\n", i, i % 17 + 1, i ? i - 1 : 0
        printf "__attribute__((noinline)) static int f%d(struct s%d *s, int x) {", i, i
        printf " for (int i = 0; i < x; i++) { s->a[i %% %d] += x * %d; if (s->a[0] & 1) s->d *= 1.5; }", i % 17 + 1, i
        printf " return s->a[0]%s; }\n", i ? " + f" i - 1 "(s->next, x - 1)" : ""
    }
    print "int main(void) { return f399 == 0; }"
}' >long.c
gcc -O1 -c long.c -o long.o
gcc -E long.c | sha256sum
sha256sum long.o
gcc -flto -O1 long.c -o long
status_of ./long
echo 'template <int N> struct T { T<N + 1> t; }; T<0> t; int x = missing;' >wrong.cpp
status_of g++ -c wrong.cpp 2>&1 | sha256sum
ar rcs objects.a heavy.o long.o
nm -C objects.a | sha256sum
objdump -d heavy.o | sha256sum
