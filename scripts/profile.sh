#!/usr/bin/env bash
# Counts the instructions of a call, and whose they are: what `make bench` cannot tell.
#
#   scripts/profile.sh [FILE]    a Markdown table, to the terminal or to FILE
#
# The server runs under callgrind, which counts what the processor would have to do and is
# the same on a busy machine as on an idle one. It counts no waiting for memory.
# Of a batch it counts an entry: the instructions of calls of 64 entries, by their number.
# FLASHSALE_SERVER names another server than redis-server, CALLS how many of each are counted.
set -euo pipefail
cd "$(dirname "$0")/.."

calls=${CALLS:-20000}
# Entries of a batch.
entries=64
server=${FLASHSALE_SERVER:-$(command -v redis-server || command -v valkey-server)}
module=$PWD/target/release/libflashsale.so
[ -e "$module" ] || { echo "profile: make build first" >&2; exit 1; }

work=$(mktemp -d)
pid=
finish() {
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# A port that nobody listens on now.
port=$((20000 + RANDOM % 20000))
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file="$work/profile" \
  "$server" --port "$port" --bind 127.0.0.1 --dir "$work" --save '' --appendonly no \
  --loglevel warning --slowlog-log-slower-than -1 --loadmodule "$module" >"$work/log" 2>&1 &
pid=$!
cli() { redis-cli -p "$port" "$@"; }
for _ in $(seq 300); do
  [ "$(cli PING 2>/dev/null)" = PONG ] && break
  kill -0 "$pid" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
  sleep 0.1
done

# load REQUESTS PIPELINE COMMAND...
load() { redis-benchmark -p "$port" -P "$2" -c 50 -r $((10 * calls)) -n "$1" -q "${@:3}" >/dev/null; }
# What CHECKOUT and MCHECKOUT check out, each in a sale of its own: so many that few come a
# second time.
for sale in open many; do
  cli FLASHSALE.CREATE "$sale" "$sale:orders" STOCK 9000000000 USERLIMIT 1000000 >/dev/null
  seq $((10 * calls)) | awk -v sale="$sale" '{
    printf "FLASHSALE.RESERVE %s %012d 1 ID 01%012d%012d\r\n", sale, $1, 0, $1
  }' | cli --pipe >/dev/null
done
cli FLASHSALE.CREATE gone gone:orders STOCK 0 USERLIMIT 1000000 >/dev/null
load $((10 * calls)) 64 HINCRBY hash __rand_int__ 1
# Subjects that are known, of a limit that nobody reaches and of one that everybody has.
for limit in "wide 1000 31536000000" "tight 1 31536000000"; do
  seq $((10 * calls)) | awk -v limit="$limit" '{ split(limit, of, " ")
    printf "FLASHSALE.THROTTLE %s %012d %s %s\r\n", of[1], $1 - 1, of[2], of[3] }' | cli --pipe >/dev/null
done

control() { callgrind_control "$@" "$pid" >/dev/null 2>&1; }

# count NAME COMMAND...: what so many of these cost.
count() { measure "$1" "$calls" 64 "${@:2}"; }

# count_entries NAME ENTRY... -- COMMAND...: what so many entries cost, in calls of $entries.
count_entries() {
  local name=$1 entry=() words=()
  shift
  while [ "$1" != -- ]; do
    entry+=("$1")
    shift
  done
  for _ in $(seq "$entries"); do words+=("${entry[@]}"); done
  measure "$name" $((calls / entries)) 1 "${@:2}" ENTRIES "$entries" "${words[@]}"
}

# measure NAME REQUESTS PIPELINE COMMAND...
measure() {
  local name=$1
  shift
  control -z
  control -i on
  load "$@"
  control -i off
  rm -f "$work"/profile*
  control -d
  for _ in $(seq 100); do compgen -G "$work/profile*" >/dev/null && break; sleep 0.1; done
  mv "$(compgen -G "$work/profile*" | head -n 1)" "$work/of.$name"
  callgrind_annotate --threshold=100 --inclusive=yes --auto=no "$work/of.$name" >"$work/with.$name" 2>/dev/null
  callgrind_annotate --threshold=100 --inclusive=no --auto=no "$work/of.$name" >"$work/self.$name" 2>/dev/null
}

# Instructions a call or an entry: of all; of functions and what they call; of the module by itself.
each() {
  local count=$calls
  case $1 in mreserve | mcheckout) count=$((calls / entries * entries)) ;; esac
  awk -v count="$count" '{ gsub(",", "", $1); sum += $1 } END { printf "%d", sum / count + 0.5 }'
}
all() { grep 'PROGRAM TOTALS' "$work/self.$1" | each "$1"; }
with() { grep -E ":($2) \[" "$work/with.$1" | each "$1"; }
own() { awk -v object=libflashsale -f scripts/object_cost.awk "$work/of.$1" | each "$1"; }

columns="incr hincrby reserve mreserve soldout xadd checkout mcheckout allowed throttled"
count incr INCR counter
count hincrby HINCRBY hash __rand_int__ 1
count reserve FLASHSALE.RESERVE open __rand_int__ 1 ID 02__rand_int____rand_int__
count_entries mreserve __rand_int__ 1 03__rand_int____rand_int__ -- FLASHSALE.MRESERVE open
count soldout FLASHSALE.RESERVE gone __rand_int__ 1 ID 02__rand_int____rand_int__
count xadd XADD stream '*' event order sale open sale_id 01KAHJ8D1T5S0T2ZJ9W4E7RQNM \
  id 01__rand_int____rand_int__ user __rand_int__ qty 1 items '[{"sku":"default","qty":1}]' at_ms 1765000000000
count checkout FLASHSALE.CHECKOUT open open:orders 01000000000000__rand_int__
# An empty ref, as CHECKOUT has none.
count_entries mcheckout 01000000000000__rand_int__ '' -- FLASHSALE.MCHECKOUT many many:orders
count allowed FLASHSALE.THROTTLE wide __rand_int__ 1000 31536000000
count throttled FLASHSALE.THROTTLE tight __rand_int__ 1 31536000000

row() { # TITLE FUNCTION...
  local title=$1
  shift
  printf '| %s |' "$title"
  for column in $columns; do printf ' %d |' "$("$@" "$column")"; done
  echo
}
calling() { with "$2" "$1"; }

# shellcheck disable=SC2016 # backquotes of Markdown
table() {
  echo "| instructions a call or an entry | INCR | HINCRBY | RESERVE | MRESERVE | sold out | XADD | CHECKOUT | MCHECKOUT | THROTTLE | throttled |"
  echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
  row 'all' all
  row 'the module itself' own
  row 'reading the arguments (`processMultibulkBuffer`)' calling 'processMultibulkBuffer'
  row 'opening keys (`RM_OpenKey`, `RM_CloseKey`)' calling 'RM_OpenKey|RM_CloseKey'
  row 'strings for the stream (`RM_CreateString`, `RM_FreeString`)' calling 'RM_CreateString|RM_FreeString'
  row 'appending to the stream (`streamAppendItem`)' calling 'streamAppendItem'
  row 'to AOF and replicas (`RM_Replicate`)' calling 'RM_Replicate'
  row 'the reply (`RM_ReplyWith...`)' calling 'RM_ReplyWith[A-Za-z]*'
  row 'measuring the size of memory blocks (`malloc_usable_size`)' calling 'malloc_usable_size'
}
if [ $# -gt 0 ]; then table >"$1"; else table; fi
