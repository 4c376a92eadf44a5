#!/usr/bin/env bash
# Sets Switchyard up on this machine, starts it and makes one payment with it. `./setup.sh help` says more.
set -Eeuo pipefail

here=${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}
root=$(cd -- "${here:-.}" && pwd -P)
log_dir=$root/run/log
if [[ $(uname -s) == Darwin ]]; then
  # shellcheck source=scripts/docker.sh
  source "$root/scripts/docker.sh"
  mac_steps >&2
  exit 1
fi
if ((BASH_VERSINFO[0] < 5)); then
  echo "setup.sh: bash 5 is needed, as Debian 12 and Ubuntu 24.04 have it; this is bash $BASH_VERSION." \
    "Elsewhere use a container: docker run --rm -it -v \"\$PWD\":/switchyard -w /switchyard debian:12 bash" >&2
  exit 1
fi
# shellcheck source=scripts/common.sh
source "$root/scripts/common.sh"
# shellcheck source=scripts/packages.sh
source "$root/scripts/packages.sh"
# shellcheck source=scripts/docker.sh
source "$root/scripts/docker.sh"
binary=$root/build/release/bin/switchyard
env_file=$root/.env
server_log=$root/run/switchyard.log
pid_file=$root/run/switchyard.pid
# What the server was started with: its address, and a digest of the program and its configuration.
state_file=$root/run/switchyard.state

usage() {
  cat <<'TEXT'
usage: ./setup.sh [COMMAND]

Without a command: installs the packages that are missing (with apt-get, as root or with sudo), builds
build/release, writes .env, starts `switchyard serve` in the background and makes one payment with it.
What is there already is left alone, so it may be run again at any time.

commands:
  status         is it running, since when, is it healthy?   exit: 0 healthy, 1 not healthy, 3 not running
  stop           ends it and waits until it has finished     exit: 0 ended or was not running, 1 still running
  logs           shows its log and follows it; `logs -n 50` shows the last 50 lines and returns
  docker         the same in containers instead, each service in its own, behind a router: `docker help` says more
  help           this text

The configuration stands in .env (see .env.example); a variable of the environment wins for this start:
  HTTP_PORT=9000 METRICS_PORT=9500 ./setup.sh
TEXT
}

# -------------------------------------------------------------------------------------------------- configuration

# configured KEY [DEFAULT]: the value the server will see, from the environment, else .env, else .env.example.
configured() {
  local value=${!1-} file
  for file in "$env_file" "$root/.env.example"; do
    [[ -n $value || ! -r $file ]] ||
      value=$(sed -nE "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*([\"']?)(.*[^[:space:]])\1[[:space:]]*$/\2/p" "$file" | head -n 1)
  done
  echo "${value:-${2-}}"
}

# The variables that .env.example knows, also those it only shows.
known_variables() {
  sed -n 's/^\(# \)\{0,1\}\([A-Z][A-Z_]*\)=.*$/\2/p' "$root/.env.example"
}

# An empty variable means the same as none.
drop_empty_variables() {
  local key
  while read -r key; do
    [[ ! -v $key || -n ${!key} ]] || unset "$key"
  done < <(known_variables)
}

