#!/usr/bin/env bash
# Plays each case of the shops in examples/, then rushes each while its parts are killed; all of it
# with a sale of one key, and with a split sale of four parts.
#
#   scripts/test_shops.sh              500 buyers a shop, twice, and on a split sale twice: of one server,
#                                      and of a cluster with a driver; `scripts/setup.sh shops companion`
#   scripts/test_shops.sh short        60 buyers a shop, while the cases are played; of a split sale the
#                                      most important ones
#   scripts/test_shops.sh short node   one of the shops: python, node
#
# FLASHSALE_SERVER is the server's program, else redis-server of the path.
set -euo pipefail
cd "$(dirname "$0")/.."

shops=()
for word in "$@"; do
  case $word in
    # The tests look at it.
    short) export FLASHSALE_RUN=short ;;
    python | node) shops+=("$word") ;;
    *) echo "test_shops: what is '$word'?" >&2; exit 2 ;;
  esac
done
[ ${#shops[@]} -gt 0 ] || shops=(python node)

root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
installed=$root/target/shops
python=$installed/python/bin/python
built=$target/shops/built

cargo build --locked --quiet
export FLASHSALE_MODULE=$target/debug/libflashsale.so
if [ "${FLASHSALE_RUN:-}" != short ]; then
  # The driver of a split sale.
  CARGO_TARGET_DIR=$target/companion cargo build --locked --quiet --manifest-path companion/Cargo.toml
  export FLASHSALE_PROGRAM=$target/companion/debug/flashsale
fi
unset PYTHONPATH SHOP_SPLIT SHOP_CLUSTER
export PYTHONDONTWRITEBYTECODE=1
rm -rf "$built"
mkdir -p "$built"

# Each with its client as it would be installed. Sets SHOP_FOLDER, which the tests look at.
prepare_python() {
  (cd clients/python && "$python" -m hatchling build -t wheel -d "$built" >/dev/null)
  "$python" -m pip --disable-pip-version-check install -q --no-deps --no-index --force-reinstall "$built"/*.whl
  export SHOP_FOLDER=$root/examples/shop-python
  (cd "$SHOP_FOLDER" && "$python" -m mypy --strict --cache-dir "$target/shops/mypy" ./*.py)
  (cd "$SHOP_FOLDER/tests" &&
    MYPYPATH=..:$root/clients/python/tests "$python" -m mypy --strict --cache-dir "$target/shops/mypy" ./*.py)
}

prepare_node() {
  export SHOP_FOLDER=$installed/shop-node
  local package=$SHOP_FOLDER/package client=$SHOP_FOLDER/node_modules/flashsale-client
  rm -rf "$package" "$client"
  mkdir -p "$package" "$client" "$installed/shop-python"
  cp -r clients/typescript/{src,README.md,package.json,tsconfig.json} "$package/"
  "$SHOP_FOLDER/node_modules/.bin/tsc" -p "$package"
  (cd "$package" && npm pack --silent --ignore-scripts --pack-destination "$built" >/dev/null)
  tar -xzf "$built"/*.tgz --strip-components=1 -C "$client"
  # Beside what both shops share, as in examples/.
  cp examples/shop-python/{*.sql,*.html,*.css,*.js} "$installed/shop-python/"
  cp examples/shop-node/{*.js,tsconfig.json} "$SHOP_FOLDER/"
  "$SHOP_FOLDER/node_modules/.bin/tsc" -p "$SHOP_FOLDER"
}

cases="test_cases.py test_door.py test_lost.py test_seats.py"
# What a split sale has as well: it has no seats.
cases_of_parts="test_parts.py test_cases.py test_door.py test_lost.py"
parts=4
# The first word: one or several files of tests, the others are pytest's.
play() {
  local files
  read -ra files <<<"$1"
  "$python" -m pytest -q -p no:cacheprovider "${files[@]/#/examples/shop-python/tests/}" "${@:2}"
}

# All of them at once: they wait for deadlines most of the time.
play_short() {
  local failed=0 rush sharing split
  play test_rush.py >"$target/shops/rush.log" 2>&1 &
  rush=$!
  SHOP_SPLIT=$parts play "$cases_of_parts test_rush.py" -m parts >"$target/shops/parts.log" 2>&1 &
  split=$!
  play "$cases" -m long >"$target/shops/cases.log" 2>&1 &
  sharing=$!
  play "$cases" -m "not long" || failed=1
  wait "$sharing" || failed=1
  wait "$rush" || failed=1
  wait "$split" || failed=1
  cat "$target/shops/cases.log" "$target/shops/rush.log" "$target/shops/parts.log"
  return "$failed"
}

for shop in "${shops[@]}"; do
  echo "shop in $shop: types"
  "prepare_$shop"
  echo "shop in $shop: tests"
  # Looks into the jobs of this one.
  [ "$shop" != python ] || { play test_jobs.py; play test_books.py; }
  if [ "${FLASHSALE_RUN:-}" = short ]; then
    play_short
  else
    play "$cases"
    play test_rush.py
    SHOP_SPLIT=$parts play "$cases_of_parts test_rush.py"
    SHOP_CLUSTER=yes SHOP_SPLIT=12 play "test_parts.py test_rush.py" -k "away or rush"
  fi
done
