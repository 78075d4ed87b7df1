/* Starts the Rust compiler without the allocator that the executable `rustc` carries.
 *
 * The toolchain's executable is a few lines around librustc_driver.so, linked statically with jemalloc. It exports
 * malloc and free, so nothing that is preloaded can take their place. This is the same few lines without jemalloc:
 * the library is the toolchain's own. The name of its entry point is mangled and differs from release to release;
 * rustc.sh looks it up and passes it as ENTRY. */

extern unsigned char compile(void) __asm__(ENTRY);

int main(void)
{
    return compile();
}
