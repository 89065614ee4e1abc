#!/usr/bin/env bash
# Runs the seeded tests with fresh seeds until one of them finds something.
#
#   scripts/soak.sh                    until Ctrl-C
#   SOAK_MINUTES=60 scripts/soak.sh    for an hour
#
# One line a round. A finding ends it, with the seed and the command that repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."

# The modules of the engine's tests, each with the operations of one round. They take FLASHSALE_SEED and
# FLASHSALE_OPS, and print a line "<number> operations ..." at the end.
TESTS="
simulation 5000000
model       100000
"

minutes=${SOAK_MINUTES:-}
case "$minutes" in
  *[!0-9]*) echo "soak: SOAK_MINUTES is not a number: $minutes" >&2; exit 2 ;;
esac

log=$(mktemp)
built=$(mktemp)
child=
total=0
round=0
began=$SECONDS

# 1234567 as 1,234,567.
grouped() {
  local number=$1 text=
  while [ ${#number} -gt 3 ]; do
    text=,${number: -3}$text
    number=${number%???}
  done
  echo "$number$text"
}

finish() {
  local status=$?
  trap - INT TERM EXIT
  [ -z "$child" ] || kill "$child" 2>/dev/null || true
  rm -f "$log" "$built"
  if [ "$total" -gt 0 ]; then
    local took=$((SECONDS - began))
    printf 'soak: %s operations in %d rounds, %d:%02d:%02d%s\n' "$(grouped "$total")" \
      "$round" $((took / 3600)) $((took / 60 % 60)) $((took % 60)) \
      "$([ "$status" = 0 ] && echo ', nothing found')"
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 0' INT TERM

echo "soak: building in release"
build=(cargo test --release --locked -p flashsale-engine --test engine)
if ! "${build[@]}" --no-run 2>"$built"; then
  cat "$built" >&2
  exit 1
fi
# "  Executable tests/engine/main.rs (target/release/deps/engine-0123456789abcdef)"
program=$(sed -n 's|.*Executable tests/engine/main\.rs (\(.*\))|\1|p' "$built")

began=$SECONDS
while :; do
  line=$(printf 'round %4d ' $((round + 1)))
  while read -r name operations; do
    [ -n "$name" ] || continue
    seed=$(date +%s)$RANDOM
    status=0
    # In the background, so that Ctrl-C is heard at once.
    FLASHSALE_SEED=$seed FLASHSALE_OPS=$operations \
      "$program" "$name::" --nocapture >"$log" 2>&1 &
    child=$!
    wait "$child" || status=$?
    child=
    if [ "$status" != 0 ]; then
      grep -v -e '^test .* ok$' "$log" | head -n 200
      echo
      echo "soak: $name found something with seed $seed. This repeats it:"
      echo "  FLASHSALE_SEED=$seed FLASHSALE_OPS=$operations ${build[*]} $name:: -- --nocapture"
      exit 1
    fi
    did=$(sed -n 's/^\([0-9][0-9]*\) operations.*/\1/p' "$log" | tail -n 1)
    total=$((total + ${did:-0}))
    line="$line  $name $(grouped "${did:-0}")"
  done <<<"$TESTS"
  round=$((round + 1))
  took=$((SECONDS - began))
  printf '%s   in all %s, %d:%02d:%02d\n' "$line" "$(grouped "$total")" \
    $((took / 3600)) $((took / 60 % 60)) $((took % 60))
  if [ -n "$minutes" ] && [ "$took" -ge $((minutes * 60)) ]; then
    exit 0
  fi
done