# set_in_env_file KEY VALUE [FROM]: puts the line into .env, in the place of one with that key; .env is otherwise as it was,
# or as FROM. Complete or not there at all, and from the first moment readable for its owner only.
set_in_env_file() {
  local key=$1 value=$2 from=${3-$env_file} line found=''
  (
    umask 077
    while IFS= read -r line || [[ -n $line ]]; do
      if [[ -z $found && $line =~ ^(#\ )?$key= ]]; then
        line=$key=$value found=yes
      fi
      printf '%s\n' "$line"
    done <"$from" >"$root/run/env.new"
    [[ -n $found ]] || printf '%s=%s\n' "$key" "$value" >>"$root/run/env.new"
  )
  mv "$root/run/env.new" "$env_file"
}

random_hex() {
  head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

write_env_file() {
  if [[ -e $env_file ]]; then
    say '.env is there and stays as it is'
    [[ $(stat -c %a "$env_file") == *00 ]] || say "note: others can read .env, which holds a secret: chmod 600 $(printf %q "$env_file")"
  else
    set_in_env_file JWT_SECRET "$(random_hex 32)" "$root/.env.example"
    say 'wrote .env from .env.example with a fresh JWT_SECRET; mode 0600'
  fi
}

# Changes when the program, .env or a variable of the environment that wins over it does. No value can be read from it.
configuration_digest() {
  {
    cat "$binary" "$env_file"
    env | grep -E "^($(known_variables | paste -sd '|'))=" | sort || true
  } | sha256sum | cut -d' ' -f1
}

state() {
  [[ -r $state_file ]] && sed -n "s/^$1=//p" "$state_file"
}

# Where this machine reaches the port.
base_url() {
  local host
  host=$(configured HTTP_HOST 127.0.0.1)
  case $host in
    0.0.0.0 | '::') host=127.0.0.1 ;;
    *:*) host="[$host]" ;;
  esac
  echo "http://$host:$1"
}

# ---------------------------------------------------------------------------------------------------- the process

# The program itself, with the server's settings; what it asks is on this machine, never behind a proxy.
switchyard() {
  (cd "$root" && no_proxy='*' "$binary" --env-file "$env_file" "$@")
}

# True if process $1 is this folder's server. After a build its file is a new one and the kernel calls the old deleted.
is_our_server() {
  local executable
  if executable=$(readlink "/proc/$1/exe" 2>/dev/null); then
    [[ $executable == "$binary" || $executable == "$binary (deleted)" ]]
  else
    # Another user's: only its command line can be read, and a process that has ended has none.
    [[ -r /proc/$1/cmdline && $(tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null) == "$binary "* ]]
  fi
}

# Sets REPLY to the running server's process id; false if it is not running.
running_server() {
  REPLY=$(cat "$pid_file" 2>/dev/null) || REPLY=''
  [[ $REPLY =~ ^[0-9]+$ ]] && is_our_server "$REPLY"
}

start_server() {
  failed_log_skip=0
  if [[ -f $server_log ]]; then
    failed_log_skip=$(stat -c %s "$server_log")
    if ((failed_log_skip > 64 * 1024 * 1024)); then
      mv -f "$server_log" "$server_log.1"
      failed_log_skip=0
    fi
  fi
  umask 077
  printf 'digest=%s\nurl=%s\n' "$(configuration_digest)" "$(base_url "$(configured HTTP_PORT)")" >"$state_file"
  # A session of its own, so that closing the terminal or Ctrl-C does not reach it.
  (cd "$root" && exec setsid nohup "$binary" --env-file "$env_file" serve >>"$server_log" 2>&1 </dev/null 9>&-) &
  REPLY=$!
  echo "$REPLY" >"$pid_file"
}

# await_health PROCESS BEGAN_MS: waits until the server answers as healthy; fails as soon as it has ended.
await_health() {
  local pid=$1 began=$2 url deadline=$((SECONDS + 30)) status=0
  url=$(state url)
  failed_command="$binary --env-file $env_file serve" failed_log=$server_log
  until is_healthy "$url"; do
    if ! kill -0 "$pid" 2>/dev/null; then
      wait "$pid" || status=$?
      fail "the server ended while it was starting, with status $status" \
        "its last lines, above, say why, most often a value in .env; then run ./$program again" \
        "to see it in the foreground: cd $(printf %q "$root") && build/release/bin/switchyard --env-file .env serve"
    fi
    ((SECONDS < deadline)) || fail "the server did not become healthy within 30 s; its last answer: ${health_answer:-none}" \
      "./$program logs shows more; then run ./$program again"
    sleep 0.05
  done
  elapsed_since "$began"
  say "healthy after $REPLY: $url/auth/health and $url/transaction/health" "process $pid, in the background"
  failed_command='' failed_log=''
}

curl_options=(--noproxy '*' -sS)

# True if both services say so; leaves the last answer in health_answer.
is_healthy() {
  local path
  for path in /auth/health /transaction/health; do
    health_answer=$(curl "${curl_options[@]}" --max-time 5 "$1$path" 2>/dev/null) &&
      [[ $health_answer =~ \"status\":\ ?\"pass\" ]] || return 1
  done
}

# seconds_of KEY DEFAULT: also where the setting is none.
seconds_of() {
  configured "$1" | grep -xE '[0-9]{1,6}' || echo "$2"
}

# Ends the server; false if it still runs after its times to drain (at most three times, WebService) and to finish, and ten seconds more.
stop_server() {
  local pid=$1 deadline=$((SECONDS + 3 * $(seconds_of DRAIN_SECONDS 0) + $(seconds_of SHUTDOWN_SECONDS 10) + 10))
  kill -TERM "$pid" 2>/dev/null || true
  while is_our_server "$pid"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
  rm -f "$pid_file" "$state_file"
}

# check_before_start [PROCESS]: settings and ports, as the program itself sees them, before the process that runs is stopped.
check_before_start() {
  local found what remedy
  if found=$(switchyard doctor --before-start ${1:+--replacing "$1"} 2>&1); then
    awk '{ sub(/^ok */, "   "); print }' <<<"$found"
    return
  fi
  what=$(sed -n 's/^WRONG *[a-z]* *//p' <<<"$found" | head -n 1)
  remedy=$(sed -n 's/^ *-> //p' <<<"$found" | head -n 1)
  fail "${what:-${found#switchyard: }}" ${remedy:+"$remedy"} "settings are read from the environment, else from $env_file" \
    "then run ./$program again${1:+; process $1 goes on as it was}"
}

# ---------------------------------------------------------------------------------------------------------- steps

# require_free_port NAME PORT: for where there is no `switchyard doctor`, which knows more.
require_free_port() {
  local holder
  if [[ ! $2 =~ ^[1-9][0-9]{0,4}$ ]]; then
    fail "$1 is \"$2\", which is no port" "set it to a number from 1 to 65535, for example $1=8081 ./$program"
  elif (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then
    holder=$(ss -Hltnp "sport = :$2" 2>/dev/null | sed -n 's/.*users:((\(.*\)))/\1/p' | head -n 1) || true
    fail "$1 $2 is in use${holder:+ by $holder}" \
      "end that program, or take another port, for example $1=8081, in the environment or in .env"
  fi
  say "$1 $2: free"
}

check_system() {
  local path disk_mib
  disk_mib=$(df -Pm "$root" | awk 'NR == 2 { print $4 }')
  say "$system_name, $(nproc) core(s), $(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB of memory, $disk_mib MiB free on the disk"
  for path in "$root" "$root"/{build,build/release,run,data} "$root"/run/* "$env_file"; do
    if [[ -e $path && ! -w $path ]]; then
      fail "$path is not writable for $(id -un)" "it belongs to $(stat -c %U "$path"): run ./$program as that user, or: sudo chown -R $(id -un) $(printf %q "$root")"
    fi
  done
  if [[ ! -x $binary ]]; then
    [[ ! $disk_mib =~ ^[0-9]+$ ]] || ((disk_mib >= 2048)) ||
      fail "too little disk: packages and build take about 2 GiB and $disk_mib MiB are free" "make room on the disk of $root"
    # Before the build, which takes minutes; after it, `switchyard doctor` looks.
    require_free_port HTTP_PORT "$(configured HTTP_PORT)"
    require_free_port METRICS_PORT "$(configured METRICS_PORT)"
  fi
}

install_build_packages() {
  local names
  read -r -d '' -a names < <(build_packages) || true
  install_packages 'to build Switchyard' "${names[@]}"
}

name_the_host() {
  local line='127.0.0.1 platform' existing
  existing=$(awk '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) if ($i == "platform") { print $1; exit } }' /etc/hosts 2>/dev/null) || true
  # A file that does not end in a line feed would have its last line continued.
  [[ -z $(tail -c 1 /etc/hosts 2>/dev/null) ]] || line=$'\n'$line
  if [[ $existing == 127.* || $existing == ::1 ]]; then
    say "/etc/hosts has platform as $existing"
  elif [[ -n $existing ]]; then
    say "/etc/hosts has platform as $existing, which is left alone; use 127.0.0.1 instead of the name"
  elif as_root -n tee -a /etc/hosts <<<"$line" >/dev/null 2>&1; then
    say "added \"${line#$'\n'}\" to /etc/hosts"
  else
    say "/etc/hosts may not be changed here. To use the name platform as in the examples, as root:" \
      "  echo '${line#$'\n'}' >>/etc/hosts" 'everything works without it, as 127.0.0.1'
  fi
}

start_or_keep() {
  local began pid
  now_ms
  began=$REPLY
  # Transactions and logs are for their owner only.
  (umask 077 && mkdir -p "$root/data")
  if running_server; then
    pid=$REPLY
    if [[ $(configuration_digest) == "$(state digest)" ]]; then
      say "process $pid runs this program with this configuration and is left alone"
      await_health "$pid" "$began"
      return
    fi
    say "the program or its configuration has changed: restarting process $pid"
    check_before_start "$pid"
    stop_server "$pid" || fail "process $pid did not end" "look at it with ./$program logs; kill -9 $pid loses nothing that was acknowledged"
  else
    check_before_start
  fi
  now_ms
  began=$REPLY
  start_server
  await_health "$REPLY" "$began"
}

make_one_payment() {
  local status=0
  switchyard demo --log "$server_log" 2>&1 | sed -u 's/^./   &/' || status=$?
  # 3: no demo user is here, which it has said.
  [[ $status == 0 || $status == 3 ]] ||
    fail 'the example payment was not made' "its last line, above, says why; ./$program logs shows the server's side"
}

show_summary() {
  local url run name prefix=''
  url=$(state url)
  for name in HTTP_PORT METRICS_PORT DATABASE_URL; do
    [[ -z ${!name-} ]] || prefix+="$name=${!name} "
  done
  run="${prefix}build/release/bin/switchyard --env-file .env"
  cat <<TEXT
${bold}Switchyard is running.${plain}

   token          POST $url/auth/token
   transactions   POST $url/transaction/transaction
   health         $url/auth/health  $url/transaction/health
   API document   $url/transaction/openapi.json
   metrics        $(base_url "$(configured METRICS_PORT)")/metrics

   log            run/switchyard.log      ./setup.sh logs
   data           $(configured DATABASE_URL)
   configuration  .env                    then ./setup.sh, which restarts it if needed
   stop           ./setup.sh stop         state: ./setup.sh status

Next, in $root:
   $run doctor
   $run demo
   $run transaction create --user alice --amount 2500 --currency EUR
   $run transaction list --user alice
   $run user add mary
TEXT
}

begin() {
  trap 'on_error "$LINENO" "$BASH_COMMAND"' ERR
  now_ms
  setup_began_ms=$REPLY
  drop_empty_variables
}

lock_folder() {
  (umask 077 && mkdir -p "$log_dir")
  exec 9>"$root/run/setup.lock"
  flock -n 9 || fail 'another ./setup.sh is at work in this folder' 'wait until it has finished'
}

finish() {
  elapsed_since "$setup_began_ms"
  printf '\nDone in %s.\n' "$REPLY"
}

set_up() {
  begin
  require_supported_system
  step 'System'
  check_system
  lock_folder
  step 'Packages'
  install_build_packages
  step 'Build'
  build release switchyard auth-api core-api psp-connector psp-simulator
  step 'Configuration'
  write_env_file
  step 'Host name'
  name_the_host
  step 'Server'
  start_or_keep
  step 'One payment'
  make_one_payment
  end_step
  show_summary
  finish
}

# ------------------------------------------------------------------------------------------------------- commands

# The commands below judge by files that another user may have kept to himself.
require_readable_state() {
  local path
  for path in "$root/run" "$pid_file" "$state_file" "$server_log"; do
    if [[ -e $path && ! -r $path ]]; then
      echo "setup.sh: $path belongs to $(stat -c %U "$path"): run ./setup.sh $1 as that user or with sudo" >&2
      exit 1
    fi
  done
}

show_status() {
  local url
  if ! running_server; then
    echo 'Switchyard is not running. Start it with ./setup.sh'
    return 3
  fi
  url=$(state url)
  echo "Switchyard is running: process $REPLY, since $(ps -o lstart= -p "$REPLY" 2>/dev/null || stat -c %y "$pid_file")"
  printf '   %-8s %s\n' address "$url" log run/switchyard.log
  if ! is_healthy "$url"; then
    echo "   health   not healthy: ${health_answer:-no answer}"
    return 1
  fi
  echo '   health   pass'
}

stop_command() {
  local pid
  if ! running_server; then
    rm -f "$pid_file" "$state_file"
    echo 'Switchyard is not running.'
    return
  fi
  pid=$REPLY
  if ! kill -0 "$pid" 2>/dev/null; then
    echo "setup.sh: process $pid belongs to $(stat -c %U "/proc/$pid"): run ./setup.sh stop as that user or with sudo" >&2
    return 1
  fi
  echo "Stopping process $pid; it finishes what it has accepted."
  if ! stop_server "$pid"; then
    echo "setup.sh: process $pid is still running; ./setup.sh logs shows its log. kill -9 $pid ends it at once and loses nothing that was acknowledged" >&2
    return 1
  fi
  echo 'Switchyard has stopped.'
}

logs_command() {
  if [[ ! -f $server_log ]]; then
    echo "There is no log yet: $server_log is written when ./setup.sh starts the server." >&2
    return 1
  fi
  (($#)) || set -- -n 40 -F
  exec tail "$@" "$server_log"
}

refuse() {
  printf 'setup.sh: this is not understood: %s\n\n' "$*" >&2
  usage >&2
  exit 2
}

main() {
  local command=${1-}
  [[ $command == logs || $command == docker || $# -le 1 ]] || refuse "$*"
  case $command in
    '') set_up ;;
    status) require_readable_state status && show_status ;;
    stop) require_readable_state stop && stop_command ;;
    logs) require_readable_state logs && logs_command "${@:2}" ;;
    docker) docker_main "${@:2}" ;;
    help | -h | --help) usage ;;
    *) refuse "$command" ;;
  esac
}

main "$@"
