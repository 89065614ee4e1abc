#!/usr/bin/env bash
# Plays deploy/kubernetes with containers; `make test-kubernetes` runs it.
#
#   scripts/test_kubernetes.sh
#
# Three containers with the names, settings and scripts that the pods would have: they find
# their primary, are upgraded in the order of docs/operating/kubernetes.md, all end at once,
# and lose a disk. What Kubernetes itself does is not tested; its schemas are, by `make lint`.
#
# Where no Docker engine answers it says so and is content.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'kubernetes: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

if ! docker info >/dev/null 2>&1; then
  say "SKIPPED: no Docker engine answers \`docker info\`"
  exit 0
fi

image=${IMAGE:-flashsale-test:kubernetes}
base=${SERVER_IMAGE:-redis:8-bookworm}
network=flashsale-kubernetes-$$
work=$(mktemp -d)

# pod NUMBER: its container.
pod() { echo "$network-$1"; }

finish() {
  local number
  for number in 0 1 2; do
    docker rm -f -v "$(pod "$number")" >/dev/null 2>&1 || true
    docker volume rm -f "$(pod "$number")" >/dev/null 2>&1 || true
  done
  docker network rm "$network" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

[ -n "${IMAGE:-}" ] || {
  say "building $image"
  docker build -t "$image" --build-arg SERVER_IMAGE="$base" . >target/test_kubernetes.log 2>&1 ||
    { tail -n 20 target/test_kubernetes.log >&2; die "the image cannot be built"; }
}

mkdir "$work/settings"
target/tools/python/bin/python - "$work/settings" <<'PYTHON'
import sys, yaml
for name, text in yaml.safe_load(open("deploy/kubernetes/config.yaml"))["data"].items():
    open(f"{sys.argv[1]}/{name}", "w").write(text)
PYTHON
chmod -R a+rX "$work"

# start NUMBER: the pod, on its volume.
start() {
  docker run -d --name "$(pod "$1")" --hostname "flashsale-$1" --network "$network" \
    --network-alias "flashsale-$1.flashsale-pods" --user 999:999 --read-only --tmpfs /run/flashsale:mode=1777 \
    -e FLASHSALE_PODS=3 -e FLASHSALE_PODS_SERVICE=flashsale-pods \
    -e FLASHSALE_PASSWORD=secret -e REDISCLI_AUTH=secret -e VALKEYCLI_AUTH=secret \
    -v "$(pod "$1"):/data" -v "$work/settings:/etc/flashsale:ro" \
    --entrypoint sh "$image" /etc/flashsale/start >/dev/null
}
# delete NUMBER: as Kubernetes deletes a pod; its volume stays.
delete() { docker stop -t 60 "$(pod "$1")" >/dev/null; docker rm "$(pod "$1")" >/dev/null; }
cli() { docker exec "$(pod "$1")" redis-cli "${@:2}"; }
probe() { docker exec "$(pod "$1")" sh "/etc/flashsale/$2" >/dev/null 2>&1; }

# until_true WHAT COMMAND...: within a minute.
until_true() {
  local what=$1
  shift
  for _ in $(seq 120); do
    ! "$@" || return 0
    sleep 0.5
  done
  local number
  for number in 0 1 2; do docker logs "$(pod "$number")" 2>&1 | tail -n 8 >&2 || true; done
  die "not within a minute: $what"
}
is_primary() { [ "$(cli "$1" ROLE 2>/dev/null | head -n1)" = master ]; }
is_replica() { [ "$(cli "$1" ROLE 2>/dev/null | head -n1)" = slave ]; }
has_ended() { [ "$(docker inspect -f '{{.State.Running}}' "$(pod "$1")")" = false ]; }
follows() { [ "$(cli "$1" ROLE 2>/dev/null | head -n2 | tail -n1)" = "flashsale-$2.flashsale-pods" ] && probe "$1" ready; }
has() { [ "$(cli "$1" FLASHSALE.STOCK sale 2>/dev/null | tr '\n' ' ')" = "default $2 0 " ]; }

docker network create "$network" >/dev/null
for number in 2 1 0; do start "$number"; done
until_true "the first pod is the primary" is_primary 0
for number in 1 2; do until_true "flashsale-$number follows" follows "$number" 0; done
until_true "the primary is ready" probe 0 ready
cli 0 FLASHSALE.CREATE sale orders STOCK 9 >/dev/null
cli 0 FLASHSALE.BUY sale orders ann 2 ID ann-1 >/dev/null
for number in 1 2; do until_true "flashsale-$number has the sale" has "$number" "7 0 2"; done
say "three pods found each other"

# An upgrade: replicas first, hand over, the old primary anew.
for number in 2 1; do
  delete "$number"
  start "$number"
  until_true "flashsale-$number follows again" follows "$number" 0
done
cli 0 FAILOVER TO flashsale-1.flashsale-pods 6379 TIMEOUT 10000 >/dev/null
until_true "flashsale-1 took over" is_primary 1
until_true "flashsale-0 follows it" follows 0 1
docker exec "$(pod 0)" touch /data/begin-anew
delete 0
start 0
until_true "flashsale-0 begins anew" follows 0 1
cli 1 FLASHSALE.BUY sale orders bob 1 ID bob-1 >/dev/null
for number in 0 2; do until_true "flashsale-$number has what was sold since" has "$number" "6 0 3"; done
say "an upgrade went through"

# All at once, and the last primary last: nobody else may take its place.
for number in 0 1 2; do probe "$number" ready || die "flashsale-$number is not ready"; done
for number in 0 1 2; do docker kill "$(pod "$number")" >/dev/null; docker rm "$(pod "$number")" >/dev/null; done
for number in 0 2; do start "$number"; done
for number in 0 2; do until_true "flashsale-$number waits for flashsale-1" is_replica "$number"; done
start 1
until_true "flashsale-1 is the primary again" is_primary 1
for number in 0 2; do
  until_true "flashsale-$number follows it" follows "$number" 1
  has "$number" "6 0 3" || die "flashsale-$number lost the sale"
done
say "all were lost at once and came back in their places"

# The disk of the primary is lost: it must not start empty.
docker kill "$(pod 1)" >/dev/null
docker rm "$(pod 1)" >/dev/null
docker volume rm "$(pod 1)" >/dev/null
start 1
until_true "flashsale-1 ends" has_ended 1
docker logs "$(pod 1)" 2>&1 | grep -q 'its disk is empty' || die "flashsale-1 says something else"
for number in 0 2; do probe "$number" alive || die "flashsale-$number is not alive"; done
cli 0 REPLICAOF NO ONE >/dev/null
cli 2 REPLICAOF flashsale-0.flashsale-pods 6379 >/dev/null
docker rm "$(pod 1)" >/dev/null
start 1
until_true "flashsale-1 gets everything from flashsale-0" follows 1 0
has 1 "6 0 3" || die "flashsale-1 has another sale"
say "a lost disk cost nothing"
say passed
