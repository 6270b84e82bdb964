#!/usr/bin/env bash
# Measures the release build on this machine, all in one run, and prints one JSON object for each figure.
# Take ratios: machines are noisy. MESSAGES= and SECONDS_AT_RATE= change the size.
set -euo pipefail
cd "$(dirname "$0")/.."

MESSAGES=${MESSAGES:-20000}
SECONDS_AT_RATE=${SECONDS_AT_RATE:-20}
work=$(mktemp -d -t afluente-bench.XXXXXX)
chmod 755 "$work"
dev=""
stop_dev() { if [ -n "$dev" ]; then kill -TERM "$dev" 2>/dev/null || true; wait "$dev" 2>/dev/null || true; dev=""; fi; }
cleanup() { stop_dev; scripts/servers.sh stop "$work/servers" || true; rm -rf "$work"; }
trap cleanup EXIT

cargo build --release --quiet -p afluente -p afluente-load
bin=target/release/afluente
load=target/release/afluente-load
figure() { printf '%s\t%s\n' "$1" "$2"; }
rss() { awk '/VmRSS/ {print $2}' "/proc/$dev/status"; }

start_dev() { # name, then environment
  local name=$1; shift
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  local begun; begun=$(date +%s%N)
  env RUST_LOG=error "$@" "$bin" dev --port "$port" --data "$work/$name" > "$work/$name.out" &
  dev=$!
  until grep -q '^sign-in: ' "$work/$name.out" 2>/dev/null; do sleep 0.01; done
  figure "$name start to ready, ms" "$((($(date +%s%N) - begun) / 1000000))"
  read -r _ email password < <(grep '^sign-in: ' "$work/$name.out")
  secret=$(env "$@" "$bin" account list --json --data "$work/$name" |
    python3 -c 'import json, sys; print(next(a["secret"] for a in json.load(sys.stdin) if a["name"] == "demo-whatsapp"))')
  figure "$name resident idle, KiB" "$(rss)"
}

run_load() { # label, arguments
  local label=$1; shift
  figure "$label" "$("$load" mesh --host "127.0.0.1:$port" --secret "$secret" --email "$email" --password "$password" "$@")"
}

measure() { # name
  run_load "$1 at 200/s" --rate 200 --messages $((200 * SECONDS_AT_RATE)) --first 10000000
  run_load "$1 at 1000/s" --rate 1000 --messages $((1000 * SECONDS_AT_RATE)) --first 20000000
  run_load "$1 flat out" --messages "$MESSAGES" --connections 256 --first 30000000
  figure "$1 resident after, KiB" "$(rss)"
}

figure "raw embedded bus" "$("$load" raw-embedded --messages "$MESSAGES")"
start_dev embedded
measure embedded
stop_dev

scripts/servers.sh start "$work/servers" > /dev/null
# shellcheck disable=SC1091
. "$work/servers/env"
figure "raw RabbitMQ" "$("$load" raw-amqp --url "$AFLUENTE_TEST_AMQP" --messages "$MESSAGES")"
start_dev servers "AFLUENTE_MESH__AMQP_URL=$AFLUENTE_TEST_AMQP" "AFLUENTE_MESH__POSTGRES_URL=$AFLUENTE_TEST_POSTGRES" \
  "AFLUENTE_MESH__REDIS_URL=$AFLUENTE_TEST_REDIS" "AFLUENTE_MESH__NAMESPACE=bench"
measure servers
