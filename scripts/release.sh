#!/usr/bin/env bash
# Builds what a release consists of, below target/release-artifacts, and checks it.
#
#   scripts/release.sh tarball    the module, its settings and licences, and a test of it
#   scripts/release.sh sbom       the list of what is linked in, CycloneDX
#   scripts/release.sh deb        the Debian package, and a test of it
#   scripts/release.sh companion  the program beside the module and licences, and a test of it
#
# TARGET is the platform, x86_64-unknown-linux-gnu or aarch64-unknown-linux-gnu; this
# machine's by default. The same commit gives the same bytes, with the same compiler.
#
# The test: Debian 12's redis-server and the libraries it needs are unpacked into an empty
# folder, where there is no Rust, and the module is loaded there and sells. It needs
# apt-get and Debian's keys; where they are missing a line says so, and only the names and
# versions of the libraries that the module asks for are checked.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'release: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

name=flashsale
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n1)
host=$(rustc -vV | sed -n 's/^host: //p')
target=${TARGET:-$host}
case $target in
  x86_64-unknown-linux-gnu) debian=amd64 loader=ld-linux-x86-64.so.2 prefix= ;;
  aarch64-unknown-linux-gnu) debian=arm64 loader=ld-linux-aarch64.so.1 prefix=aarch64-linux-gnu- ;;
  *) die "releases are for Linux with glibc, x86-64 and ARM64; this is $target" ;;
esac
[ "$target" != "$host" ] || prefix=
folder=$PWD/target/release-artifacts
build=$PWD/target/release-build
package=$name-$version-${target%%-*}-linux-gnu
program=$name-companion-$version-${target%%-*}-linux-gnu
stage=$folder/$package

# The moment of the commit, for all files; without git, that of the settings.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y Cargo.toml)}
export SOURCE_DATE_EPOCH

# --- the module -------------------------------------------------------------------

# Where it was built is nobody's business, and would make the bytes differ.
forget_paths() {
  export RUSTFLAGS="--remap-path-prefix=$PWD=flashsale --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
}

build_module() {
  forget_paths
  if [ "$target" = "$host" ]; then
    cargo build --release --locked -p "$name" --lib --target "$target" --target-dir "$build"
  else
    CARGO_TARGET_DIR=$build scripts/build_arm64.sh --release
  fi
}

# The highest version of glibc's symbols that the module may ask for: Debian 12's.
glibc_max=2.36

check_needed() { # FILE
  local needed highest
  needed=$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort | tr '\n' ' ')
  for library in $needed; do
    case $library in
      libc.so.6 | libm.so.6 | libgcc_s.so.1 | libdl.so.2 | libpthread.so.0 | ld-linux-*) ;;
      *) die "$1 needs $library, which a bare machine need not have" ;;
    esac
  done
  highest=$(readelf -V "$1" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n1)
  [ "$(printf '%s\n' "GLIBC_$glibc_max" "$highest" | sort -V | tail -n1)" = "GLIBC_$glibc_max" ] ||
    die "$1 asks for $highest: it would not load on Debian 12, which has $glibc_max"
  say "needs $needed and at most $highest"
}

# write_third_party CRATE MANIFEST: the licences of all that is linked in, which ask to be
# passed on with it.
write_third_party() {
  local crate crate_version crate_folder file
  echo "These crates are linked in. Their licences:"
  cargo tree --locked -p "$1" --manifest-path "$2" --target "$target" -e normal,no-proc-macro --prefix none -f '{p}|{l}' |
    sed 's/ (\*)$//' | grep -v "^$name" | sort -u |
    while IFS='|' read -r crate licence; do
      crate_version=${crate#* v}
      crate_folder=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"${crate%% *}-$crate_version")
      [ -d "$crate_folder" ] || die "no source of $crate in cargo's registry"
      printf '\n%s\n%s: %s\n%s\n' "$(printf '=%.0s' {1..80})" "$crate" "$licence" "$(printf '=%.0s' {1..80})"
      for file in "$crate_folder"/{LICEN[CS]E,COPYING,NOTICE}*; do
        if [ -f "$file" ]; then printf '\n'; cat "$file"; fi
      done
    done
}

# same_archive FILE FOLDER...: a tar of folders below $folder, the same whenever it is made.
same_archive() {
  local file=$1
  shift
  tar -C "$folder" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
    --mode=u=rwX,go=rX --format=gnu -cf - "$@" | gzip -9n >"$folder/$file"
}

make_stage() {
  local built=$build/$target/release/libflashsale.so
  rm -rf "$stage" "$folder/$package-debug"
  mkdir -p "$stage" "$folder/$package-debug"
  # The line numbers of a backtrace are four fifths of the file, and a file of their own.
  "${prefix}objcopy" --only-keep-debug --compress-debug-sections=zlib "$built" \
    "$folder/$package-debug/libflashsale.so.debug"
  "${prefix}objcopy" --strip-debug --strip-unneeded \
    --add-gnu-debuglink="$folder/$package-debug/libflashsale.so.debug" "$built" "$stage/libflashsale.so"
  cp README.md "$stage/"
  sed -e 's|target/release/libflashsale.so|libflashsale.so|' -e 's|<examples/install/|<|' \
    examples/install/flashsale.conf >"$stage/flashsale.conf"
  cp LICENSE* "$stage/"
  [ ! -e CHANGELOG.md ] || cp CHANGELOG.md "$stage/"
  cp -r docs "$stage/"
  sed 's|examples/install/systemd.conf|systemd.conf|' examples/install/systemd.conf >"$stage/systemd.conf"
  write_third_party "$name" Cargo.toml >"$stage/THIRD-PARTY.txt"
}

