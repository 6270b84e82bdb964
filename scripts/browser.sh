#!/usr/bin/env bash
# The browser tests: the real page in a real browser, against the real binary.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${AFLUENTE_BIN:-}" ]; then
  cargo build --quiet -p afluente
  AFLUENTE_BIN=$PWD/target/debug/afluente
fi
export AFLUENTE_BIN
cd tests/browser
if [ ! -d node_modules ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --no-audit --no-fund --loglevel=error
fi
exec node --test --test-concurrency=1 --test-reporter=spec "$@"
