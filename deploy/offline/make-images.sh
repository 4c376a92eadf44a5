#!/usr/bin/env bash
# Makes the images that compose.yaml takes from a registry, on this machine, where none can be reached:
#
#   local/debian:bookworm-slim   by debootstrap, from a Debian mirror
#   local/postgres:15, local/redis:7, local/prometheus:2   Debian's packages on it
#   local/traefik:3              from Traefik's Go module, where Go and a module proxy can be had
#
# usage: deploy/offline/make-images.sh [debian] [postgres] [redis] [prometheus] [traefik]      all of them unless told otherwise
#        deploy/offline/make-images.sh compile      Traefik only, and no image: Go keeps what takes minutes for the next time
#
# As root, with Docker. What is there already is left alone; `docker rmi` makes room for a new one. Exit status: 0 all are
# there, 3 all but Traefik, whose reason is printed, 1 anything else. DEBIAN_MIRROR and GOPROXY say where to load from.
set -Eeuo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
traefik_version=v3.6.12
go_needed=1.25
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
work=''

say() {
  printf '%s\n' "$@"
}

fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit 1
}

is_there() {
  [[ -n $(docker images --quiet "$1") ]]
}

make_debian() {
  command -v debootstrap >/dev/null || fail 'debootstrap is missing: apt-get install debootstrap'
  ((EUID == 0)) || fail 'debootstrap needs root: use sudo'
  local root=$work/debian
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" "$mirror"
  # What the slim images leave out, now and from later packages.
  cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'CONF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
CONF
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  rm -rf "$root"/usr/share/{groff,info,lintian,linda,locale,man}/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* \
    "$root"/var/log/* "$root/etc/resolv.conf" "$root/etc/hostname"
  # No package may start a service while an image is built.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  tar --create --numeric-owner --one-file-system --directory "$root" . |
    docker import --change 'CMD ["bash"]' - local/debian:bookworm-slim
}

# make_from_packages NAME: the folder of that name has the image's Dockerfile.
make_from_packages() {
  docker build --build-arg BASE_IMAGE=local/debian:bookworm-slim --tag "$2" "$here/$1"
}

# True if this Go builds the Traefik above; sets REPLY to why not.
find_go() {
  local candidate found
  REPLY='there is no Go'
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go; do
    [[ -x $candidate ]] || continue
    found=$("$candidate" env GOVERSION)
    if [[ $(printf '%s\n' "go$go_needed" "$found" | sort --version-sort | head -n 1) == "go$go_needed" ]]; then
      go=$candidate
      return
    fi
    REPLY="$candidate is $found"
  done
  return 1
}

# Certificates by DNS challenge bring the clients of some two hundred providers, a third of all that is compiled.
leave_out_dns_providers() {
  local lego=github.com/go-acme/lego/v4 version folder
  version=$(cd "$1" && "$go" list -m -f '{{.Version}}' "$lego")
  folder=$(cd "$work" && "$go" mod download -json "$lego@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
  cp -r "$folder" "$work/lego"
  chmod -R u+w "$work/lego"
  cat >"$work/lego/providers/dns/zz_gen_dns_providers.go" <<'GO'
package dns

import (
	"fmt"

	"github.com/go-acme/lego/v4/challenge"
)

func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("%s: deploy/offline builds Traefik without DNS providers", name)
}
GO
  (cd "$1" && "$go" mod edit -replace "$lego=$work/lego")
}

# Into $work/image.
compile_traefik() {
  find_go || {
    say "Traefik cannot be built: $REPLY; version $go_needed or newer is needed"
    return 3
  }
  local source=$work/traefik
  # As its own main module, since its go.mod replaces some of what it needs. The module comes without the web interface.
  local folder
  folder=$(cd "$work" && "$go" mod download -json "github.com/traefik/traefik/v3@$traefik_version" |
    sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
  [[ -d $folder ]] || {
    say 'Traefik cannot be built: its Go module cannot be loaded (GOPROXY says from where)'
    return 3
  }
  cp -r "$folder" "$source"
  chmod -R u+w "$source"
  leave_out_dns_providers "$source"
  # Loads what is needed to build it, and no more.
  (cd "$source" && "$go" list -mod=mod -deps ./cmd/traefik >/dev/null) || {
    say 'Traefik cannot be built: the Go modules it needs cannot be loaded (GOPROXY says from where)'
    return 3
  }
  say "building Traefik $traefik_version with $("$go" env GOVERSION): some ten minutes on two cores, the first time"
  (cd "$source" && CGO_ENABLED=0 "$go" build -mod=mod -trimpath \
    -ldflags "-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=$traefik_version" \
    -o "$work/image/traefik" ./cmd/traefik)
}

make_traefik() {
  compile_traefik || return
  cp "$here/traefik/Dockerfile" "$work/image/"
  docker build --build-arg BASE_IMAGE=local/debian:bookworm-slim --tag local/traefik:3 "$work/image"
}

main() {
  local images=("${@:-all}") image status=0
  [[ ${images[0]} != all ]] || images=(debian postgres redis prometheus traefik)
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  if [[ ${images[*]} == compile ]]; then
    compile_traefik
    return
  fi
  docker info >/dev/null 2>&1 || fail 'no Docker engine answers; ./setup.sh docker installs and starts one'
  for image in "${images[@]}"; do
    case $image in
      debian) is_there local/debian:bookworm-slim || make_debian ;;
      postgres) is_there local/postgres:15 || make_from_packages postgres local/postgres:15 ;;
      redis) is_there local/redis:7 || make_from_packages redis local/redis:7 ;;
      prometheus) is_there local/prometheus:2 || make_from_packages prometheus local/prometheus:2 ;;
      traefik)
        if ! is_there local/traefik:3; then
          make_traefik || status=$?
          ((status == 0 || status == 3)) || fail 'Traefik could not be built'
        fi
        ;;
      *) fail "there is no image $image: debian, postgres, redis, prometheus or traefik" ;;
    esac
  done
  return "$status"
}

main "$@"
