#!/usr/bin/env bash
# Starts a server with the module: redis.conf, on PORT, data below ./data.
#
#   PORT=6380 scripts/run.sh          prints what to try, then the server takes the
#                                     terminal; Ctrl-C ends it
#   PORT=6380 scripts/run.sh check    only sees whether the port is free
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PORT:-6379}
case "$port" in
  '' | *[!0-9]*) echo "run: PORT is not a number: $port" >&2; exit 2 ;;
esac
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  cat >&2 <<TAKEN
run: port $port is taken: something listens there already.
     Choose another one:            make run PORT=$((port + 1))
     If it is the system's Redis:   sudo systemctl stop redis-server
TAKEN
  exit 1
fi

[ "${1:-}" != check ] || exit 0

# Redis if there is one, else Valkey; FLASHSALE_SERVER names another program.
server=${FLASHSALE_SERVER:-$(command -v redis-server || command -v valkey-server)}
cli=redis-cli
command -v redis-cli >/dev/null 2>&1 || cli=valkey-cli
[ "$port" = 6379 ] || cli="$cli -p $port"

mkdir -p data
cat <<TRY

  $(basename "$server") with flashsale on port $port, data in ./data. Try in another terminal:

    $cli FLASHSALE.CREATE demo demo:orders STOCK 100 USERLIMIT 2
    $cli FLASHSALE.RESERVE demo ann 1 ID ann-1
    $cli FLASHSALE.CHECKOUT demo demo:orders ann-1 REF charge-1
    $cli FLASHSALE.RESERVE demo ann 2 ID ann-2
    $cli FLASHSALE.STOCK demo
    $cli XRANGE demo:orders - +

  The second RESERVE is refused: ann may have two, and has one. To start afresh:
  $cli DEL demo demo:orders. Ctrl-C ends the server.

TRY
exec "$server" ./redis.conf --port "$port"
