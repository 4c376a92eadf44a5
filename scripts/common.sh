# What setup.sh, test.sh and .ci/run share: numbered steps, long commands with visible progress, packages, builds.
# Sourced by scripts that set `root` to the project's folder and `log_dir` to where the logs of long commands go. Needs
# bash 5 and nothing that a fresh Debian lacks.
# shellcheck shell=bash
: "${root:?}" "${log_dir:?}"

# The system's own tools come first, so that a compiler or interpreter of conda or pyenv cannot get in between.
PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin${PATH:+:$PATH}
export PATH LC_ALL=C.UTF-8

program=${0##*/}
step_number=0
step_title='starting'
step_began_ms=0
# What fail() shows: the command at work, its log, and how many bytes of that are older than the command.
failed_command=''
failed_log=''
failed_log_skip=0

# ---------------------------------------------------------------------------------------------------------- output

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR-} && ${TERM:-dumb} != dumb ]]; then
  bold=$'\e[1m' plain=$'\e[0m'
fi

# Sets REPLY to the milliseconds since 1970.
now_ms() {
  local microseconds=${EPOCHREALTIME/./}
  REPLY=$((microseconds / 1000))
}

# Sets REPLY to the time since $1 (milliseconds since 1970), as "0.3 s" or "4 min 12 s".
elapsed_since() {
  now_ms
  local ms=$((REPLY - $1))
  if ((ms < 60000)); then
    REPLY="$((ms / 1000)).$((ms / 100 % 10)) s"
  else
    REPLY="$((ms / 60000)) min $((ms / 1000 % 60)) s"
  fi
}

# step TITLE: ends the step before, with its duration, and begins the next one.
step() {
  end_step
  step_number=$((step_number + 1))
  step_title=$1
  now_ms
  step_began_ms=$REPLY
  printf '%s%d. %s%s\n' "$bold" "$step_number" "$step_title" "$plain"
}

end_step() {
  if ((step_began_ms > 0)); then
    elapsed_since "$step_began_ms"
    printf '   (%s)\n\n' "$REPLY"
    step_began_ms=0
  fi
}

say() {
  printf '   %s\n' "$@"
}

# fail WHAT [WHAT TO DO...]: ends the script, naming the step, the command and the log where there are any.
fail() {
  trap - ERR
  local what=$1 line
  shift
  {
    printf '\n%s%s failed in step %d (%s): %s%s\n' "$bold" "$program" "$step_number" "$step_title" "$what" "$plain"
    if [[ -n $failed_command ]]; then
      printf '   command:     %s\n' "$failed_command"
    fi
    if [[ -n $failed_log ]]; then
      printf '   log:         %s\n' "$failed_log"
      printf '   its end:\n'
      tail -c "+$((failed_log_skip + 1))" "$failed_log" | log_excerpt | sed 's/^/   | /'
    fi
    local label='what to do:'
    for line in "$@"; do
      printf '   %-12s %s\n' "$label" "$line"
      label=''
    done
  } >&2
  exit 1
}

# What a log on standard input says went wrong: from the first failure of CMake or Ninja on, else the last lines.
log_excerpt() {
  cut -c1-400 | awk '
    /^FAILED: |^CMake Error/ { failure = 1 }
    failure { if (++shown <= 40) print; next }
    { last[NR % 20] = $0 }
    END {
      if (!failure) for (i = NR < 20 ? 1 : NR - 19; i <= NR; ++i) print last[i % 20]
      if (NR == 0) print "(nothing)"
    }'
}

on_error() {
  local status=$? line=$1 command=$2
  # A subshell leaves the message to the shell it belongs to.
  ((BASH_SUBSHELL == 0)) || exit "$status"
  failed_command=$command
  fail "it ended with status $status at line $line" "this is a mistake in $program: please report it with the lines above"
}

# ------------------------------------------------------------------------------------------------ long commands

# run_logged LOG COMMAND...: runs the command with its output in LOG and one line of progress on the screen. A terminal
# sees the line change; elsewhere one is printed now and then. Returns the command's status.
run_logged() {
  failed_log=$1 failed_log_skip=0
  shift
  failed_command=$*
  mkdir -p "${failed_log%/*}"
  printf '$ %s\n' "$*" >"$failed_log"
  "$@" 2>&1 </dev/null 9>&- | tee -a "$failed_log" | show_progress || return 1
  failed_command='' failed_log=''
}

