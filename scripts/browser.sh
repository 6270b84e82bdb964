#!/usr/bin/env bash
# The browser tests: the real page in a real browser, against the real binary.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${AFLUENTE_BIN:=$PWD/target/debug/afluente}"
export AFLUENTE_BIN
[ -x "$AFLUENTE_BIN" ] || cargo build -p afluente
cd tests/browser
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error
fi
exec node --test --test-concurrency=1 --test-reporter=spec "$@"
