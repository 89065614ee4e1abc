#!/usr/bin/env bash
# Plays each case of examples/shop-python, then rushes it while its parts are killed.
#
#   scripts/test_shops.sh          500 buyers, twice; `scripts/setup.sh shops` installs it
#   scripts/test_shops.sh short    60 buyers, while the cases are played
#
# FLASHSALE_SERVER is the server's program, else redis-server of the path.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
shop=$root/examples/shop-python
python=$root/target/shops/python/bin/python

cargo build --locked --quiet
export FLASHSALE_MODULE=$target/debug/libflashsale.so
unset PYTHONPATH
export PYTHONDONTWRITEBYTECODE=1

# The client as it would be installed.
built=$target/shops/built
rm -rf "$built"
mkdir -p "$built"
(cd clients/python && "$python" -m hatchling build -t wheel -d "$built" >/dev/null)
"$python" -m pip --disable-pip-version-check install -q --no-deps --no-index --force-reinstall "$built"/*.whl

echo "shop: types"
(cd "$shop" && "$python" -m mypy --strict --cache-dir "$target/shops/mypy" ./*.py)
(cd "$shop/tests" && MYPYPATH=..:$root/clients/python/tests "$python" -m mypy --strict --cache-dir "$target/shops/mypy" ./*.py)

play() { "$python" -m pytest -q -p no:cacheprovider "$shop/tests/$1"; }

if [ "${1:-}" = short ]; then
  # The tests look at it. Both wait for deadlines most of the time.
  export FLASHSALE_RUN=short
  rushed=0
  play test_rush.py >"$target/shops/rush.log" 2>&1 &
  play test_cases.py
  wait $! || rushed=$?
  cat "$target/shops/rush.log"
  exit "$rushed"
fi
play test_cases.py
play test_rush.py
