#!/bin/sh
# Installs what the tests run: the Debian packages in ci/packages.txt, or in the file that is named, that are
# missing. A package that cannot be installed is named; the tests that need it will be skipped with the reason, so this is no failure.
set -eu
cd "$(dirname "$0")/.."

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Prints those of its arguments that are not installed.
missing_of() {
    for package in "$@"; do
        is_installed "$package" || echo "$package"
    done
}

if ! command -v apt-get >/dev/null; then
    echo 'packages: there is no apt-get here; nothing was installed'
    exit 0
fi
# shellcheck disable=SC2046 # one word per package is meant
missing=$(missing_of $(sed 's/#.*//' "${1:-ci/packages.txt}"))
if [ -z "$missing" ]; then
    echo 'packages: all installed'
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "packages: not root, so these stay missing: $(echo "$missing" | tr '\n' ' ')"
    exit 0
fi

# Installing a server must not start it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install --quiet=2 --yes --no-install-recommends "$@" >/dev/null 2>&1
}
apt-get update --quiet=2 || echo 'packages: the package lists could not be brought up to date'
# shellcheck disable=SC2086 # one word per package is meant
if ! install $missing; then
    # One that does not exist keeps all others out: try each on its own.
    for package in $missing; do
        install "$package" || echo "packages: $package cannot be installed"
    done
fi
# shellcheck disable=SC2086 # one word per package is meant
missing=$(missing_of $missing)
[ -z "$missing" ] || echo "packages: still missing: $(echo "$missing" | tr '\n' ' ')"
echo 'packages: done'
