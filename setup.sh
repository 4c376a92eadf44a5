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
# What the server was started with: the ports, and a digest of the program and its configuration.
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

# configured KEY: the value the server will see, from the environment, else .env, else .env.example.
configured() {
  local key=$1 file value
  if [[ -n ${!key-} ]]; then
    echo "${!key}"
    return
  fi
  for file in "$env_file" "$root/.env.example"; do
    [[ -r $file ]] || continue
    value=$(sed -n "s/^[[:space:]]*${key}[[:space:]]*=[[:space:]]*//p" "$file" | head -n 1)
    if [[ -n $value ]]; then
      value=${value%"${value##*[![:space:]]}"}
      if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then
        value=${BASH_REMATCH[1]}
      fi
      echo "$value"
      return
    fi
  done
}

# The variables that .env.example knows, also those it only shows.
known_variables() {
  sed -n 's/^\(# \)\{0,1\}\([A-Z][A-Z_]*\)=.*$/\2/p' "$root/.env.example"
}

# An empty variable means the same as none.
drop_empty_variables() {
  local key
  while read -r key; do
    if [[ -v $key && -z ${!key} ]]; then
      unset "$key"
    fi
  done < <(known_variables)
}

# Changes when the program, .env or a variable of the environment that wins over it does. No value can be read from it.
configuration_digest() {
  local key
  {
    sha256sum <"$binary"
    cat "$env_file"
    while read -r key; do
      [[ ! -v $key ]] || printf '%s=%s\n' "$key" "${!key}"
    done < <(known_variables)
  } | sha256sum | cut -d' ' -f1
}

state() {
  [[ -r $state_file ]] && sed -n "s/^$1=//p" "$state_file"
}

# Where this machine reaches the server, given the port.
base_url() {
  local host
  host=$(configured HTTP_HOST)
  case $host in
    '' | 0.0.0.0 | '::') host=127.0.0.1 ;;
    *:*) host="[$host]" ;;
  esac
  echo "http://$host:$1"
}

# ---------------------------------------------------------------------------------------------------- the process

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
  REPLY=''
  [[ -r $pid_file ]] || return 1
  local pid
  pid=$(<"$pid_file")
  [[ $pid =~ ^[0-9]+$ ]] && is_our_server "$pid" || return 1
  REPLY=$pid
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
  failed_command="$binary --env-file $env_file serve" failed_log=$server_log
  rm -f "$pid_file" "$state_file"
  umask 077
  # A session of its own, so that closing the terminal or Ctrl-C does not reach it; the shell writes down its id and
  # becomes the server.
  # shellcheck disable=SC2016
  setsid nohup bash -c 'cd "$1" && echo $$ >"$2" && exec "${@:3}"' start "$root" "$pid_file" \
    "$binary" --env-file "$env_file" serve >>"$server_log" 2>&1 </dev/null 9>&- &
  started_child=$!
  {
    printf 'digest=%s\n' "$(configuration_digest)"
    printf 'http_port=%s\n' "$http_port"
    printf 'metrics_port=%s\n' "$metrics_port"
    printf 'url=%s\n' "$(base_url "$http_port")"
  } >"$state_file"
}

# await_health BEGAN_MS: waits until the server answers as healthy; fails as soon as it has ended.
await_health() {
  local url deadline=$((SECONDS + 30)) started=''
  url=$(base_url "$http_port")
  failed_log=$server_log
  until running_server && is_healthy "$url"; do
    if [[ -n $REPLY ]]; then
      started=yes
    elif [[ -n $started || $((deadline - SECONDS)) -lt 25 ]]; then
      describe_exit
      fail "the server ended while it was starting, $REPLY" \
        "its last lines, above, say why, most often a value in .env; then run ./$program again" \
        "to see it in the foreground: cd $(printf %q "$root") && build/release/bin/switchyard --env-file .env serve"
    fi
    ((SECONDS < deadline)) || fail "the server did not become healthy within 30 s; its last answer: ${health_answer:-none}" \
      "./$program logs shows more; then run ./$program again"
    sleep 0.05
  done
  elapsed_since "$1"
  say "healthy after $REPLY: $url/auth/health and $url/transaction/health"
  failed_command='' failed_log=''
}

