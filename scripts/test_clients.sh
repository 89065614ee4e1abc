#!/usr/bin/env bash
# Builds the clients, installs what was built beside the oldest and the newest library they
# work on, and tests each against real servers; checks their types.
#
#   scripts/test_clients.sh          everything; `scripts/setup.sh client-libraries` installs it
#   scripts/test_clients.sh short    the newest libraries and one server
#
# FLASHSALE_SERVER is the server's program, else redis-server of the path.
set -euo pipefail
cd "$(dirname "$0")/.."

ages=(newest oldest)
if [ "${1:-}" = short ]; then
  ages=(newest)
  # The tests look at these.
  export FLASHSALE_RUN=short
fi
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}
built=$target/clients/built
python() { "$root/target/clients/client-python-$1/bin/python" "${@:2}"; }

cargo build --locked --quiet
export FLASHSALE_MODULE=$target/debug/libflashsale.so FLASHSALE_CLIENTS=$root/clients
# A client that is read from here would not be the one that was built.
unset PYTHONPATH
export PYTHONDONTWRITEBYTECODE=1

python3 -m clients.generator --check
rm -rf "$built"
mkdir -p "$built"

echo "client for Python: build and types"
(cd clients/python && python newest -m hatchling build -t wheel -d "$built" >/dev/null)
(cd clients/python && python newest -m mypy --cache-dir "$target/clients/mypy" src tests)
for age in "${ages[@]}"; do
  python "$age" -m pip --disable-pip-version-check install -q --no-deps --no-index --force-reinstall "$built"/*.whl
  echo "client for Python: $(python "$age" -c 'import redis, sys; print("redis-py", redis.__version__, "on", sys.version.split()[0])')"
  python "$age" -W error::DeprecationWarning -m pytest -q -p no:cacheprovider clients/python/tests
done

echo "client for TypeScript: build"
package=$target/clients/client-node-newest/package
rm -rf "$package"
mkdir -p "$package"
cp -r clients/typescript/{src,README.md,package.json,tsconfig.json} "$package/"
"$target/clients/client-node-newest/node_modules/.bin/tsc" -p "$package"
(cd "$package" && npm pack --silent --ignore-scripts --pack-destination "$built" >/dev/null)
for age in "${ages[@]}"; do
  folder=$target/clients/client-node-$age
  rm -rf "$folder/node_modules/flashsale-client" "$folder/tests"
  mkdir -p "$folder/node_modules/flashsale-client" "$folder/tests"
  tar -xzf "$built"/*.tgz --strip-components=1 -C "$folder/node_modules/flashsale-client"
  cp clients/typescript/tests/*.ts clients/typescript/tests/tsconfig.json "$folder/tests/"
  echo '{ "type": "module" }' >"$folder/tests/package.json"
  python3 clients/typescript/tests/readme.py >"$folder/tests/readme.test.ts"
  "$folder/node_modules/.bin/tsc" -p "$folder/tests"
  echo "client for TypeScript: node-redis $(node -p "require('$folder/node_modules/@redis/client/package.json').version") on Node.js $(node --version)"
  (cd "$folder" && python newest "$root/clients/python/tests/servers.py" node --test --test-concurrency=1 --test-timeout=60000 \
    --test-reporter="$root/clients/typescript/tests/reporter.mjs" tests/out/)
done
