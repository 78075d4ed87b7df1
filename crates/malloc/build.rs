//! How `libmallow.so` is linked.

fn main() {
    let flags = [
        // The allocator may be in use until the process is gone: never unmap it, even after `dlclose`.
        "-Wl,-z,nodelete",
        // No lazy binding: no resolver runs inside the allocator.
        "-Wl,-z,now",
        "-Wl,-z,relro",
        "-Wl,-soname,libmallow.so",
        // No start files: they bring constructors that we do not need into every process.
        "-nostartfiles",
    ];
    for flag in flags {
        println!("cargo::rustc-cdylib-link-arg={flag}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
