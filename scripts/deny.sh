#!/usr/bin/env bash
# Checks the crates that the module and the companion use against deny.toml: licences,
# versions, sources, and known vulnerabilities.
#
#   scripts/deny.sh
#
# The list of vulnerabilities is fetched from RustSec. Where it cannot be, a line says so
# and the rest is checked; with ADVISORIES=required that is an error.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/target/tools/bin:$PATH"

log=$PWD/target/tools/advisories.log
checks=(licenses bans sources)
if cargo deny fetch db >"$log" 2>&1; then
  checks+=(advisories)
elif [ "${ADVISORIES:-}" = required ]; then
  cat "$log" >&2
  echo "deny: the list of vulnerabilities could not be fetched" >&2
  exit 1
else
  echo "deny: SKIPPED: the list of vulnerabilities could not be fetched ($log); checking ${checks[*]}" >&2
fi
check() { # ARGUMENT OF cargo deny... -- ARGUMENT OF check...
  local of_deny=()
  while [ "$1" != -- ]; do of_deny+=("$1"); shift; done
  shift
  cargo deny --locked --log-level error "${of_deny[@]}" check --hide-inclusion-graph "$@" "${checks[@]}"
}
check --
# SQL, HTTP and TLS come from many hands, some of which still use last year's crate of
# another. Nothing of that is loaded into a server.
check --manifest-path companion/Cargo.toml --config "$PWD/deny.toml" -- --allow duplicate
