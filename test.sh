#!/usr/bin/env bash
# Builds Switchyard and runs its tests. `./test.sh help` says what there is.
set -Eeuo pipefail

here=${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}
root=$(cd -- "${here:-.}" && pwd -P)
# shellcheck source=scripts/python.sh
source "$root/scripts/python.sh"
run_python testing.py "$@"