# --- a bare machine ---------------------------------------------------------------

# bare_root: Debian 12 with redis-server and no Rust, in $root; false where it cannot be.
root=$PWD/target/tools/debian-12-$debian/root
bare_root() {
  scripts/setup.sh "bare-$debian" && [ -e "${root%/root}/.done" ]
}

# in_root PROGRAM ARGUMENT...: a program of it, or one at a path, by its own loader and with
# its own libraries, so that it takes no privilege; one for another processor by way of QEMU.
emulator=
in_root() {
  local file=$1 libraries=$root/usr/lib/${target%%-*}-linux-gnu
  [ "$file" != "${file#/}" ] || file=$root/usr/bin/$file
  shift
  # shellcheck disable=SC2086 # no word or one
  env -i PATH=/nowhere $emulator "$libraries/$loader" --library-path "$libraries" "$file" "$@"
}

# check_load FILE: the server loads the module, by itself or named in settings, and sells.
check_load() {
  local work reply pid loads answer=
  if ! bare_root; then
    say "SKIPPED: Debian 12's redis-server cannot be had here; the module was not loaded"
    return
  fi
  if [ "$target" != "$host" ] && ! emulator=$(command -v qemu-aarch64-static); then
    say "SKIPPED: no qemu-aarch64-static here; the module was not loaded"
    return
  fi
  work=$(mktemp -d)
  loads=(--loadmodule "$1")
  [ "$1" = "${1%.conf}" ] || loads=(--include "$1")
  in_root redis-server --port 0 --unixsocket "$work/socket" --dir "$work" --save "" \
    "${loads[@]}" >"$work/log" 2>&1 &
  pid=$!
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    answer=$(in_root redis-cli -s "$work/socket" PING 2>/dev/null) || true
    [ "$answer" != PONG ] || break
    sleep 0.1
  done
  reply=$(in_root redis-cli -s "$work/socket" 2>&1 <<'COMMANDS' || true
FLASHSALE.CREATE sale orders STOCK 3
FLASHSALE.BUY sale orders ann 2 ID ann-1
FLASHSALE.STOCK sale
COMMANDS
)
  # The process is a shell around the server, which would outlive it.
  in_root redis-cli -s "$work/socket" SHUTDOWN NOSAVE >/dev/null 2>&1 || kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  answer=$(echo "$reply" | grep -v '^[0-9]*-0$' | tr '\n' ' ')
  [ "$answer" = "OK SOLD ann-1 default 1 0 2 0 " ] ||
    { tail -n 20 "$work/log" >&2; die "a bare Debian 12 does not sell with it: $answer"; }
  say "Debian 12's $(in_root redis-server --version | sed 's/ sha=.*//') loads it and sells ($debian)"
  rm -rf "$work"
}

# --- the artifacts ----------------------------------------------------------------

make_tarball() {
  build_module
  make_stage
  check_needed "$stage/libflashsale.so"
  check_load "$stage/libflashsale.so"
  (cd "$stage" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs sha256sum) >"$folder/SHA256SUMS"
  mv "$folder/SHA256SUMS" "$stage/"
  same_archive "$package.tar.gz" "$package"
  same_archive "$package-debug.tar.gz" "$package-debug"
  note "$package.tar.gz" "$package-debug.tar.gz"
}

# The companion reads SQL and HTTP, and is larger than the module: a file of its own.
make_companion() {
  local stage=$folder/$program built=$build/$target/release/$name
  forget_paths
  CARGO_TARGET_DIR=$build cargo build --release --locked --manifest-path companion/Cargo.toml --target "$target"
  rm -rf "$stage"
  mkdir -p "$stage"
  "${prefix}objcopy" --strip-debug --strip-unneeded "$built" "$stage/$name"
  cp docs/companion.md LICENSE* CHANGELOG.md "$stage/"
  write_third_party "$name-companion" companion/Cargo.toml >"$stage/THIRD-PARTY.txt"
  check_needed "$stage/$name"
  if bare_root; then
    [ "$(in_root "$stage/$name" --version)" = "$name $version" ] || die "the companion does not run on Debian 12"
    say "it runs on a bare Debian 12 ($debian)"
  else
    say "SKIPPED: no Debian 12 here; the companion was not run there"
  fi
  same_archive "$program.tar.gz" "$program"
  note "$program.tar.gz"
}

