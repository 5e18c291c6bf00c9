# shellcheck shell=bash
# What scripts/run and scripts/test share: messages, and installing Debian packages that are missing.

note() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { note "$*"; exit 1; }

# as_root CMD...: directly for root, through sudo for everybody else.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "'$1' needs root and there is no sudo: run it as root, then start this script again"
  fi
}

# need_commands COMMAND:PACKAGE...: installs the packages whose command is missing.
# A package may be named for a command that another package provides just as well (docker-ce's dockerd).
need_commands() {
  local pair missing=()
  for pair in "$@"; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
  command -v apt-get >/dev/null || die "missing: $*. Without apt-get this script cannot install them: install them by hand"
  note "installing with apt-get: $*"
  # A machine that never ran "apt-get update" knows no package, one that did long ago knows stale file names.
  apt_install "$@" || { as_root apt-get update -q && apt_install "$@"; } ||
    die "apt-get could not install: $*. See its messages above"
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null
}
