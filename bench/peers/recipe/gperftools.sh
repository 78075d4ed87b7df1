# shellcheck shell=sh
# gperftools' tcmalloc, without the profilers: Debian's own build, from the installed package or a downloaded one.

build() {
    package=libtcmalloc-minimal4
    file=usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4
    root=/
    if [ ! -e "/$file" ]; then
        root=$PWD/unpacked/
        apt-get download "$package" >&2
        dpkg-deb --extract "$package"_*.deb "$root"
    fi
    cp -L "$root$file" lib.so
    version=$(dpkg-query --show --showformat='${Version}' "$package" 2>/dev/null) ||
        version=$(dpkg-deb --field "$package"_*.deb Version)
    echo "${version%-*} (Debian $package $version)"
}
