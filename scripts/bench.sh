#!/usr/bin/env bash
# Measures the release build on this machine, all in one run, and prints a line for each figure: its name, a tab, the
# figure. Take ratios: machines are noisy. MESSAGES=, SECONDS_AT_RATE= and CONVERSATIONS= change the size.
set -euo pipefail
cd "$(dirname "$0")/.."

MESSAGES=${MESSAGES:-20000}
SECONDS_AT_RATE=${SECONDS_AT_RATE:-20}
# How many conversations exist for the last run of each shape: cost per message should not grow with them.
CONVERSATIONS=${CONVERSATIONS:-100000}
work=$(mktemp -d -t afluente-bench.XXXXXX)
chmod 755 "$work"
dev=""
stop_dev() { if [ -n "$dev" ]; then kill -TERM "$dev" 2>/dev/null || true; wait "$dev" 2>/dev/null || true; dev=""; fi; }
cleanup() { stop_dev; scripts/servers.sh discard "$work/servers" || true; rm -rf "$work"; }
trap cleanup EXIT

cargo build --release --quiet -p afluente -p afluente-load
cargo build --release --quiet -p afluente-adapter-sql --example commits
bin=target/release/afluente
load=target/release/afluente-load
figure() { printf '%s\t%s\n' "$1" "$2"; }
rss() { awk '/VmRSS/ {print $2}' "/proc/$1/status"; }
spare_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
field() { python3 -c 'import json, sys; print(int(json.loads(sys.argv[1])[sys.argv[2]]))' "$1" "$2"; }

# CPU so far of a process and all that it started, in milliseconds.
cpu() {
  python3 - "$1" <<'PY'
import os, sys
known = {}
for name in filter(str.isdigit, os.listdir("/proc")):
    try:
        fields = open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()
    except OSError:
        continue
    known[int(name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
total, look = 0, [int(sys.argv[1])]
while look:
    process = look.pop()
    total += known.get(process, (0, 0))[1]
    look += [child for child, (parent, _) in known.items() if parent == process]
print(total * 1000 // os.sysconf("SC_CLK_TCK"))
PY
}

start_dev() { # name, then environment
  local name=$1; shift
  port=$(spare_port)
  local begun; begun=$(date +%s%N)
  env RUST_LOG=error "$@" "$bin" dev --port "$port" --data "$work/$name" > "$work/$name.out" &
  dev=$!
  until grep -q '^sign-in: ' "$work/$name.out" 2>/dev/null; do sleep 0.01; done
  figure "$name start to ready, ms" "$((($(date +%s%N) - begun) / 1000000))"
  read -r _ email password < <(grep '^sign-in: ' "$work/$name.out")
  secret=$(env "$@" "$bin" account list --json --data "$work/$name" |
    python3 -c 'import json, sys; print(next(a["secret"] for a in json.load(sys.stdin) if a["name"] == "demo-whatsapp"))')
  figure "$name resident idle, KiB" "$(rss "$dev")"
}

put_load() { "$load" mesh --host "127.0.0.1:$port" --secret "$secret" --email "$email" --password "$password" "$@"; }
run_load() { # label, arguments
  local label=$1; shift
  figure "$label" "$(put_load "$@")"
}

# Flat out, and what a message costs each process, in microseconds of CPU.
flat_out() { # label, first number, arguments; the processes are in `watched` as name=pid
  local label=$1 first=$2 one name result; shift 2
  local -A before=()
  for one in "${watched[@]}"; do before[${one%%=*}]=$(cpu "${one#*=}"); done
  result=$(put_load --messages "$MESSAGES" --connections 256 --first "$first" "$@")
  figure "$label" "$result"
  for one in "${watched[@]}"; do
    name=${one%%=*}
    figure "$label, CPU per message of $name, µs" "$((($(cpu "${one#*=}") - before[$name]) * 1000 / MESSAGES))"
  done
  limit=$(field "$result" per_second)
}

measure() { # name
  run_load "$1 at 200/s" --rate 200 --messages $((200 * SECONDS_AT_RATE)) --first 10000000
  run_load "$1 at 1000/s" --rate 1000 --messages $((1000 * SECONDS_AT_RATE)) --first 20000000
  flat_out "$1 flat out" 30000000
  local share rate
  for share in 10 50 80; do
    rate=$((limit * share / 100))
    run_load "$1 at $share % of that" --rate "$rate" --messages $((rate * SECONDS_AT_RATE / 2)) --first $((40000000 + share * 100000))
  done
  figure "$1 resident after, KiB" "$(rss "$dev")"
  put_load --messages "$CONVERSATIONS" --connections 256 --customers "$CONVERSATIONS" --first 60000000 > /dev/null
  flat_out "$1 flat out among $CONVERSATIONS conversations" 60000000 --customers "$CONVERSATIONS" --turn 1
  figure "$1 resident with them, KiB" "$(rss "$dev")"
}

# Each service alone, on the servers: what it holds when nothing happens.
measure_services() {
  local service one
  "$bin" keys > "$work/mesh.toml"
  for service in router session desk whatsapp telegram webchat; do
    port=$(spare_port)
    env RUST_LOG=error "$@" "$bin" "$service" --config "$work/mesh.toml" --listen "127.0.0.1:$port" --data "$work/$service" > /dev/null 2>&1 &
    one=$!
    until curl -fsS -o /dev/null "http://127.0.0.1:$port/livez" 2>/dev/null; do sleep 0.05; done
    sleep 3
    figure "$service alone, resident idle, KiB" "$(rss "$one")"
    kill -TERM "$one"; wait "$one" || true
  done
}

figure "raw embedded bus" "$("$load" raw-embedded --messages "$MESSAGES")"
target/release/examples/commits "$work/raw.db" | while IFS= read -r line; do figure "raw SQLite" "$line"; done
start_dev embedded
watched=("afluente=$dev")
measure embedded
stop_dev

scripts/servers.sh start "$work/servers" > /dev/null
# shellcheck disable=SC1091
. "$work/servers/env"
figure "raw RabbitMQ" "$("$load" raw-amqp --url "$AFLUENTE_TEST_AMQP" --messages "$MESSAGES")"
target/release/examples/commits "$AFLUENTE_TEST_POSTGRES" | while IFS= read -r line; do figure "raw PostgreSQL" "$line"; done
servers=("AFLUENTE_MESH__AMQP_URL=$AFLUENTE_TEST_AMQP" "AFLUENTE_MESH__POSTGRES_URL=$AFLUENTE_TEST_POSTGRES"
  "AFLUENTE_MESH__REDIS_URL=$AFLUENTE_TEST_REDIS" "AFLUENTE_MESH__NAMESPACE=bench")
start_dev servers "${servers[@]}"
watched=("afluente=$dev" "RabbitMQ=$AFLUENTE_TEST_RABBITMQ_PID" "PostgreSQL=$AFLUENTE_TEST_POSTGRES_PID" "Redis=$AFLUENTE_TEST_REDIS_PID")
measure servers
stop_dev
measure_services "${servers[@]}"
