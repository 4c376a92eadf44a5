#!/usr/bin/env bash
# Builds Switchyard and runs its tests. `./test.sh help` says what there is.
set -Eeuo pipefail

here=${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}
root=$(cd -- "${here:-.}" && pwd -P)
report_dir=$root/build/test-report
export PYTHONDONTWRITEBYTECODE=1
log_dir=$report_dir
if ((BASH_VERSINFO[0] < 5)); then
  echo "test.sh: bash 5 is needed, as Debian 12 and Ubuntu 24.04 have it; this is bash $BASH_VERSION" >&2
  exit 1
fi
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
# shellcheck source=scripts/packages.sh
source "$root/scripts/packages.sh"
# shellcheck source=scripts/docker.sh
source "$root/scripts/docker.sh"

usage() {
  cat <<'TEXT'
usage: ./test.sh [all]                                    everything this machine can run (about an hour on 2 cores)
       ./test.sh quick                                    unit tests and a fast functional subset, build/debug
       ./test.sh unit [PRESET...]                         unit tests; debug unless told otherwise
       ./test.sh functional [PRESET] [-- PYTEST-OPTION...]   functional tests; debug unless told otherwise
       ./test.sh docker [-- PYTEST-OPTION...]             Switchyard in containers, behind Traefik

PRESET is debug (AddressSanitizer and UndefinedBehaviorSanitizer), tsan (ThreadSanitizer) or release.
For one test again and again: ./test.sh functional -- -k idempotency -x

Missing packages are installed with apt-get, as root or with sudo. Logs: build/test-report/. The exit status is 0 if all
that ran has passed, 1 if something failed, 2 if the command line was not understood.
TEXT
}

# What went wrong, what was left out and why, and each runner's own closing lines.
failures=()
skips=()
closing_lines=()

programs=(switchyard auth-api core-api psp-connector psp-simulator)

# What a program of the chosen preset has to be started with; filled in by choose_sanitizer_options.
run_prefix=()

# ------------------------------------------------------------------------------------------- what this machine can

# True if a program built with g++ and the option $1 runs under the command that follows.
sanitized_program_runs() {
  local option=$1 probe=$report_dir/probe
  shift
  mkdir -p "$report_dir"
  printf '#include <thread>\nint main() { std::thread([] {}).join(); }\n' >"$probe.cpp"
  g++ "$option" "$probe.cpp" -o "$probe" >"$probe.log" 2>&1 || return 1
  # Where addresses are random, a sanitizer may fail now and then only.
  local run
  for run in 1 2 3 4 5; do
    "$@" "$probe" >>"$probe.log" 2>&1 || return "$run"
  done
}

# choose_sanitizer_options PRESET: a report of a sanitizer ends the process that made it, so that none is overlooked.
# ThreadSanitizer of g++ 12 cannot live with the many random address bits of newer kernels, so they are turned off where
# that is allowed. LeakSanitizer needs ptrace, which some containers forbid.
choose_sanitizer_options() {
  local preset=$1 fixed_addresses=(setarch "$(uname -m)" --addr-no-randomize) leaks=1
  run_prefix=()
  export ASAN_OPTIONS='' UBSAN_OPTIONS='' TSAN_OPTIONS=''
  unset TEST_PATIENCE
  case $preset in
    debug)
      if ! sanitized_program_runs -fsanitize=address env ASAN_OPTIONS=detect_leaks=1; then
        leaks=0
        skip 'the search for memory leaks' 'LeakSanitizer does not run here (a container without ptrace?)'
      fi
      export ASAN_OPTIONS="abort_on_error=1:detect_leaks=$leaks:detect_stack_use_after_return=1:strict_string_checks=1"
      export UBSAN_OPTIONS='halt_on_error=1:abort_on_error=1:print_stacktrace=1'
      export TEST_PATIENCE=3
      ;;
    tsan)
      if "${fixed_addresses[@]}" true 2>/dev/null; then
        run_prefix=("${fixed_addresses[@]}")
      fi
      sanitized_program_runs -fsanitize=thread "${run_prefix[@]}" || return 1
      export TSAN_OPTIONS='halt_on_error=1:abort_on_error=1:second_deadlock_stack=1:history_size=4'
      if [[ -f $root/tests/tsan.supp ]]; then
        TSAN_OPTIONS+=":suppressions=$root/tests/tsan.supp"
      fi
      export TEST_PATIENCE=6
      ;;
  esac
}

skip() {
  skips+=("$1: $2")
}

# -------------------------------------------------------------------------------------------------------- runners

# describe PRESET: for headings.
describe() {
  case $1 in
    debug) echo 'debug: ASan, UBSan' ;;
    tsan) echo 'tsan: ThreadSanitizer' ;;
    *) echo "$1" ;;
  esac
}

# True unless the preset cannot run here, which is noted.
can_run() {
  if ! choose_sanitizer_options "$1"; then
    [[ "${skips[*]-}" == *ThreadSanitizer* ]] ||
      skip 'all tests under ThreadSanitizer' "it does not run here: $(tail -n 1 "$report_dir/probe.log")"
    return 1
  fi
}