# Sets REPLY to how the server that this script started has ended.
describe_exit() {
  local status=0
  wait "$started_child" || status=$?
  if ((status > 128)); then
    REPLY="by signal $(kill -l "$status")"
  else
    REPLY="with exit code $status"
  fi
}

# True if both services say so; leaves the last answer in health_answer.
is_healthy() {
  local path
  for path in /auth/health /transaction/health; do
    health_answer=$(http_get "$1$path") && [[ $health_answer =~ \"status\":\ ?\"pass\" ]] || return 1
  done
}

# Ends the server; false if it still runs after its times to drain (at most three times, WebService) and to finish, and ten seconds more.
stop_server() {
  local pid=$1 drain seconds deadline
  drain=$(configured DRAIN_SECONDS)
  [[ $drain =~ ^[0-9]+$ ]] || drain=0
  seconds=$(configured SHUTDOWN_SECONDS)
  [[ $seconds =~ ^[0-9]+$ ]] || seconds=10
  deadline=$((SECONDS + 3 * drain + seconds + 10))
  kill -TERM "$pid" 2>/dev/null || true
  while is_our_server "$pid"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
  rm -f "$pid_file" "$state_file"
}

curl_options=(--noproxy '*' -sS)

# http_get URL [CURL OPTION...]
http_get() {
  curl "${curl_options[@]}" --max-time 5 "$@" 2>/dev/null
}

# ---------------------------------------------------------------------------------------------------------- ports

# True if something listens on TCP port $1, on any address; sets REPLY to "process 12 (nginx)" where that can be seen,
# else to whose it is.
port_holder() {
  local hex uid='' inode='' pid='' link
  printf -v hex ':%04X' "$1"
  REPLY=''
  # The columns of /proc/net/tcp: 2 local address, 4 state (0A: listening), 8 user, 10 inode.
  read -r uid inode < <(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { print $8, $10; exit }') || true
  [[ -n $inode ]] || return 1
  link=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null || true)
  if [[ $link =~ ^/proc/([0-9]+)/ ]]; then
    pid=${BASH_REMATCH[1]}
    REPLY="process $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-80 | sed 's/ *$//'))"
  else
    REPLY="a process of user $(id -nu "$uid" 2>/dev/null || echo "$uid")"
  fi
}

free_port_after() {
  local port=$1
  while port=$((port + 1)) && ((port < 65535)) && port_holder "$port"; do :; done
  echo "$port"
}

check_port() {
  local name=$1 port=$2 other
  if [[ ! $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
    fail "$name is \"$port\", which is no port" "set it to a number from 1 to 65535, for example $name=8081 ./$program"
  fi
  if [[ -n ${ours-} && ($port == "$(state http_port)" || $port == "$(state metrics_port)") ]]; then
    say "$name $port: held by the server that ./$program started (process $ours)"
  elif port_holder "$port"; then
    other=$(free_port_after "$port")
    fail "$name $port is in use by $REPLY" \
      "end that program, or take another port: $name=$other ./$program (or $name=$other in .env)"
  else
    say "$name $port: free"
  fi
}

# ---------------------------------------------------------------------------------------------------------- steps

check_system() {
  local path memory_mib disk_mib
  memory_mib=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
  memory_mib=$((memory_mib / 1024))
  disk_mib=$(df -Pm "$root" | awk 'NR == 2 { print $4 }')
  say "$system_name, $(nproc) core(s), $memory_mib MiB of memory, $disk_mib MiB free on the disk"
  if [[ ! -x $binary && $disk_mib =~ ^[0-9]+$ ]] && ((disk_mib < 2048)); then
    fail "too little disk: packages and build take about 2 GiB and $disk_mib MiB are free" "make room on the disk of $root"
  fi
  for path in "$root" "$root"/{build,build/release,run,data} "$root"/run/* "$env_file"; do
    if [[ -e $path && ! -w $path ]]; then
      fail "$path is not writable for $(id -un)" "it belongs to $(stat -c %U "$path"): run ./$program as that user, or: sudo chown -R $(id -un) $(printf %q "$root")"
    fi
  done
}

check_ports() {
  http_port=$(configured HTTP_PORT)
  metrics_port=$(configured METRICS_PORT)
  ours=''
  if running_server; then
    ours=$REPLY
  fi
  if [[ $http_port == "$metrics_port" ]]; then
    fail "HTTP_PORT and METRICS_PORT are both $http_port" "give one of them another value, for example METRICS_PORT=9464 ./$program"
  fi
  check_port HTTP_PORT "$http_port"
  check_port METRICS_PORT "$metrics_port"
}

install_build_packages() {
  local names
  read -r -d '' -a names < <(build_packages) || true
  install_packages 'to build Switchyard' "${names[@]}"
}

build_programs() {
  build release switchyard auth-api core-api psp-connector psp-simulator
}

random_hex() {
  head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

write_env_file() {
  local secret
  if [[ ! -e $env_file ]]; then
    secret=$(random_hex 32)
    # Complete or not there at all, and from the first moment readable for its owner only.
    (
      umask 077
      while IFS= read -r line; do
        [[ $line == JWT_SECRET= ]] && line=JWT_SECRET=$secret
        printf '%s\n' "$line"
      done <"$root/.env.example" >"$root/run/env.new"
    )
    mv "$root/run/env.new" "$env_file"
    say "wrote .env from .env.example with a fresh JWT_SECRET; mode 0600"
    return
  fi
  say '.env is there and stays as it is'
  if [[ -z ${JWT_SECRET-} ]] && ! grep -qE '^[[:space:]]*JWT_SECRET[[:space:]]*=[[:space:]]*[^[:space:]]' "$env_file"; then
    fail '.env has no JWT_SECRET, and the server does not start without one' \
      "put one after JWT_SECRET= in $env_file; this makes one: head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \\n'"
  fi
  if [[ $(stat -c %a "$env_file") != *00 ]]; then
    say "note: others can read .env, which holds a secret: chmod 600 $env_file"
  fi
}

name_the_host() {
  local line='127.0.0.1 platform' existing
  existing=$(awk '{ sub(/#.*/, ""); for (i = 2; i <= NF; i++) if ($i == "platform") { print $1; exit } }' /etc/hosts 2>/dev/null || true)
  if [[ $existing == 127.* || $existing == ::1 ]]; then
    say "/etc/hosts has platform as $existing"
  elif [[ -n $existing ]]; then
    say "/etc/hosts has platform as $existing, which is left alone; use 127.0.0.1 instead of the name"
  elif add_to_hosts "$line"; then
    say "added \"$line\" to /etc/hosts"
  else
    say "/etc/hosts may not be changed here. To use the name platform as in the examples, as root:" \
      "  echo '$line' >>/etc/hosts" 'everything works without it, as 127.0.0.1'
  fi
}

add_to_hosts() {
  # A file that does not end in a line feed would have its last line continued.
  local text=$1
  [[ -z $(tail -c 1 /etc/hosts 2>/dev/null) ]] || text=$'\n'$text
  if ((EUID == 0)); then
    { printf '%s\n' "$text" >>/etc/hosts; } 2>/dev/null
  else
    sudo -n true 2>/dev/null && printf '%s\n' "$text" | sudo -n tee -a /etc/hosts >/dev/null 2>&1
  fi
}

# A server that is healthy is not stopped for settings that the next one would refuse.
check_settings() {
  local answer
  answer=$("$binary" --env-file "$env_file" doctor --settings-only 2>&1) && return
  failed_log='' failed_command="$binary --env-file $env_file doctor --settings-only"
  fail "these settings are refused: $(sed -n 's/^WRONG *configuration *//p' <<<"$answer" | head -n 1)" \
    "correct it in the environment or in $env_file and run ./$program again; $1"
}

start_or_keep() {
  local began
  now_ms
  began=$REPLY
  # Transactions and logs are for their owner only.
  (umask 077 && mkdir -p "$root/run" "$root/data")
  if running_server; then
    if [[ $(configuration_digest) == "$(state digest)" ]]; then
      say "process $REPLY runs this program with this configuration and is left alone"
      await_health "$began"
      return
    fi
    say "the program or its configuration has changed: restarting process $REPLY"
    check_settings "process $REPLY goes on as it was"
    stop_server "$REPLY" || fail "process $REPLY did not end" "look at it with ./$program logs; kill -9 $REPLY loses nothing that was acknowledged"
    now_ms
    began=$REPLY
  fi
  start_server
  await_health "$began"
  running_server && say "process $REPLY, in the background"
}

# Shows a command and its reply the way one would type and see them, with tokens shortened.
show_exchange() {
  local command=$1 status=$2 body=$3 token=${4-}
  if [[ -n $token ]]; then
    command=${command//"$token"/"${token:0:20}...${token: -8}"}
    body=${body//"$token"/"${token:0:20}...${token: -8}"}
  fi
  say "\$ $command" "  $status $body" ''
}

# post URL BODY [HEADER]: sets http_status and http_body, and http_command for people.
post() {
  local url=$1 body=$2 header=${3-} answer
  http_command="curl -X POST $url -H 'Content-Type: application/json'"
  [[ -z $header ]] || http_command+=" -H '$header'"
  http_command+=" -d '$body'"
  # A token is a secret as long as it is valid.
  failed_command=${http_command/\"token\":\"*/\"token\":\"...\"\}\'} failed_log=$server_log
  answer=$(curl "${curl_options[@]}" --max-time 10 -X POST "$url" -H 'Content-Type: application/json' \
    ${header:+-H "$header"} -d "$body" -w '\n%{http_code}') ||
    fail 'the server did not answer' "./$program status and ./$program logs show how it is"
  http_status=${answer##*$'\n'}
  http_body=${answer%$'\n'*}
}

# make_one_payment URL SHOW_LOG: SHOW_LOG is called with the transaction's id.
make_one_payment() {
  local url=$1 show_log=$2 token='' id='' state='' deadline
  if [[ $(configured SWITCHYARD_ENV) == production ]]; then
    say 'SWITCHYARD_ENV=production has no demo users; the commands below add one and make a payment'
    return
  fi
  post "$url/auth/token" '{"username":"alice","password":"password"}'
  if [[ $http_status == 401 ]]; then
    show_exchange "$http_command" "$http_status" "$http_body"
    say 'the demo user alice is not in this store, or has another password: no example payment is made'
    failed_command='' failed_log=''
    return
  fi
  [[ $http_body =~ \"token\":\ ?\"([^\"]+)\" ]] && token=${BASH_REMATCH[1]}
  show_exchange "$http_command" "$http_status" "$http_body" "$token"
  [[ $http_status == 200 && -n $token ]] || fail 'alice got no token' "the reply is above; ./$program logs shows the server's side"

  post "$url/transaction/transaction" "{\"amount\":100,\"currency\":\"USD\",\"token\":\"$token\"}" \
    "Idempotency-Key: setup-$(</proc/sys/kernel/random/uuid)"
  show_exchange "$http_command" "$http_status" "$http_body" "$token"
  [[ $http_body =~ \"id\":\ ?\"([0-9a-f-]{36})\" ]] && id=${BASH_REMATCH[1]}
  [[ $http_status == 200 && -n $id ]] || fail 'the transaction was not accepted' "the reply is above; ./$program logs shows the server's side"

  deadline=$((SECONDS + 15))
  while [[ $state != captured ]]; do
    ((SECONDS < deadline)) || fail "the transaction is ${state:-not to be seen} after 15 s, not captured" "./$program logs shows what the connector did"
    case $state in
      declined | failed) fail "the transaction ended as $state" "./$program logs shows why" ;;
    esac
    [[ $(http_get "$url/transaction/transaction/$id" -H "Authorization: Bearer $token") =~ \"status\":\ ?\"([a-z_]+)\" ]] &&
      state=${BASH_REMATCH[1]}
    [[ $state == captured ]] || sleep 0.05
  done
  say "the transaction is captured; the connector's lines about it:"
  "$show_log" "$id"
  failed_command='' failed_log=''
}

# The lines with the transaction's id and what the connector says between and right after them without naming it.
related_lines() {
  awk -v id="$1" '
    index($0, id) { print; related = 1; next }
    related && /==> Making transaction|Result is kept/ { print }
    /Result is kept/ { related = 0 }'
}

# What the log says since log_bytes.
show_connector_log() {
  local id=$1 deadline=$((SECONDS + 3)) last_line='Result is kept' lines=''
  [[ $(configured LOG_FORMAT) == text ]] || last_line=$id
  while ((SECONDS < deadline)) && [[ $lines != *"$last_line"* ]]; do
    lines=$(tail -c "+$((log_bytes + 1))" "$server_log" | related_lines "$id")
    sleep 0.05
  done
  if [[ -n $lines ]]; then
    say "  ${lines//$'\n'/$'\n     '}"
  else
    say "  (none in $server_log: LOG_LEVEL is $(configured LOG_LEVEL))"
  fi
}

show_summary() {
  local url run name prefix=''
  url=$(base_url "$http_port")
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
   metrics        $(base_url "$metrics_port")/metrics

   log            run/switchyard.log      ./setup.sh logs
   data           $(configured DATABASE_URL)
   configuration  .env                    then ./setup.sh, which restarts it if needed
   stop           ./setup.sh stop         state: ./setup.sh status

Next, in $root:
   $run doctor
   $run transaction create --user alice --amount 2500 --currency EUR
   $run transaction list --user alice
   $run user add mary
   $run token mary
TEXT
}

set_up() {
  local began
  trap 'on_error "$LINENO" "$BASH_COMMAND"' ERR
  now_ms
  began=$REPLY
  drop_empty_variables
  require_supported_system
  step 'System'
  check_system
  (umask 077 && mkdir -p "$root/run")
  exec 9>"$root/run/setup.lock"
  flock -n 9 || fail 'another ./setup.sh is at work in this folder' 'wait until it has finished'
  step 'Ports'
  check_ports
  step 'Packages'
  install_build_packages
  step 'Build'
  build_programs
  step 'Configuration'
  write_env_file
  step 'Host name'
  name_the_host
  step 'Server'
  start_or_keep
  step 'One payment'
  log_bytes=$(stat -c %s "$server_log")
  make_one_payment "$(base_url "$http_port")" show_connector_log
  end_step
  show_summary
  elapsed_since "$began"
  printf '\nDone in %s.\n' "$REPLY"
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
  echo "   address  $url"
  echo '   log      run/switchyard.log'
  if is_healthy "$url"; then
    echo '   health   pass'
  else
    echo "   health   not healthy: ${health_answer:-no answer}"
    return 1
  fi
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
  if stop_server "$pid"; then
    echo 'Switchyard has stopped.'
  else
    echo "setup.sh: process $pid is still running; ./setup.sh logs shows its log. kill -9 $pid ends it at once and loses nothing that was acknowledged" >&2
    return 1
  fi
}

logs_command() {
  if [[ ! -f $server_log ]]; then
    echo "There is no log yet: $server_log is written when ./setup.sh starts the server." >&2
    return 1
  fi
  if (($# == 0)); then
    exec tail -n 40 -F "$server_log"
  elif [[ $# == 2 && $1 == -n && $2 =~ ^[0-9]+$ ]]; then
    exec tail -n "$2" "$server_log"
  fi
  refuse "logs $*"
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
    status | stop | logs) require_readable_state "$command" ;;
  esac
  case $command in
    '') set_up ;;
    status) show_status ;;
    stop) stop_command ;;
    logs) logs_command "${@:2}" ;;
    docker) docker_main "${@:2}" ;;
    help | -h | --help) usage ;;
    *) refuse "$command" ;;
  esac
}

main "$@"
