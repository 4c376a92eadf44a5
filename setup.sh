#!/usr/bin/env bash
# Sets Switchyard up on this machine, starts it and makes one payment with it. `./setup.sh help` says more.
# Here is only what a bare machine needs before there is Python: all else is in scripts/setup.py.
set -Eeuo pipefail

here=${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}
root=$(cd -- "${here:-.}" && pwd -P)
if [[ $(uname -s) == Darwin ]]; then
  { printf 'setup.sh: ' && cat "$root/scripts/mac.txt"; } >&2
  exit 1
fi
# shellcheck source=scripts/python.sh
source "$root/scripts/python.sh"
run_python setup.py "$@"
