#!/usr/bin/env bash
# The image, built on each of several servers and tested; `make test-docker` runs it.
#
#   scripts/test_docker.sh
#   IMAGES="redis:8-bookworm" scripts/test_docker.sh    on that one alone
#
# For each: builds it, starts it, points every test at it that can use a server it has
# not started itself, and ends it. Then starts each file of examples/compose and sells on
# it (tests/server/docker/mod.rs). Containers go when it ends, also by Ctrl-C; images stay.
#
# Where no Docker engine answers it says so and is content: it never starts one. An image
# that cannot be had is an error.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'docker: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

if ! docker info >/dev/null 2>&1; then
  say "SKIPPED: no Docker engine answers \`docker info\`; the image was not tested"
  exit 0
fi

containers=()
finish() {
  [ ${#containers[@]} -eq 0 ] || docker rm -f -v "${containers[@]}" >/dev/null 2>&1 || true
}
trap finish EXIT
trap 'exit 130' INT TERM

# An image of this name that is here already will do.
need_image() {
  docker image inspect "$1" >/dev/null 2>&1 || docker pull -q "$1" >/dev/null ||
    die "the image $1 is not here and cannot be pulled"
}

# The modules whose tests take any server, as filters.
by_address() {
  grep -rl 'Server::any()' tests/server | cut -d/ -f3 | grep -v '^support$' |
    sed 's/\.rs$//; s/$/::/' | sort -u
}

test_on() { # BASE
  local base=$1 program=redis-server image id address log=target/test_docker.log
  case "$base" in *valkey*) program=valkey-server ;; esac
  image=flashsale-test:$(printf %s "$base" | tr -c 'A-Za-z0-9_.-' -)
  need_image "$base"
  say "building $image"
  docker build -t "$image" --build-arg SERVER_IMAGE="$base" --build-arg SERVER="$program" . >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "the image on $base cannot be built"
  }
  id=$(docker run -d -p 127.0.0.1::6379 "$image" --enable-debug-command yes)
  containers+=("$id")
  address=$(docker port "$id" 6379/tcp)
  for _ in $(seq 60); do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" != healthy ] || break
    sleep 1
  done
  docker exec "$id" flashsale-health >/dev/null || die "the server on $base does not answer: $(docker logs "$id" 2>&1 | tail -n 20)"
  say "testing $image, $(docker exec "$id" "$program" --version)"
  # shellcheck disable=SC2046 # words
  {
    FLASHSALE_ADDRESS=$address cargo test --locked --test server -- --nocapture $(by_address) &&
      FLASHSALE_ADDRESS=$address cargo test --locked --test docs -- --nocapture
  } >"$log" 2>&1 || {
    grep -E -A5 '^test .*FAILED|panicked at|^error' "$log" >&2 || tail -n 20 "$log" >&2
    die "a test failed on $image; all it said: $log"
  }
  say "$image: $(awk '/^test result:/ { passed += $4 } /^skipped: this test starts/ { skipped++ }
    END { print passed - skipped " tests passed, " skipped + 0 " start servers of their own and were skipped" }' "$log")"
  docker rm -f -v "$id" >/dev/null
}

need_image rust:1-bookworm
mkdir -p target
images=${IMAGES:-redis:7-bookworm redis:8-bookworm valkey/valkey:8}
for base in $images; do test_on "$base"; done
for base in $images; do
  image=flashsale-test:$(printf %s "$base" | tr -c 'A-Za-z0-9_.-' -)
  say "containers and examples/compose of $image"
  FLASHSALE_IMAGE=$image cargo test --locked --test server docker:: -- --ignored --nocapture --test-threads=1
done
say passed