# unit_tests PRESET CTEST-OPTION...
unit_tests() {
  local preset=$1 log=$report_dir/unit-$1.log status=0
  shift
  step "Unit tests ($(describe "$preset"))"
  if ! can_run "$preset"; then
    say 'not possible here'
    return
  fi
  "${run_prefix[@]}" ctest --test-dir "$root/build/$preset" --output-on-failure --no-tests=error --parallel "$(nproc)" "$@" \
    </dev/null 2>&1 | tee "$log" | grep --line-buffered -vE '^ +Start +[0-9]+: | +Passed +[0-9.]+ sec$' || status=${PIPESTATUS[0]}
  ((status == 0)) || failures+=("unit tests, $preset: $log")
  closing_lines+=("unit tests, $preset:" "$(grep -E '^[0-9]+% tests passed|^No tests were found|^Total Test time' "$log" || tail -n 1 "$log")")
  note_unit_skips "$preset"
}

# CTest's list says only that a test was skipped; GoogleTest's output in its log says why.
note_unit_skips() {
  local line
  while IFS= read -r line; do
    skip "unit test ($1) ${line%%$'\t'*}" "${line#*$'\t'}"
  done < <(awk '
    /^[0-9]+\/[0-9]+ Testing: / { name = $3 }
    /: Skipped$/ { if ((getline reason) > 0) print name "\t" reason }
    /^Command: ""$/ { print name "\tdisabled in the source" }' \
    "$root/build/$1/Testing/Temporary/LastTest.log" 2>/dev/null || true)
}

# side_by_side COUNT [OPTION...]: the options that have pytest run so many tests at once, where its plugin for that is there.
side_by_side() {
  if /usr/bin/python3 -c 'import xdist' 2>/dev/null; then
    echo --numprocesses "$@"
  fi
}

# run_pytest SECONDS OPTION...: in tests/, and not for longer. An interrupt lets pytest stop what it started and report what
# it had; a suite that hangs must not hang for ever.
run_pytest() {
  local seconds=$1
  shift
  cd "$root/tests"
  "${run_prefix[@]}" timeout --foreground --signal=INT --kill-after=60 "$seconds" \
    /usr/bin/python3 -m pytest -p no:cacheprovider -rs --durations=5 "$@" </dev/null 2>&1
}

# note_pytest LOG STATUS TITLE KIND: what the report at the end says of a run of pytest.
note_pytest() {
  local log=$1 status=$2 title=$3 kind=$4 line
  ((status == 0)) || failures+=("$title: $log")
  closing_lines+=("$title:" "$(grep -E '^=+ .* in [0-9.]+s.* =+$' "$log" | tail -n 1 || true)")
  while IFS= read -r line; do
    skip "$kind ${line%%: *}" "${line#*: }"
  done < <(sed -n 's/^SKIPPED \[[0-9]*\] //p' "$log")
}

# functional_tests PRESET TITLE PYTEST-OPTION...
functional_tests() {
  local preset=$1 title=$2 log=$report_dir/functional-$1.log status=0
  shift 2
  step "Functional tests, $title ($(describe "$preset"))"
  if ! can_run "$preset"; then
    say 'not possible here'
    return
  fi
  (
    export SWITCHYARD_BIN=$root/build/$preset/bin
    # The other versions differ in what they put on the wire, not in our threads: debug has seen them.
    if [[ $preset == tsan ]]; then
      export RQ_VERSIONS=debian
    fi
    run_pytest 1800 "$@"
  ) | tee "$log" || status=${PIPESTATUS[0]}
  note_pytest "$log" "$status" "functional tests, $preset ($title)" "functional test ($preset)"
}

# Needs no program of ours: images are built from the source.
container_tests() {
  local log=$report_dir/containers.log status=0
  step 'Switchyard in containers'
  if ! (prepare_docker); then
    skip 'all tests of containers' "no Docker engine can be started here; $daemon_log and the lines above say why"
    return
  fi
  find_engine
  if [[ ${docker_command[0]} != docker ]]; then
    skip 'all tests of containers' 'this user reaches Docker with sudo only'
    return
  fi
  # No preset, so no sanitizer's prefix.
  run_prefix=()
  (run_pytest 3600 containers "$@") | tee "$log" || status=${PIPESTATUS[0]}
  stop_engine
  note_pytest "$log" "$status" 'tests of containers' 'container test'
}

# ---------------------------------------------------------------------------------------------------------- steps

install_everything() {
  step 'Packages'
  require_supported_system
  local names name installable=()
  read -r -d '' -a names < <(build_packages) || true
  install_packages 'to build Switchyard' "${names[@]}"
  read -r -d '' -a names < <(test_packages) || true
  if [[ -n $(missing_packages "${names[@]}") ]] && may_be_root; then
    refresh_package_lists
  fi
  # A test package that this release does not have costs the tests that need it and nothing else.
  for name in "${names[@]}"; do
    if [[ -z $(missing_packages "$name") ]] || is_installable "$name"; then
      installable+=("$name")
    else
      skip "tests that need $name" "$system_name has no such package"
    fi
  done
  if [[ " ${installable[*]} " == *' postgresql '* ]]; then
    install_postgresql_without_cluster
  fi
  install_packages 'to run the tests' "${installable[@]}"
}

# build_step PRESET [TARGET...]: a build that fails costs the tests that need it, and the others still run.
build_step() {
  step "Build ($(describe "$1"))"
  (build "$@") || {
    failures+=("build, $1: $report_dir/build-$1.log")
    return 1
  }
}

# The closing lines come last, where people and programs look for them. CI has more checks of its own and names a file
# for them in TEST_CLOSING_LINES, to print it after those.
report() {
  end_step
  if ((${#skips[@]} > 0)); then
    echo 'Skipped:'
    printf '   %s\n' "${skips[@]}" | awk '{ if (!seen[$0]++) print }'
  else
    echo 'Skipped: nothing'
  fi
  if ((${#failures[@]} > 0)); then
    printf '\nFAILED:\n'
    printf '   %s\n' "${failures[@]}"
  fi
  echo
  if ((${#closing_lines[@]} == 0)); then
    closing_lines=('no tests were run')
  fi
  if [[ -n ${TEST_CLOSING_LINES-} ]]; then
    printf '%s\n' "${closing_lines[@]}" >"$TEST_CLOSING_LINES"
  else
    printf '%s\n' "${closing_lines[@]}"
  fi
  ((${#failures[@]} == 0))
}

refuse() {
  printf 'test.sh: %s\n\n' "$1" >&2
  usage >&2
  exit 2
}

# ThreadSanitizer looks at what has threads in it and meets others: what one request after another shows, debug has seen.
one_after_another=(deploy interop/test_reference_exchange.py interop/test_jose_libraries.py functional/test_card_numbers.py
  functional/test_command_line.py functional/test_configuration.py functional/test_core_api.py functional/test_demo.py
  functional/test_differences.py functional/test_doctor.py functional/test_metrics_and_openapi.py
  functional/test_problem_details.py functional/test_program_arguments.py functional/test_psp_simulator.py
  functional/test_readme_client.py functional/test_schemathesis.py functional/test_tokens.py)

run_all() {
  # Most tests wait more than they compute. The slow ones take turns at what their file has set up.
  local parallel by_file
  read -r -d '' -a parallel < <(side_by_side "$(($(nproc) + 1))") || true
  read -r -d '' -a by_file < <(side_by_side "$(nproc)" --dist loadfile) || true
  if build_step debug; then
    unit_tests debug
    functional_tests debug 'all but the slow ones' -m 'not slow' "${parallel[@]}"
  fi
  if build_step tsan "${programs[@]}" tests_with_threads; then
    unit_tests tsan --label-regex threads
    functional_tests tsan 'those with threads in them, but the slow ones' -m 'not slow' "${parallel[@]}" \
      "${one_after_another[@]/#/--ignore=}"
  fi
  if build_step release "${programs[@]}"; then
    if [[ -n ${SLOW_KILL_ROUNDS-} ]]; then
      export KILL_ROUNDS=$SLOW_KILL_ROUNDS
    fi
    functional_tests release 'the slow ones: kill -9, floods, endurance' -m slow "${by_file[@]}"
  fi
  container_tests
}

run_quick() {
  if build_step debug; then
    unit_tests debug
    functional_tests debug 'the quick ones' -m quick
  fi
  skip 'the other functional tests, ThreadSanitizer, release' 'this was ./test.sh quick; ./test.sh runs them'
}

run_unit() {
  local preset
  for preset in "${@:-debug}"; do
    if build_step "$preset"; then
      unit_tests "$preset"
    fi
  done
}

run_functional() {
  local preset=$1
  shift
  if build_step "$preset" "${programs[@]}"; then
    functional_tests "$preset" 'as asked' "$@"
  fi
}

main() {
  local mode=${1:-all} presets=() pytest_options=()
  shift || true
  while (($# > 0)); do
    case $1 in
      debug | tsan | release) presets+=("$1") ;;
      --)
        pytest_options=("${@:2}")
        break
        ;;
      *) refuse "this is not understood: $1" ;;
    esac
    shift
  done
  case $mode in
    help | -h | --help) usage && exit ;;
    all | quick) ((${#presets[@]} + ${#pytest_options[@]} == 0)) || refuse "$mode takes no further arguments" ;;
    unit) ((${#pytest_options[@]} == 0)) || refuse 'options of pytest go with: functional' ;;
    functional) ((${#presets[@]} <= 1)) || refuse 'functional takes one preset' ;;
    docker) ((${#presets[@]} == 0)) || refuse 'docker takes no preset' ;;
    *) refuse "this is not understood: $mode" ;;
  esac

  trap 'on_error "$LINENO" "$BASH_COMMAND"' ERR
  mkdir -p "$report_dir"
  install_everything
  case $mode in
    all) run_all ;;
    quick) run_quick ;;
    unit) run_unit "${presets[@]}" ;;
    functional) run_functional "${presets[0]:-debug}" "${pytest_options[@]}" ;;
    docker) container_tests "${pytest_options[@]}" ;;
  esac
  report || exit 1
}

main "$@"
