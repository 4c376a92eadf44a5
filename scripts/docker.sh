# `./setup.sh docker`: Switchyard in containers, over PostgreSQL and Redis, behind Traefik.
# Sourced by setup.sh, whose functions about .env, the name platform and the example payment it uses.
# shellcheck shell=bash disable=SC2154,SC2034

# How this user calls Docker and Compose: with sudo where his membership of the group docker does not count yet.
docker_command=(docker)
compose_command=()
router_url=''
daemon_log=$root/run/log/dockerd.log

docker_usage() {
  cat <<'TEXT'
usage: ./setup.sh docker [COMMAND]

Without a command: installs Docker and Compose where they are missing, starts the engine where nothing else does, writes
.env, builds the images, starts everything, waits until it is healthy and makes one payment through the router.
What is there already is left alone, so it may be run again at any time.

options:
  --offline      make the base images on this machine instead of loading them from a registry: deploy/offline
  --tls          serve HTTPS, too, with a certificate made for this machine: run/certificates

commands:
  upgrade        builds the images and replaces the containers, auth-api and core-api one after another: no request fails.
                 For a new version, and for a changed .env
  status         the containers and how they are         exit: 0 all healthy, 1 not
  logs           shows the services' logs and follows them
  down           stops and removes the containers; the data stays
  down --purge   removes the data, too: every transaction is gone
  help           this text
TEXT
}

# What is done by hand on a Mac; needs nothing but the shell that a Mac has.
mac_steps() {
  cat <<'TEXT'
setup.sh: this is a Mac, where Switchyard runs in containers. By hand:

   1. Install Docker Desktop (https://docs.docker.com/desktop/install/mac-install/), or colima and docker-compose; start it.
   2. cp .env.example .env
      In .env: JWT_SECRET=...         from: openssl rand -hex 32
               POSTGRES_PASSWORD=...  from: openssl rand -hex 16
   3. echo '127.0.0.1 platform' | sudo tee -a /etc/hosts
   4. compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }
      compose up --build --detach
   5. curl -X POST http://platform/auth/token -H 'Content-Type: application/json' \
        -d '{"username":"alice","password":"password"}'

   The end: compose down
TEXT
}

run_docker() {
  "${docker_command[@]}" "$@"
}

run_compose() {
  (cd "$root" && "${compose_command[@]}" "$@")
}

# ---------------------------------------------------------------------------------------------------------- Docker

# BuildKit, which newer engines build with, and Compose are packages of their own.
docker_packages() {
  command -v docker >/dev/null || echo docker.io
  if ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
    is_installable docker-compose-v2 && echo docker-compose-v2 || echo docker-compose
  fi
  docker buildx version >/dev/null 2>&1 || ! is_installable docker-buildx || echo docker-buildx
  command -v curl >/dev/null || echo curl ca-certificates
}

