#!/usr/bin/env bash
# Installs what building and testing Afluente needs on Debian and Ubuntu. Safe to run again: what is there is left alone.
#
#   install.sh all     linker, servers for the tests, browser, what the scripts call, fonts; also without an argument
#   install.sh build   only what `make run` needs: the linker
#
# Rust and Node.js are checked, not installed: their own installers know better. No service is started or stopped: the
# packages of the servers would start them, so they are told not to.
set -euo pipefail

readonly RUST_WANTED=1.95 NODE_WANTED=20

say() {
  echo "install.sh: $*"
}

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

as_root() {
  if [[ $(id -u) == 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "needs root to install packages, and sudo is not there. Run as root: $*"
  fi
}

# Whether version $1 is at least $2.
at_least() {
  [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

check_rust() {
  command -v cargo >/dev/null || fail "cargo is missing: install Rust $RUST_WANTED or newer from https://rustup.rs"
  local version
  version=$(cargo --version | cut -d' ' -f2)
  at_least "$version" "$RUST_WANTED" || fail "cargo is $version, the project needs $RUST_WANTED: rustup update"
}

check_node() {
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    fail "node and npm are missing: install Node.js $NODE_WANTED or newer (https://nodejs.org, or apt install nodejs npm)"
  fi
  local version
  version=$(node --version | tr -d v)
  at_least "$version" "$NODE_WANTED" || fail "node is $version, the project needs $NODE_WANTED"
}

# The packages whose program or file is not there yet.
missing() {
  local entry package probe
  for entry in "$@"; do
    package=${entry%%=*}
    probe=${entry#*=}
    if ! command -v "$probe" >/dev/null 2>&1 && ! compgen -G "$probe" >/dev/null; then
      echo "$package"
    fi
  done
}

# While policy-rc.d says 101, Debian's packages do not start the services that they bring. One that is already there is
# the administrator's, and stays.
install_quietly() {
  local policy=/usr/sbin/policy-rc.d ours=no status=0
  if [[ ! -e $policy ]]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  as_root apt-get update -q || status=$?
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" || status=$?
  if [[ $ours == yes ]]; then
    as_root rm -f "$policy"
  fi
  return "$status"
}

check_rust
check_node

wanted=(clang=clang mold=mold)
case ${1:-all} in
  all | build) ;;
  *) fail "install.sh all|build, not '$1'" ;;
esac
if [[ ${1:-all} == all ]]; then
  browser=chromium
  # Ubuntu's `chromium` package only points to a snap; a snap does not run in a container. Any browser that is there wins.
  for candidate in chromium chromium-browser google-chrome; do
    if command -v "$candidate" >/dev/null; then browser=$candidate; fi
  done
  wanted+=(
    rabbitmq-server=/usr/lib/rabbitmq/bin/rabbitmq-server
    redis-server=redis-server
    redis-tools=redis-cli
    "postgresql=/usr/lib/postgresql/*/bin/initdb"
    "postgresql-client=psql"
    chromium="$browser"
    shellcheck=shellcheck
    util-linux=setpriv
    python3=python3
    curl=curl
    "fonts-liberation=/usr/share/fonts/truetype/liberation*/*.ttf"
    "fonts-noto-color-emoji=/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
  )
fi

mapfile -t packages < <(missing "${wanted[@]}")
if ((${#packages[@]} == 0)); then
  say "everything is there"
  exit 0
fi
command -v apt-get >/dev/null ||
  fail "this system has no apt-get; install the counterparts of these packages: ${packages[*]}"
say "installing ${packages[*]}"
install_quietly "${packages[@]}" || fail "apt-get could not install ${packages[*]}"
say "done"
