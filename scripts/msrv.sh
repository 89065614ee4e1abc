#!/usr/bin/env bash
# Checks that the oldest Rust that Cargo.toml promises, `rust-version`, is enough.
#
#   scripts/msrv.sh
#
# By building everything with it, if rustup has it or can fetch it. Otherwise by what is
# written down: no crate of Cargo.lock asks for a later one, and clippy finds nothing of
# the standard library that came later. A feature of the language could still slip through.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'msrv: %s\n' "$*" >&2; }

msrv=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if command -v rustup >/dev/null 2>&1 &&
  { cargo "+$msrv" --version || rustup toolchain install "$msrv" --profile minimal; } >/dev/null 2>&1; then
  say "building with Rust $msrv"
  CARGO_TARGET_DIR=$PWD/target/msrv cargo "+$msrv" check --locked --all-targets --workspace
  exit
fi

say "Rust $msrv cannot be had here; asking Cargo.lock and clippy"
later=$(cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu |
  python3 -c '
import json, sys
number = lambda version: [int(part) for part in version.split(".")]
for package in json.load(sys.stdin)["packages"]:
    asks = package["rust_version"]
    if asks and number(asks)[:2] > number(sys.argv[1])[:2]:
        print(package["name"], package["version"], "asks for Rust", asks)
' "$msrv")
[ -z "$later" ] || { echo "$later" >&2; exit 1; }
cargo clippy --locked --all-targets --workspace -- -A warnings -D clippy::incompatible_msrv
say "nothing asks for a later Rust than $msrv"
