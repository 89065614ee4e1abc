#!/usr/bin/env bash
# Runs the tests that start servers with the module under AddressSanitizer: reads and
# writes outside of what was allocated or after it was freed, memory freed twice or
# never, panics in callbacks.
#
#   scripts/asan.sh                             all of them
#   scripts/asan.sh --test server replication   what `cargo test` makes of these arguments
#
# The server is the ordinary one: gcc's sanitizer library is preloaded into it and takes
# the place of malloc, so that what the module gets by RedisModule_Alloc is watched too.
# That works where the server's allocator is a shared library, as in Debian's packages; a
# module with known mistakes is tried first, and has to be found out.
#
# FLASHSALE_SERVER names another server program.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'asan: %s\n' "$*" >&2; exit 1; }

target=$(rustc -vV | sed -n 's/^host: //p')
case "$target" in
  x86_64-*-linux-gnu | aarch64-*-linux-gnu) ;;
  *) die "AddressSanitizer is used on Linux with glibc, x86-64 or ARM64, alone; this is $target" ;;
esac

work=${CARGO_TARGET_DIR:-$PWD/target}/asan
mkdir -p "$work"
work=$(cd "$work" && pwd)
# Both stand in lists of paths, where these would end them.
case "$PWD$work" in *[\':\ ]*) die "a quote, colon or space is in $PWD or $work" ;; esac

# Asked of a program that was linked with it: where distributions put it differs.
echo 'int main(void) { return 0; }' >"$work/probe.c"
library=
if cc -fsanitize=address -o "$work/probe" "$work/probe.c" 2>/dev/null; then
  library=$(ldd "$work/probe" | sed -n 's/^.*libasan\.so[^ ]* => \([^ ]*\) .*/\1/p')
fi
[ -n "$library" ] ||
  die "cc brings no libasan.so: gcc is needed, and on some systems the package libasan"

cc -shared -fPIC -O1 -Wall -Wextra -o "$work/shim.so" scripts/asan_shim.c -ldl
ASAN_PRELOAD=$work/shim.so:$library

ASAN_SERVER=${FLASHSALE_SERVER:-$(command -v redis-server || command -v valkey-server)}
ASAN_SUPPRESSIONS=$PWD/scripts/asan_leaks.txt
ASAN_REPORTS=$work/reports
export ASAN_PRELOAD ASAN_SERVER ASAN_SUPPRESSIONS ASAN_REPORTS

# --- the module -------------------------------------------------------------------

# The sanitizers of the stable compiler are behind this variable. With --target build
# scripts and macros are left as they are; the library is not linked in, but preloaded.
# The dev profile: debug assertions and overflow checks are on.
flags="-Zsanitizer=address -Cforce-frame-pointers=yes"
RUSTC_BOOTSTRAP=1 RUSTFLAGS=$flags cargo build --locked --lib \
  --target "$target" --target-dir "$work/build"
# shellcheck disable=SC2086 # these are several flags
RUSTC_BOOTSTRAP=1 rustc --edition 2024 -g $flags --target "$target" \
  --crate-type cdylib -o "$work/canary.so" scripts/asan_canary.rs

# --- does it sing? ----------------------------------------------------------------

# try MISTAKE PATTERN: what the reports must say of it; nothing of no mistake.
try() {
  rm -rf "$ASAN_REPORTS"
  mkdir "$ASAN_REPORTS"
  # It ends by itself: the canary refuses to be loaded, if it gets that far.
  timeout 60 scripts/asan_server.sh --dir "$work" --port 0 --unixsocket canary.sock --save "" \
    --loadmodule "$work/canary.so" "$1" >"$work/canary.log" 2>&1 || true
  if [ "$1" = none ]; then
    grep -q 'Module .* initialization failed' "$work/canary.log" ||
      die "$ASAN_SERVER does not run with $library: $(tail -n5 "$work/canary.log")"
    if compgen -G "$ASAN_REPORTS/*" >/dev/null; then
      cat "$ASAN_REPORTS"/*
      die "$ASAN_SERVER alone, with a module that does nothing wrong, is reported"
    fi
  else
    grep -qs "$2" "$ASAN_REPORTS"/* ||
      die "$ASAN_SERVER with a $1 in a module is not reported: it may bring its own allocator"
  fi
}

try none ''
try heap-buffer-overflow 'ERROR: AddressSanitizer: heap-buffer-overflow'
try heap-use-after-free 'ERROR: AddressSanitizer: heap-use-after-free'
# The server asks for the size first, and that is where it is found.
try double-free 'ERROR: AddressSanitizer: .*\(double-free\|not owned\)'
try leak 'ERROR: LeakSanitizer: detected memory leaks'
try panic 'ERROR: AddressSanitizer: ABRT'
rm -rf "$ASAN_REPORTS"
mkdir "$ASAN_REPORTS"

# --- the tests --------------------------------------------------------------------

# The programs that start servers; the rest never touch the module.
[ $# -gt 0 ] || set -- --test server --test docs

# Servers are ended in good order: at its exit a server tells of what was never freed.
passed=yes
RUST_TEST_THREADS=${RUST_TEST_THREADS:-2} FLASHSALE_ORDERLY_END=yes \
  FLASHSALE_SERVER=$PWD/scripts/asan_server.sh \
  FLASHSALE_MODULE=$work/build/$target/debug/libflashsale.so \
  env -u FLASHSALE_ADDRESS cargo test --locked --no-fail-fast "$@" || passed=no

# A request for too much memory leaves a file as well, but is no error.
mapfile -t found < <(grep -ls ERROR: "$ASAN_REPORTS"/*)
if [ ${#found[@]} -gt 0 ]; then
  # One mistake is often made by many servers.
  head -n 100 "${found[@]:0:5}"
  die "${#found[@]} reports, whole in $ASAN_REPORTS"
fi
[ "$passed" = yes ] || die "tests failed; nothing was reported"
echo "asan: nothing to report"
