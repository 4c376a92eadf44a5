#!/usr/bin/env bash
# Builds the fuzz targets with clang and runs each for so many seconds, one after another. `.ci/run fuzz` calls it.
#
# usage: tests/fuzz/run.sh [SECONDS [TARGET...]]        60 seconds each of all targets unless told otherwise
#
# What libFuzzer finds worth keeping stays in build/fuzz/corpus and is where the next run goes on; what breaks a property is
# kept in build/fuzz/crashes, and its file's name is printed. FUZZ_SEED repeats a run with the seed that it printed;
# FUZZ_PRESET=fuzz-fast looks for broken properties only, without sanitizers, in more executions a second.
set -Eeuo pipefail

here=${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}
root=$(cd -- "${here:-.}/../.." && pwd -P)
log_dir=$root/build/fuzz/logs
cd "$root"
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
# shellcheck source=scripts/packages.sh
source "$root/scripts/packages.sh"
program=tests/fuzz/run.sh

preset=${FUZZ_PRESET:-fuzz}
seconds=${1:-60}
seed=${FUZZ_SEED:-$RANDOM$RANDOM}
# An input that takes longer, or a process that holds more, breaks a bound. Freed memory is given back soon, or reading
# the same few inputs would look as if it grew.
options=(-max_total_time="$seconds" -seed="$seed" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -print_funcs=0)
export ASAN_OPTIONS=detect_stack_use_after_return=1:quarantine_size_mb=16:malloc_context_size=8
export UBSAN_OPTIONS=print_stacktrace=1
crashes=$root/build/fuzz/crashes

build_targets() {
  local names version
  read -r -d '' -a names < <(build_packages && fuzz_packages) || true
  install_packages 'to fuzz' "${names[@]}"
  version=$(lint_clang_version)
  export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-$version/bin/llvm-symbolizer
  CXX=clang++-$version build "$preset" fuzzers
}

# fuzz TARGET: returns 1 if a property was broken.
fuzz() {
  local target=$1 log=$log_dir/$1.log dictionary=tests/fuzz/dictionaries/$1 executions
  local command=("$root/build/$preset/fuzz/$target" "${options[@]}" -artifact_prefix="$crashes/$target-")
  mkdir -p "build/fuzz/corpus/$target" "$crashes"
  if [[ -f $dictionary ]]; then
    command+=(-dict="$dictionary")
  fi
  if "${command[@]}" "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    say "$(printf '%-14s %12s executions' "$target" "$executions")"
    return
  fi
  grep -aE -m 1 'invariant broken|^SUMMARY|runtime error|libFuzzer: ' "$log" | sed "s/^/   $target FAILED: /" || true
  say "$(sed -n 's/.*Test unit written to /this input breaks it: /p' "$log")" "log: $log" \
    "once more: build/$preset/fuzz/$target FILE; mended, the file belongs into tests/fuzz/corpus/$target"
  return 1
}

read_system
step "Fuzz targets (clang, $preset)"
build_targets
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
  for target in build/"$preset"/fuzz/*; do
    targets+=("${target##*/}")
  done
fi
step "$seconds s for each of ${#targets[@]} targets; the seed is $seed"
failed=0
for target in "${targets[@]}"; do
  fuzz "$target" || failed=$((failed + 1))
done
end_step
((failed == 0))
