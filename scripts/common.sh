# shellcheck shell=bash
# What scripts/run and scripts/test share: messages, and installing Debian packages that are missing.

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { note "$*"; exit 1; }

# Goes before a command that needs root: nothing for root itself, sudo for everybody else.
sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo)

# need_commands COMMAND:PACKAGE...: installs the packages whose command is missing.
# A package may be named for a command that another package provides just as well (docker-ce's dockerd).
need_commands() {
  local pair missing=()
  for pair in "$@"; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

# need_modules MODULE:PACKAGE...: the same for modules of Debian's Python.
need_modules() {
  local pair missing=()
  for pair in "$@"; do
    /usr/bin/python3 -c "import ${pair%%:*}" 2>/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
  command -v apt-get >/dev/null || die "missing: $*. Without apt-get this script cannot install them: install them by hand"
  note "installing with apt-get: $*"
  # A machine that never ran "apt-get update" knows no package, one that did long ago knows stale file names.
  apt_install "$@" || { "${sudo[@]}" apt-get update -q && apt_install "$@"; } ||
    die "apt-get could not install: $*. See its messages above"
}

apt_install() {
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null
}
