#!/usr/bin/env bash
# Runs the tests that need a server on each server there is, and prints a table of them.
#
#   scripts/test_servers.sh                        all of them
#   scripts/test_servers.sh --test server resync   what `cargo test` makes of these arguments
#
# The servers: Redis 7.0 as installed, Redis 8.0 and 8.2, Valkey 8.1 and 9.1, which
# scripts/setup.sh has fetched to target/servers; one that could not be had is passed over
# with a line. Everything is built once. What a server was tested with, and what failed on
# it, is in target/servers/NAME.log.
#
# SERVERS="valkey-9.1 redis-8.2" names some of them alone.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${CARGO_TARGET_DIR:-$PWD/target}/servers
mkdir -p "$folder"

# The program of a server; nothing where it is not here.
program_of() { # NAME
  case $1 in
    redis-7.0) command -v redis-server ;;
    *) [ ! -x "target/servers/$1/${1%-*}-server" ] || echo "$PWD/target/servers/$1/${1%-*}-server" ;;
  esac
}

# The programs that start servers; the rest never touch one.
[ $# -gt 0 ] || set -- --test server --test docs

cargo test --locked --no-run "$@"

rows=()
failed=no
for name in ${SERVERS:-redis-7.0 redis-8.0 redis-8.2 valkey-8.1 valkey-9.1}; do
  program=$(program_of "$name" || true)
  if [ -z "$program" ]; then
    echo "SKIPPED: $name is not here"
    continue
  fi
  version=$("$program" --version | sed -n 's/^\([A-Za-z]*\) server v=\([0-9.]*\).*/\1 \2/p')
  log=$folder/$name.log
  echo "testing on $version"
  since=$SECONDS
  # A test that cannot be made on a server says so.
  FLASHSALE_SERVER=$program env -u FLASHSALE_ADDRESS \
    cargo test --locked --no-fail-fast "$@" -- --show-output >"$log" 2>&1 || failed=yes
  took=$((SECONDS - since))
  sum() { awk -v what="$1;" '/^test result:/ { for (i = 1; i < NF; i++) if ($(i + 1) == what) n += $i } END { print n + 0 }' "$log"; }
  skips=$(grep -c '^skipped: ' "$log" || true)
  rows+=("| $version | $(sum passed) | $(sum failed) | $skips | $took s |")
  awk '/^failures:$/ { listed = 1 } /^successes:$|^test result:/ { listed = 0 }
    listed && /^    [a-z0-9_:]+$/ { print "  failed: " $1 }' "$log" | sort -u
done

echo
echo "| Server | Passed | Failed | Skipped, of those passed | Time |"
echo "|---|---|---|---|---|"
printf '%s\n' "${rows[@]}"
[ "$failed" = no ]
