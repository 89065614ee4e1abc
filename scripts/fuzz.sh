#!/usr/bin/env bash
# Runs each libFuzzer target for FUZZ_SECONDS (60), one after the other, from a corpus of
# valid inputs. What ends a target is left below target/fuzz/artifacts, and printed.
# `work` is no target of libFuzzer: it counts what FLASHSALE_NAMES (1,000,000) chosen names
# and calls cost, beside ordinary ones.
#
#   FUZZ_SECONDS=600 scripts/fuzz.sh event snapshot
#   FLASHSALE_NAMES=100000 scripts/fuzz.sh work
#
# Needs a nightly toolchain, cargo-fuzz and a C++ compiler. Where they cannot be had it
# says so, and runs the seeded fuzzers of `make test` for longer instead.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${FUZZ_SECONDS:-60}
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(work event batch snapshot apply_sequence rate_event rate_snapshot arguments)
folder=$PWD/target/fuzz
tools=$folder/tools
export PATH="$tools/bin:$PATH"

say() { printf 'fuzz: %s\n' "$*" >&2; }

# Why libFuzzer cannot be used here; nothing when it can.
missing() {
  command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1 ||
    { echo "there is no C++ compiler (g++)"; return; }
  if ! cargo +nightly --version >/dev/null 2>&1; then
    { command -v rustup >/dev/null 2>&1 &&
      rustup toolchain install nightly --profile minimal >/dev/null 2>&1; } ||
      { echo "there is no nightly toolchain (rustup toolchain install nightly)"; return; }
  fi
  if ! command -v cargo-fuzz >/dev/null 2>&1; then
    say "installing cargo-fuzz below target/fuzz"
    cargo install cargo-fuzz --locked --quiet --root "$tools" >/dev/null 2>&1 ||
      echo "there is no cargo-fuzz (cargo install cargo-fuzz)"
  fi
}

if [[ " ${targets[*]} " = *' work '* ]]; then
  say "${FLASHSALE_NAMES:=1000000} names and calls"
  FLASHSALE_NAMES=$FLASHSALE_NAMES cargo test --release --locked -p flashsale-engine --test fuzz work:: -- --nocapture
  rest=()
  for target in "${targets[@]}"; do [ "$target" = work ] || rest+=("$target"); done
  [ ${#rest[@]} -gt 0 ] || exit 0
  targets=("${rest[@]}")
fi

reason=$(missing)
if [ -n "$reason" ]; then
  say "$reason; running the seeded fuzzer instead"
  export FLASHSALE_OPS=${FLASHSALE_OPS:-1000000}
  cargo test --locked -p flashsale-engine --test fuzz -- --nocapture
  exec cargo test --locked -p flashsale --lib fuzz:: -- --nocapture
fi

# Of the engine's targets, and of the one that reads the words of a command.
for package in "flashsale-engine --test fuzz" "flashsale --lib"; do
  # shellcheck disable=SC2086
  FLASHSALE_CORPUS=$folder/valid cargo test --locked --quiet -p $package writes_the_corpus \
    -- --ignored >/dev/null
done
# Instrumented code and the release's link-time optimisation do not get along.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
# By itself: a build that fails has found nothing.
cargo +nightly fuzz build --fuzz-dir engine/fuzz --features libfuzzer --target-dir "$folder/build" >&2 ||
  { say "the targets cannot be built"; exit 1; }
for target in "${targets[@]}"; do
  mkdir -p "$folder/corpus/$target" "$folder/artifacts/$target"
  say "$target for $seconds seconds"
  # The sale as a whole decides how much memory is too much; a single allocation of what
  # a forged length promises ends the target.
  cargo +nightly fuzz run --fuzz-dir engine/fuzz --features libfuzzer --target-dir "$folder/build" "$target" \
    "$folder/corpus/$target" "$folder/valid/$target" -- \
    -artifact_prefix="$folder/artifacts/$target/" -max_total_time="$seconds" \
    -max_len=131072 -malloc_limit_mb=64 -timeout=20 -print_final_stats=1 \
    2>&1 | grep -v '^#\|^INFO\|NEW_FUNC\|# Uses: \|DICTIONARY' ||
    { say "$target found something: see $folder/artifacts/$target"; exit 1; }
done
say "nothing found"
