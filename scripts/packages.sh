# The Debian and Ubuntu packages that Switchyard is built and tested with. services/Dockerfile sources it, with system_id and
# system_version as os-release(5) has them; so does scripts/system.py.
# shellcheck shell=bash disable=SC2154

# Boost 1.81 or newer is needed. Debian 12 has it under versioned names, beside its default 1.74; elsewhere the default
# is new enough. A newer one that is already installed is left as it is: the versions exclude each other.
boost_packages() {
  local found
  found=$(compgen -G '/usr/lib/*/cmake/boost_url-1.8[1-9]*' || compgen -G '/usr/lib/*/cmake/boost_url-1.9*' || true)
  if [[ -n $found ]] && compgen -G '/usr/lib/*/cmake/boost_json-1.*' >/dev/null; then
    return
  fi
  if [[ $system_id == debian && $system_version == 12* ]]; then
    echo libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  else
    echo libboost-dev libboost-json-dev libboost-url-dev
  fi
}

build_packages() {
  echo g++ cmake ninja-build pkg-config ccache
  boost_packages
  echo libssl-dev libsodium-dev libsqlite3-dev libcurl4-openssl-dev libpq-dev libhiredis-dev libutf8proc-dev libjemalloc-dev zlib1g-dev
  echo libfmt-dev libcli11-dev prometheus-cpp-dev libtomlplusplus-dev
  # CMake looks for GoogleTest in every configuration, also where only the programs are built.
  echo libgtest-dev libgmock-dev
  # The table of currencies is read when the server starts; certificates are for the calls to providers.
  echo iso-codes ca-certificates curl
}

# Debian's own python3 and its modules; an interpreter of pyenv or conda on PATH has none of them.
test_packages() {
  echo httpie python3 python3-jose python3-jwt python3-pytest python3-pytest-xdist python3-requests sqlite3 git strace
  echo libbenchmark-dev python3-yaml
  # Servers that the tests start themselves. redis-tools has the server's program without the service of redis-server.
  echo postgresql redis-tools
  echo python3-psycopg2 python3-redis python3-rq python3-venv
  # The Debian package is made, checked, and installed into a Debian of its own.
  echo dpkg-dev debootstrap lintian
  systemd_package
}

# For systemd-analyze. Without systemd-sysv it is not what the machine boots with; where it excludes the init that is
# there, the tests do without.
systemd_package() {
  if ! LC_ALL=C apt-get install --simulate --no-install-recommends systemd 2>/dev/null | grep -q '^Remv '; then
    echo systemd
  fi
}