show_progress() {
  local line latest='' began=$SECONDS shown=$SECONDS interval=15 columns=120 before='' after=$'\n'
  if [[ -t 1 && ${TERM:-dumb} != dumb ]]; then
    interval=1 before=$'\r\e[K' after=''
    # tput asks the terminal behind its own output, which is a pipe here.
    columns=$(stty size 2>/dev/null </dev/tty) || columns='24 80'
    columns=$((${columns#* } > 14 ? ${columns#* } - 14 : 1))
  fi
  # Above 128: no line came in time.
  while IFS= read -r -t "$interval" line || (($? > 128)); do
    latest=${line:-$latest}
    if ((SECONDS - shown >= interval)); then
      shown=$SECONDS latest=${latest/Building CXX object /}
      printf '%s   %4d s  %s%s' "$before" "$((SECONDS - began))" "${latest:0:columns}" "$after"
    fi
  done
  printf '%s' "$before"
}

# --------------------------------------------------------------------------------------------------------- system

system_id='' system_version='' system_name=''

# Sets the three variables above from os-release(5), which is written for shells.
read_system() {
  # shellcheck disable=SC1091
  { read -r system_id && read -r system_version && read -r system_name; } < <(
    source /etc/os-release && printf '%s\n' "${ID-}" "${VERSION_ID-}" "${PRETTY_NAME-}") || system_name=$(uname -s)
}

# Debian's testing and unstable have no version number and are newer than the ones that have.
system_is_supported() {
  local major=${system_version%%.*}
  [[ $system_id == debian && (-z $major || $major -ge 12) || $system_id == ubuntu && -n $major && $major -ge 24 ]]
}

require_supported_system() {
  local tool
  read_system
  if ! system_is_supported; then
    cat >&2 <<TEXT
$program: this is $system_name; it needs Debian 12 or newer, or Ubuntu 24.04 or newer (g++ 12, Boost 1.81, CMake 3.25).

Use a container here. Needed: Docker or Podman, 4 GiB of memory, 3 GiB of disk. In the project's folder:

   docker run --rm -it -v "\$PWD":/switchyard -w /switchyard -e HTTP_HOST=0.0.0.0 -p 127.0.0.1:8080:8080 \\
     debian:12 bash -c './setup.sh && ./setup.sh logs'

or all services in containers of their own: deploy/README.md, "Containers by hand".
TEXT
    exit 1
  fi
  for tool in apt-get dpkg-query flock setsid; do
    command -v "$tool" >/dev/null || fail "$system_name without $tool" \
      'this is a reduced system: use a complete Debian 12 or Ubuntu 24.04, or a container of one'
  done
}

# How many compilers run at once: one a core, and 1.5 GiB of free memory for each.
build_jobs() {
  local memory_kib limit jobs
  memory_kib=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null) || true
  [[ ! $limit =~ ^[0-9]+$ ]] || ((limit / 1024 >= memory_kib)) || memory_kib=$((limit / 1024))
  jobs=$((${memory_kib:-0} / 1572864))
  ((jobs <= $(nproc))) || jobs=$(nproc)
  echo "$((jobs > 0 ? jobs : 1))"
}

# ------------------------------------------------------------------------------------------------------- packages

# missing_packages NAME...: prints those that are not installed, one a line.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort -u)
}

is_installable() {
  [[ -n $(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: \([^(].*\)$/\1/p') ]]
}

# True if this user may run commands as root; asks for sudo's password where there is a terminal to ask at.
may_be_root() {
  if [[ $EUID != 0 && -t 0 && -t 1 ]]; then
    command -v sudo >/dev/null && sudo -v
  else
    as_root -n true 2>/dev/null
  fi
}

as_root() {
  if ((EUID == 0)); then
    [[ $1 != -n ]] || shift
    "$@"
  else
    sudo "$@"
  fi
}

# run_apt LOG ARGUMENT...: apt-get that never asks, and waits for another package manager to finish.
run_apt() {
  local log=$1
  shift
  run_logged "$log" as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l \
    apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

package_lists_are_fresh=''

refresh_package_lists() {
  [[ -z $package_lists_are_fresh ]] || return 0
  # One repository out of reach must not matter as long as the packages are found in another.
  run_apt "$log_dir/apt-update.log" update || say 'apt-get update reported problems; going on with the lists there are'
  failed_command='' failed_log=''
  package_lists_are_fresh=yes
}

# install_packages WHY NAME...: installs with apt what is missing, and nothing else.
install_packages() {
  local why=$1 names missing=()
  shift
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    say "all $# packages $why are installed"
    return
  fi
  names=${missing[*]}
  say "missing $why:"
  fold -s -w 100 <<<"$names" | sed 's/^/     /'
  local by_hand="apt-get update && apt-get install --no-install-recommends $names"
  may_be_root || fail 'packages are missing and this user may not install them' \
    "as root: $by_hand" "then run ./$program again"
  say "installing ${#missing[@]} with apt-get$( ((EUID == 0)) || echo ' and sudo')"
  refresh_package_lists
  run_apt "$log_dir/apt-install.log" install -y --no-install-recommends --no-remove "${missing[@]}" || fail \
    'apt-get could not install the packages' \
    'check the network and /etc/apt/sources.list (Ubuntu: the "universe" component must be enabled)' \
    "where a package excludes one that is installed, decide which to keep, then: $by_hand" "then run ./$program again"
}

# ---------------------------------------------------------------------------------------------------------- build

# build PRESET [TARGET...]: configures build/PRESET if needed and builds the targets (everything without any).
build() {
  local preset=$1 directory="$root/build/$1" log="$log_dir/build-$1.log" fresh=() jobs
  shift
  # The folder was copied from elsewhere: CMake's notes about the old place are of no use.
  if [[ -f $directory/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$directory/CMakeCache.txt"; then
    fresh=(--fresh)
  fi
  if [[ ${#fresh[@]} -gt 0 || ! $directory/build.ninja -nt $root/CMakePresets.json ]]; then
    run_logged "$log_dir/configure-$preset.log" cmake -S "$root" --preset "$preset" "${fresh[@]}" ||
      fail "CMake could not configure build/$preset" "read the log; rm -rf build/$preset and ./$program begin anew"
  fi
  jobs=$(build_jobs)
  if ! NINJA_STATUS='[%f/%t] ' run_logged "$log" cmake --build "$directory" --parallel "$jobs" ${1:+--target "$@"}; then
    ! grep -qi 'killed' "$log" || fail "a compiler was killed: this machine has too little memory for build/$preset" \
      "close other programs or add swap; ./$program goes on where it stopped"
    fail "the build in build/$preset failed" "mend what the log shows; ./$program goes on where it stopped"
  fi
  if grep -q 'no work to do' "$log"; then
    say "build/$preset is up to date"
  else
    say "built build/$preset with $jobs compiler(s) at once; log: ${log#"$root"/}"
  fi
}
