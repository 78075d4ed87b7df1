#!/bin/sh
# Prepares the Rust compiler: the compiler without its own allocator (see rustc.c), and a crate of many generic
# types, closures, iterators and formatted strings.
set -eu
here=$(cd "${0%/*}" && pwd)
sysroot=$(cd "$here" && rustc --print sysroot)
cd "$1"
export LC_ALL=C.UTF-8

library=$(echo "$sysroot"/lib/librustc_driver-*.so)
entry=$(nm -D --defined-only "$library" | sed -n 's/.* T \(_R[^ ]*rustc_driver_impl4main\)$/\1/p')
cc -O2 -DENTRY="\"$entry\"" "$here/rustc.c" -o rustc "$library" \
    -Wl,-rpath,"$sysroot/lib" -Wl,--allow-shlib-undefined

awk 'BEGIN {
    print "use std::collections::{BTreeMap, HashMap, VecDeque};"
    print "use std::fmt;"
    print "pub trait Weigh { fn weigh(&self) -> usize; fn name(&self) -> String { String::from(\"thing\") } }"
    print "impl<T: Weigh> Weigh for Vec<T> { fn weigh(&self) -> usize { self.iter().map(Weigh::weigh).sum() } }"
    print "impl<T: Weigh> Weigh for Option<T> {"
    print "    fn weigh(&self) -> usize { self.as_ref().map_or(0, Weigh::weigh) } }"
    print "impl<T: Weigh, U: Weigh> Weigh for (T, U) {"
    print "    fn weigh(&self) -> usize { self.0.weigh() + self.1.weigh() } }"
    print "impl Weigh for u32 { fn weigh(&self) -> usize { *self as usize } }"
    for (i = 0; i < 16; i++) {
        print "pub mod part" i " {"
        print "use super::*;"
        print "#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]"
        print "pub struct Key { pub number: u" (i % 2 ? 32 : 64) ", pub name: String, pub tags: Vec<String> }"
        print "#[derive(Debug, Clone, PartialEq)]"
        print "pub enum Shape { Dot, Line(Key, Key), Many(Vec<Shape>), Named { key: Key, inner: Box<Shape> } }"
        print "impl Weigh for Key { fn weigh(&self) -> usize {"
        print "    self.name.len() + self.tags.iter().map(String::len).sum::<usize>() } }"
        print "impl Weigh for Shape { fn weigh(&self) -> usize { match self {"
        print "    Self::Dot => " i ", Self::Line(a, b) => a.weigh() * b.weigh(), Self::Many(all) => all.weigh(),"
        print "    Self::Named { key, inner } => key.weigh() + inner.weigh() } } }"
        print "impl fmt::Display for Key { fn fmt(&self, f: &mut fmt::Formatter<\x27_>) -> fmt::Result {"
        print "    write!(f, \"{}-{:>5}-{}\", self.name, self.number, self.tags.join(\",\")) } }"
        print "pub fn index(keys: &[Key]) -> BTreeMap<String, Vec<(usize, &Key)>> {"
        print "    let mut map: BTreeMap<String, Vec<_>> = BTreeMap::new();"
        print "    for (i, key) in keys.iter().enumerate().filter(|(i, _)| i % " i + 2 " != 0) {"
        print "        map.entry(key.to_string()).or_default().push((i, key)); }"
        print "    map.values_mut().for_each(|list| list.sort_by(|a, b| b.1.cmp(a.1)));"
        print "    map }"
        print "pub fn spread(shapes: Vec<Shape>) -> Result<HashMap<Key, usize>, String> {"
        print "    let mut queue: VecDeque<Shape> = shapes.into(); let mut found = HashMap::new();"
        print "    while let Some(shape) = queue.pop_front() { match shape {"
        print "        Shape::Dot => return Err(format!(\"a dot after {} keys in part {}\", found.len(), " i ")),"
        print "        Shape::Line(a, b) => { *found.entry(a).or_insert(0) += 1; found.insert(b, " i "); }"
        print "        Shape::Many(all) => queue.extend(all.into_iter().rev().take(" i + 3 ")),"
        print "        Shape::Named { key, inner } => {"
        print "            found.insert(key, inner.weigh()); queue.push_back(*inner); } } }"
        print "    Ok(found) }"
        print "pub fn total(pairs: Vec<(u32, Option<Vec<u32>>)>) -> usize {"
        print "    type Pair = (u32, Option<Vec<u32>>);"
        print "    let both = |w: &[Pair]| w.iter().chain(w.iter().rev()).cloned().collect::<Vec<_>>();"
        print "    let more: Vec<Pair> = pairs.windows(2).flat_map(both).collect();"
        print "    let most = pairs.iter().map(|p| (p.clone(), p.0).weigh() + " i ").max();"
        print "    more.weigh() + most.unwrap_or_default() }"
        print "}"
    }
}' >crate.rs
LC_ALL=C.UTF-8 ./rustc --edition 2021 --crate-type lib -C codegen-units=1 --emit asm -o - "$1/crate.rs" >expected