# note FILE...: their checksums, beside them.
note() {
  local file
  for file in "$@"; do
    (cd "$folder" && sha256sum "$file" >"$file.sha256")
    say "target/release-artifacts/$file $(stat -c %s "$folder/$file") bytes, sha256 $(cut -c1-16 "$folder/$file.sha256")..."
  done
}

make_sbom() {
  mkdir -p "$folder"
  # Neither a serial number nor a time, which would differ each time it is made.
  cargo cyclonedx --format json --spec-version 1.5 --target "$target" --no-build-deps \
    --override-filename "$package.cdx" --manifest-path Cargo.toml --quiet
  # One for each crate of the workspace; the module's says what the others are.
  sed "s|path+file://$PWD|path+file:///$name|g" "$package.cdx.json" >"$folder/$package.cdx.json"
  find . -path ./target -prune -o -name "$package.cdx.json" -exec rm {} +
  note "$package.cdx.json"
}

make_deb() {
  local parts=$folder/deb file
  [ -e "$stage/libflashsale.so" ] || make_tarball
  rm -rf "$parts"
  mkdir -p "$parts/doc"
  cp "$stage/libflashsale.so" "$parts/"
  {
    echo "# The settings of flashsale, to be appended to those of the server; why not to be"
    echo "# included, /usr/share/doc/flashsale/README.Debian says."
    sed '1,/^$/d; s|/usr/local/lib/flashsale/|/usr/lib/redis/modules/|' examples/install/flashsale.conf
  } >"$parts/flashsale.conf"
  # Everything below /usr/lib may be mapped, so that line is for other places alone.
  sed -e '1,/^\[Service\]$/{/^\[Service\]$/!d}' -e '/^# The unit lets/,/^ExecPaths/d' \
    examples/install/systemd.conf >"$parts/systemd.conf"
  cp "$stage/THIRD-PARTY.txt" README.md packaging/debian/README.Debian "$parts/doc/"
  cp -r docs "$parts/doc/"
  cat >"$parts/changelog" <<CHANGES
$name ($version-1) unstable; urgency=medium

  * Release $version.

 -- $(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGES
  find "$parts" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
  file=${name}_$version-1_$debian.deb
  cargo deb --quiet --locked --no-build --no-strip --target "$target" --output "$folder/$file" >/dev/null
  check_deb "$folder/$file"
  note "$file"
}

# check_deb FILE: what is in it, what Debian's own checker says, and whether the server
# loads the module from where the package puts it, by the settings of the package.
check_deb() {
  local contents place
  contents=$(dpkg-deb -c "$1" | awk '{ print $6 }')
  for place in usr/lib/redis/modules/libflashsale.so etc/redis/flashsale.conf \
    usr/lib/systemd/system/{redis,valkey}-server.service.d/flashsale.conf \
    usr/share/doc/flashsale/{copyright,README.Debian,THIRD-PARTY.txt,docs/operating/upgrading.md}; do
    echo "$contents" | grep -qx "./$place" || die "the package has no $place"
  done
  [ "$(dpkg-deb -I "$1" conffiles)" = /etc/redis/flashsale.conf ] || die "the settings are no conffile"
  dpkg-deb -f "$1" Depends | grep -q 'libc6 (>= ' || die "the package does not say which libc6 it needs"
  if command -v lintian >/dev/null 2>&1; then
    lintian --fail-on error,warning --tag-display-limit 0 --allow-root "$1" || die "lintian found something"
  else
    say "SKIPPED: no lintian here"
  fi
  bare_root || { say "SKIPPED: no Debian 12 here; the package was not unpacked"; return; }
  dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$root"
  check_units
  # As it is written, but for the root: the folder takes the place of it.
  sed "s|^loadmodule /|loadmodule $root/|" "$root/etc/redis/flashsale.conf" >"$folder/deb/loaded.conf"
  grep -q "^loadmodule $root/usr/lib/redis/modules/libflashsale.so$" "$folder/deb/loaded.conf" ||
    die "the settings name another place than the package's"
  check_load "$folder/deb/loaded.conf"
}

# The drop-in beside the unit that it is for.
check_units() {
  local units said
  command -v systemd-analyze >/dev/null 2>&1 || { say "SKIPPED: no systemd-analyze here"; return; }
  units=$(mktemp -d)
  cp "$root"/usr/lib/systemd/system/redis-server.service "$units/"
  mkdir "$units/redis-server.service.d"
  for said in "$root"/usr/lib/systemd/system/redis-server.service.d/flashsale.conf examples/install/systemd.conf; do
    cp "$said" "$units/redis-server.service.d/flashsale.conf"
    said=$(SYSTEMD_UNIT_PATH=$units: systemd-analyze verify --man=no "$units/redis-server.service" 2>&1 |
      grep flashsale.conf) || true
    [ -z "$said" ] || die "the drop-in: $said"
  done
  rm -rf "$units"
}

# --- what there is to be done -----------------------------------------------------

export PATH="$PWD/target/tools/bin:$PATH"
case ${1:-} in
  tarball) make_tarball ;;
  sbom) make_sbom ;;
  deb) make_deb ;;
  companion) make_companion ;;
  *) die "say what: tarball, sbom, deb or companion" ;;
esac
