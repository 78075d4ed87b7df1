#!/bin/sh
# Prepares z3: problems of several theories in one file, made with a generator of fixed seed.
set -eu
cd "$1"

awk '
function dice(sides) {
    state = (state * 69069 + 5) % 4294967296
    return int(state / 256) % sides
}

# A number of the given bits is the product of two smaller ones.
function product(bits, number) {
    print "(declare-const a (_ BitVec " bits "))(declare-const b (_ BitVec " bits "))"
    print "(define-fun zero () (_ BitVec " bits ") (_ bv0 " bits "))"
    print "(assert (= (bvmul (concat zero a) (concat zero b)) (_ bv" number " " 2 * bits ")))"
    print "(assert (bvugt a (_ bv1 " bits ")))(assert (bvule a b))"
}

# More pigeons than holes.
function pigeons(holes,    i, j, k) {
    for (i = 0; i <= holes; i++) {
        for (j = 0; j < holes; j++) print "(declare-const p" i "_" j " Bool)"
        printf "(assert (or"
        for (j = 0; j < holes; j++) printf " p%d_%d", i, j
        print "))"
    }
    for (j = 0; j < holes; j++)
        for (i = 0; i <= holes; i++)
            for (k = 0; k < i; k++) print "(assert (not (and p" i "_" j " p" k "_" j ")))"
}

# Jobs of given lengths on few machines, each pair on one machine in some order, all done by a deadline.
function jobs(count, machines, deadline,    i, j) {
    for (i = 0; i < count; i++) {
        length_of[i] = 1 + dice(9)
        machine[i] = dice(machines)
        print "(declare-const t" i " Int)"
        print "(assert (and (>= t" i " 0) (<= (+ t" i " " length_of[i] ") " deadline ")))"
    }
    for (i = 0; i < count; i++)
        for (j = 0; j < i; j++)
            if (machine[i] == machine[j])
                print "(assert (or (<= (+ t" i " " length_of[i] ") t" j ")",
                    "(<= (+ t" j " " length_of[j] ") t" i ")))"
            else if (dice(12) == 0)
                print "(assert (<= (+ t" j " " length_of[j] ") t" i "))"
}

# Writing to an array in two orders gives the same array if the places differ.
function arrays(count,    i, j) {
    print "(declare-const m (Array Int Int))"
    for (i = 0; i < count; i++) print "(declare-const p" i " Int)(declare-const v" i " Int)"
    printf "(assert (distinct"
    for (i = 0; i < count; i++) printf " p%d", i
    print "))"
    forward = backward = "m"
    for (i = 0; i < count; i++) {
        forward = "(store " forward " p" i " v" i ")"
        backward = "(store " backward " p" count - 1 - i " v" count - 1 - i ")"
    }
    print "(assert (not (= " forward " " backward ")))"
}

# A rising function with a fixed point, used through its quantified laws only.
function laws(depth,    i, term) {
    print "(declare-sort S 0)(declare-fun f (S) S)(declare-fun g (S S) S)(declare-const e S)(declare-const s S)"
    print "(assert (forall ((x S) (y S)) (= (g (f x) y) (f (g x y)))))"
    print "(assert (forall ((y S)) (= (g e y) y)))"
    left = right = "e"
    for (i = 0; i < depth; i++) left = "(f " left ")"
    for (i = 0; i < depth; i++) right = "(g (f e) " right ")"
    print "(assert (not (= " left " " right ")))"
}

# Random equations of reals.
function reals(count,    i, j) {
    for (i = 0; i < count; i++) print "(declare-const r" i " Real)(assert (<= (- 1000) r" i " 1000))"
    for (i = 0; i < count * 2; i++) {
        printf "(assert (or"
        for (j = 0; j < 3; j++) printf " (<= (+ (* %d r%d) (* (- %d) r%d) r%d) (- %d))", 1 + dice(20), dice(count),
            1 + dice(20), dice(count), dice(count), dice(500)
        print "))"
    }
}

function ask() {
    print "(check-sat)\n(reset)"
}

BEGIN {
    state = 59
    product(14, "130707697"); ask()
    product(16, "4292870399"); ask()
    for (i = 7; i <= 8; i++) { pigeons(i); ask() }
    for (i = 0; i < 5; i++) { jobs(24, 4, 36 + i * 2); ask() }
    for (i = 40; i <= 100; i += 20) { arrays(i); ask() }
    for (i = 1000; i <= 2000; i += 500) { laws(i); ask() }
    for (i = 0; i < 7; i++) { reals(10); ask() }
}' >problems.smt2
