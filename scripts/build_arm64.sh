#!/usr/bin/env bash
# Builds the module for ARM64 on another machine, below target/release-build.
#
#   scripts/build_arm64.sh [--release]     `scripts/setup.sh arm64` installs what it takes
#
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target/release-build}

if [ "$(uname -m)" != aarch64 ]; then
  export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
  # For bindgen, which reads the headers of the machine that it builds for.
  export BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu="-I/usr/aarch64-linux-gnu/include"
fi
cargo build --locked -p flashsale --lib --target "$target" "$@"
