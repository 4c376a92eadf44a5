# What setup.sh, test.sh and .ci/run do before Python takes over: they find it, or install it. Sourced by scripts that set
# `root` to the project's folder; needs nothing that a fresh Debian lacks.
# shellcheck shell=bash
: "${root:?}"

# The system's own tools come first, so that a compiler or interpreter of conda or pyenv cannot get in between.
PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin${PATH:+:$PATH}
export PATH LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1

# run_python SCRIPT ARGUMENT...: goes on as scripts/SCRIPT under the system's Python; returns never.
run_python() {
  [[ -e /usr/bin/python3 ]] || install_python
  /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || refuse_system
  exec /usr/bin/python3 "$root/scripts/$1" "${@:2}"
}

install_python() {
  local ID='' VERSION_ID='' major as_root=() command='apt-get update && apt-get install -y --no-install-recommends python3'
  # shellcheck disable=SC1091
  source /etc/os-release 2>/dev/null || true
  major=${VERSION_ID%%.*}
  # As scripts/system.py judges where there is Python.
  [[ $ID == debian && (-z $major || $major -ge 12) || $ID == ubuntu && -n $major && $major -ge 24 ]] || refuse_system
  ((EUID == 0)) || as_root=(sudo)
  echo "${0##*/}: installing python3 with apt-get" >&2
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive bash -c "$command" >/dev/null; then
    echo "${0##*/}: python3 is missing and could not be installed. As root: $command; then run $0 again" >&2
    exit 1
  fi
}

# The text after the first words is also what scripts/system.py shows.
refuse_system() {
  local PRETTY_NAME
  PRETTY_NAME=$(uname -s)
  # shellcheck disable=SC1091
  source /etc/os-release 2>/dev/null || true
  { printf '%s: this is %s; ' "${0##*/}" "$PRETTY_NAME" && cat "$root/scripts/unsupported-system.txt"; } >&2
  exit 1
}