install_docker() {
  local names
  command -v docker >/dev/null || is_installable docker.io || refresh_package_lists
  read -r -d '' -a names < <(docker_packages) || true
  ((${#names[@]} == 0)) || install_packages 'to run containers' "${names[@]}"
  hash -r
}

# Sets docker_command to what reaches an engine; false if nothing does. sudo asks for no password here.
find_engine() {
  if docker info >/dev/null 2>&1; then
    docker_command=(docker)
  elif ((EUID != 0)) && sudo -n docker info >/dev/null 2>&1; then
    docker_command=(sudo docker)
  else
    return 1
  fi
}

start_engine() {
  local deadline=$((SECONDS + 60))
  if find_engine; then
    return
  fi
  may_be_root || fail 'no Docker engine answers, and this user may not start one' 'as root: systemctl start docker'
  if [[ -d /run/systemd/system ]]; then
    as_root systemctl start docker || fail 'systemd could not start Docker' 'systemctl status docker shows why'
  else
    mkdir -p "${daemon_log%/*}"
    say 'no init system here: starting dockerd in the background'
    failed_command=dockerd failed_log=$daemon_log
    as_root setsid nohup dockerd --pidfile "$root/run/dockerd.pid" >>"$daemon_log" 2>&1 </dev/null 9>&- &
  fi
  until find_engine; do
    ((SECONDS < deadline)) || fail 'the Docker engine does not answer after 60 s' 'the log above says why, where there is one'
    sleep 0.2
  done
  failed_command='' failed_log=''
}

# Ends the engine that this folder's scripts have started, if they have: tests leave nothing running.
stop_engine() {
  local pid
  pid=$(cat "$root/run/dockerd.pid" 2>/dev/null) || return 0
  if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]; then
    as_root kill -TERM "$pid"
  fi
}

join_docker_group() {
  if [[ ${docker_command[0]} == sudo ]]; then
    id -nG "$(id -un)" | tr ' ' '\n' | grep -qx docker || as_root usermod -aG docker "$(id -un)"
    say "$(id -un) is in the group docker, which counts from the next login on; until then, and now: with sudo"
  fi
}

find_compose() {
  if run_docker compose version >/dev/null 2>&1; then
    compose_command=("${docker_command[@]}" compose)
  else
    compose_command=("${docker_command[@]/%docker/docker-compose}")
    command -v docker-compose >/dev/null
  fi
}

prepare_docker() {
  install_docker
  start_engine
  join_docker_group
  find_compose || fail 'Docker is here, but Compose is not' 'install docker-compose-v2 or docker-compose'
  say "engine $(run_docker version --format '{{.Server.Version}}'), compose $(run_compose version --short)"
}

# --------------------------------------------------------------------------------------------------- configuration

write_container_settings() {
  local offline=$1 tls=$2 line
  [[ -n $(configured POSTGRES_PASSWORD) ]] || set_in_env_file POSTGRES_PASSWORD "$(random_hex 16)"
  [[ -n $(configured COMPOSE_PROJECT_NAME) ]] || set_in_env_file COMPOSE_PROJECT_NAME switchyard
  if [[ -n $offline ]]; then
    while read -r line; do
      [[ $line != *=* || $line == '#'* ]] || set_in_env_file "${line%%=*}" "${line#*=}"
    done <"$root/deploy/offline/images.env"
    say '.env names the images that this machine makes itself'
  fi
  if [[ -n $tls ]]; then
    make_certificate
    set_in_env_file ROUTER_TLS true
    set_in_env_file COMPOSE_FILE compose.yaml:deploy/compose/tls.yaml
  fi
}

make_certificate() {
  local folder=$root/run/certificates host
  host=$(configured PLATFORM_HOST platform)
  [[ ! -f $folder/platform.crt ]] || return 0
  command -v openssl >/dev/null || install_packages 'to make a certificate' openssl
  mkdir -p "$folder"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj "/CN=$host" \
    -addext "subjectAltName=DNS:$host,DNS:localhost,IP:127.0.0.1" \
    -keyout "$folder/platform.key" -out "$folder/platform.crt" 2>"$log_dir/certificate.log" ||
    fail 'openssl could not make a certificate' "see $log_dir/certificate.log"
  say "made run/certificates/platform.crt for $host; to trust it: curl --cacert run/certificates/platform.crt ..."
}

# Sets router_url, and has curl find it where its name is not in /etc/hosts.
find_router() {
  local host port
  host=$(configured PLATFORM_HOST platform) port=$(configured ROUTER_HTTP_PORT 80)
  router_url=http://$host$([[ $port == 80 ]] || echo ":$port")
  curl_options+=(--resolve "$host:$port:127.0.0.1")
}

check_router_port() {
  local port holder
  port=$(configured ROUTER_HTTP_PORT 80)
  holder=$(run_docker ps --filter "publish=$port" --filter label=com.docker.compose.service=router --format '{{.Names}}')
  if [[ -n $holder ]]; then
    say "ROUTER_HTTP_PORT $port: held by $holder"
  else
    require_free_port ROUTER_HTTP_PORT "$port"
  fi
}

# ---------------------------------------------------------------------------------------------------------- images

prepare_images() {
  local offline=$1
  if [[ -n $offline ]]; then
    command -v debootstrap >/dev/null || install_packages 'to make base images' debootstrap
    run_logged "$log_dir/offline-images.log" as_root "$root/deploy/offline/make-images.sh" ||
      fail 'a base image could not be made' 'the log says which, and why'
  elif ! run_logged "$log_dir/pull.log" run_compose pull --quiet router postgres redis; then
    fail 'the images of Traefik, PostgreSQL and Redis cannot be loaded' \
      "where no registry can be reached: ./$program docker --offline makes them here"
  fi
  run_logged "$log_dir/images.log" run_compose build ||
    fail 'the images of the services could not be built' "the log says why; ./$program docker goes on where it stopped"
  run_docker images --format '{{.Repository}}  {{.Size}}' 'local/*' | sort | sed 's/^/   /'
}

# ------------------------------------------------------------------------------------------------------ containers

# One line for each container that is not healthy, or not running where it has no health check; true if there is none.
unhealthy_containers() {
  local states
  states=$(describe_containers)
  [[ -n $states ]] && ! grep -vE ' (healthy|running)$' <<<"$states"
}

describe_containers() {
  local ids
  mapfile -t ids < <(run_compose ps -q)
  ((${#ids[@]} == 0)) ||
    run_docker inspect --format '{{.Name}} {{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' \
      "${ids[@]}" | sed 's|^/||'
}

# As many of each as there are: by itself, Compose goes back to one. Sets scale_options.
keep_scale() {
  local service containers
  scale_options=()
  for service in auth-api core-api psp-connector; do
    mapfile -t containers < <(run_compose ps -q "$service")
    ((${#containers[@]} < 2)) || scale_options+=(--scale "$service=${#containers[@]}")
  done
}

# True if PostgreSQL refuses the password that its own container was given: its volume has another one.
is_password_of_another_env_file() {
  local container
  container=$(run_compose ps -q postgres)
  [[ -n $container ]] &&
    run_docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$container" |
    grep -q 'password authentication failed'
}

fail_to_start() {
  if is_password_of_another_env_file; then
    fail 'the database was made with another POSTGRES_PASSWORD than that of .env: a new .env over an old volume' \
      "put the old password into .env; or give the database that of .env, at the prompt of: docker exec -it $(run_compose ps -q postgres | cut -c 1-12) sh -c 'psql --host=/tmp --username=switchyard || psql --username=switchyard', with: \password; or, to lose all data: ./$program docker down --purge"
  fi
  fail "$1" "./$program docker logs shows what they say"
}

start_containers() {
  local deadline=$((SECONDS + 180)) waiting=''
  keep_scale
  run_logged "$log_dir/up.log" run_compose up --detach --remove-orphans "${scale_options[@]}" ||
    fail_to_start 'the containers could not be started'
  until waiting=$(unhealthy_containers); do
    ((SECONDS < deadline)) || fail_to_start "not healthy after three minutes: ${waiting//$'\n'/, }"
    sleep 0.5
  done
  until is_healthy "$router_url"; do
    ((SECONDS < deadline)) || fail "the router does not answer for the services: ${health_answer:-no answer}" "./$program docker logs shows what they say"
    sleep 0.2
  done
  describe_containers | sort | sed 's/^/   /'
  failed_command='' failed_log=''
}

# The router learns of a new container by Docker's events, which it gathers for 2 s, and asks its health each second.
router_learns_s=6

# replace_one CONTAINER SERVICE COUNT: one more container of the service, which has COUNT, and when the router sends it
# requests the old one leaves, after DRAIN_SECONDS. If the new one does not become healthy, the old one stays.
replace_one() {
  local old=$1 service=$2 count=$3 before new deadline=$((SECONDS + 180))
  before=$(run_compose ps -q "$service")
  run_logged "$log_dir/upgrade.log" run_compose up --detach --no-build --no-deps --no-recreate \
    --scale "$service=$((count + 1))" "$service" || fail "there is no new container of $service" 'the old ones still serve'
  new=$(run_compose ps -q "$service" | grep -vxF "$before") || fail "there is no new container of $service" 'the old ones still serve'
  until [[ $(run_docker inspect --format '{{.State.Health.Status}}' "$new") == healthy ]]; do
    if ((SECONDS >= deadline)); then
      run_docker logs --tail 5 "$new" 2>&1 | sed 's/^/   /'
      run_docker rm --force "$new" >/dev/null
      fail "the new $service is not healthy after three minutes: its last lines are above" 'the old ones still serve'
    fi
    sleep 0.5
  done
  sleep "$router_learns_s"
  run_docker stop "$old" >/dev/null
  run_docker rm "$old" >/dev/null
  say "$service: ${new:0:12} in the place of ${old:0:12}"
}

upgrade_containers() {
  local service old containers
  for service in auth-api core-api; do
    mapfile -t containers < <(run_compose ps -q "$service")
    for old in "${containers[@]}"; do
      replace_one "$old" "$service" "${#containers[@]}"
    done
  done
  # The others are asked by nobody from outside; payments wait for them.
  start_containers
}

# ----------------------------------------------------------------------------------------------------- one payment

# ask CURL-OPTION...: sets http_status and http_body.
ask() {
  local answer
  answer=$(curl "${curl_options[@]}" --max-time 10 -w '\n%{http_code}' "$@") ||
    fail 'the router did not answer' "./$program docker status and ./$program docker logs show how it is"
  http_status=${answer##*$'\n'} http_body=${answer%$'\n'*}
}

# As `switchyard demo` makes and shows it, which none of these images has.
make_container_payment() {
  local json='Content-Type: application/json' login='{"username":"alice","password":"password"}' token id='' state=''
  local url=$router_url/transaction/transaction body='{"amount":100,"currency":"USD"}' key deadline=$((SECONDS + 15))
  if [[ $(configured SWITCHYARD_ENV) == production ]]; then
    say 'SWITCHYARD_ENV=production has no demo users: no example payment is made'
    return
  fi
  ask -X POST "$router_url/auth/token" -H "$json" -d "$login"
  token=$(cut -d '"' -f 4 <<<"$http_body")
  say "\$ token=\$(curl -sS -X POST $router_url/auth/token -H '$json' -d '$login' | cut -d '\"' -f 4)" \
    "  $http_status ${http_body/"$token"/"${token:0:20}..."}" ''
  if [[ $http_status == 401 ]]; then
    say 'the demo user alice is not in this store, or has another password: no example payment is made'
    return
  fi
  [[ $http_status == 200 ]] || fail 'alice got no token' "the reply is above; ./$program docker logs shows the server's side"
  key="Idempotency-Key: demo-$(</proc/sys/kernel/random/uuid)"
  ask -X POST "$url" -H "$json" -H "$key" -H "Authorization: Bearer $token" -d "$body"
  say "\$ curl -X POST $url -H '$json' -H '$key' -H \"Authorization: Bearer \$token\" -d '$body'" "  $http_status $http_body" ''
  [[ $http_body =~ \"id\":\ ?\"([0-9a-f-]{36})\" ]] && id=${BASH_REMATCH[1]}
  [[ $http_status == 200 && -n $id ]] || fail 'the transaction was not accepted' "the reply is above; ./$program docker logs shows the server's side"
  until [[ $state == captured ]]; do
    if [[ $state == declined || $state == failed ]] || ((SECONDS >= deadline)); then
      fail "the transaction is ${state:-not to be seen}, not captured" "./$program docker logs shows what the connector did"
    fi
    sleep 0.1
    ask "$url/$id" -H "Authorization: Bearer $token"
    [[ $http_body =~ \"status\":\ ?\"([a-z_]+)\" ]] && state=${BASH_REMATCH[1]}
  done
  say "the transaction is captured; the connector's lines about it:"
  show_container_log "$id"
}

# The connector's lines about one payment, from the containers' logs; that with the call of the PSP names no transaction.
show_container_log() {
  local id=$1 deadline=$((SECONDS + 5)) containers container lines=''
  mapfile -t containers < <(run_compose ps -q psp-connector)
  while ((SECONDS < deadline)) && [[ $lines != *'Result is kept'* ]]; do
    sleep 0.1
    lines=$(for container in "${containers[@]}"; do
      run_docker logs --since 2m "$container" 2>&1
    done | sed -n "/$id/,/Result is kept/p" | grep -E "$id|==> Making transaction|Result is kept") || true
  done
  say "\$ docker logs $(run_docker ps --filter label=com.docker.compose.service=psp-connector --format '{{.Names}}' | head -n 1)" \
    "  ${lines//$'\n'/$'\n     '}"
}

show_docker_summary() {
  cat <<TEXT
${bold}Switchyard is running in containers.${plain}

   token          POST $router_url/auth/token
   transactions   POST $router_url/transaction/transaction
   health         $router_url/auth/health  $router_url/transaction/health
   API document   $router_url/transaction/openapi.json

   containers     ./setup.sh docker status
   logs           ./setup.sh docker logs, or: docker logs NAME
   more of one    ${compose_command[*]} up --detach --scale core-api=3 --scale psp-connector=2
   new version    ./setup.sh docker upgrade, also after a change of .env
   stop           ./setup.sh docker down  and with --purge, the data goes, too
TEXT
}

upgrade_docker() {
  begin
  lock_folder
  [[ -n $(run_compose ps -q) ]] || fail 'nothing runs that could be upgraded' "./$program docker starts all"
  find_router
  step 'Images'
  run_logged "$log_dir/images.log" run_compose build ||
    fail 'the images of the services could not be built' 'the log says why; what runs goes on'
  step 'Containers'
  upgrade_containers
  end_step
}

set_up_docker() {
  local offline=$1 tls=$2
  begin
  read_system
  lock_folder
  step 'Docker'
  prepare_docker
  step 'Configuration'
  write_env_file
  write_container_settings "$offline" "$tls"
  step 'Port and host name'
  find_router
  check_router_port
  name_the_host
  step 'Images'
  prepare_images "$offline"
  step 'Containers'
  start_containers
  step 'One payment'
  make_container_payment
  end_step
  show_docker_summary
  finish
}

# ------------------------------------------------------------------------------------------------------- commands

require_docker() {
  if ! command -v docker >/dev/null || ! find_engine || ! find_compose; then
    echo "setup.sh: no Docker engine answers, so no container of Switchyard runs. ./setup.sh docker starts all" >&2
    exit 1
  fi
}

docker_down() {
  if [[ ${1-} == --purge ]]; then
    run_compose down --volumes --remove-orphans
    echo "The data is gone. .env is left, and the images: docker images 'local/*' lists them."
  else
    run_compose down
    echo 'The data is still there: ./setup.sh docker goes on with it, ./setup.sh docker down --purge removes it.'
  fi
}

docker_main() {
  local offline='' tls='' arguments=$*
  while [[ ${1-} == --offline || ${1-} == --tls ]]; do
    [[ $1 == --offline ]] && offline=yes || tls=yes
    shift
  done
  case $* in
    upgrade | status | logs* | down | 'down --purge') require_docker ;;
  esac
  case $* in
    '') set_up_docker "$offline" "$tls" ;;
    upgrade) upgrade_docker ;;
    down | 'down --purge') docker_down "${@:2}" ;;
    status) run_compose ps && unhealthy_containers >/dev/null ;;
    logs*) run_compose logs --follow --tail 50 "${@:2}" ;;
    help | -h | --help) docker_usage ;;
    *)
      printf 'setup.sh: this is not understood: docker %s\n\n' "$arguments" >&2
      docker_usage >&2
      exit 2
      ;;
  esac
}
