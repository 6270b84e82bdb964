#!/usr/bin/env bash
# Measures the release build on this machine, all in one run, and prints a line for each figure: its name, a tab, the
# figure. Take ratios: machines are noisy. MESSAGES=, SECONDS_AT_RATE=, CONVERSATIONS= and BACKLOG= change the size, PARTS=
# leaves parts out, SHARED_BUFFERS= is PostgreSQL's.
set -euo pipefail
cd "$(dirname "$0")/.."

MESSAGES=${MESSAGES:-60000}
SECONDS_AT_RATE=${SECONDS_AT_RATE:-20}
# How many conversations exist for the last runs of each shape: cost per message should not grow with them.
CONVERSATIONS=${CONVERSATIONS:-10000 100000}
# How many messages wait on the broker before somebody works on them.
BACKLOG=${BACKLOG:-100000}
PARTS=${PARTS:-embedded servers services backlog}
work=$(mktemp -d -t afluente-bench.XXXXXX)
chmod 755 "$work"
dev=""
stop_dev() { if [ -n "$dev" ]; then kill -TERM "$dev" 2>/dev/null || true; wait "$dev" 2>/dev/null || true; dev=""; fi; }
others=()
stop_others() { for one in "${others[@]}"; do kill -TERM "$one" 2>/dev/null || true; wait "$one" 2>/dev/null || true; done; others=(); }
cleanup() { stop_dev; stop_others; scripts/servers.sh discard "$work/servers" || true; rm -rf "$work"; }
trap cleanup EXIT

cargo build --release --quiet -p afluente -p afluente-load
cargo build --release --quiet -p afluente-adapter-sql --example commits
bin=target/release/afluente
load=target/release/afluente-load
part() { [[ " $PARTS " == *" $1 "* ]]; }
figure() { printf '%s\t%s\n' "$1" "$2"; }
rss() { awk '/VmRSS/ {print $2}' "/proc/$1/status"; }
# What it holds alone, and of what it shares its part: all processes together hold the sum.
share() { awk '/^Pss:/ {print $2}' "/proc/$1/smaps_rollup"; }
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

ask_store() { psql -X -A -t -d "$AFLUENTE_TEST_POSTGRES" -c "$1"; }
# What many new rows leave to be done is not counted among the messages that come after them.
settle() { if [ "$1" = servers ]; then ask_store "VACUUM ANALYZE" > /dev/null; ask_store CHECKPOINT > /dev/null; fi; }

measure() { # name
  run_load "$1 at 200/s" --rate 200 --messages $((200 * SECONDS_AT_RATE)) --first 10000000
  run_load "$1 at 1000/s" --rate 1000 --messages $((1000 * SECONDS_AT_RATE)) --first 20000000
  settle "$1"
  flat_out "$1 flat out" 30000000
  settle "$1"
  local share rate
  for share in 10 50 80; do
    rate=$((limit * share / 100))
    run_load "$1 at $share % of that" --rate "$rate" --messages $((rate * SECONDS_AT_RATE / 2)) --first $((40000000 + share * 100000))
  done
  figure "$1 resident after, KiB" "$(rss "$dev")"
  settle "$1"
  flat_out "$1 flat out among 1000 conversations" 30000000 --turn 1
  local count first=60000000
  for count in $CONVERSATIONS; do
    put_load --messages "$count" --connections 256 --customers "$count" --first "$first" > /dev/null
    settle "$1"
    # Here and there among them: not those that were made together. PostgreSQL writes a page whole that is touched for
    # the first time after a checkpoint, which comes every few minutes: the second run goes on without.
    flat_out "$1 flat out among $count conversations, after a checkpoint" "$first" --customers "$count" --turn 1 --stride 7919
    flat_out "$1 flat out among $count conversations" "$first" --customers "$count" --turn 2 --stride 7919
    figure "$1 resident with them, KiB" "$(rss "$dev")"
    first=$((first + 10000000))
  done
}

start_service() { # name, then environment; answers in `port` and `one`
  local service=$1; shift
  port=$(spare_port)
  env RUST_LOG=error "$@" "$bin" "$service" --config "$work/mesh.toml" --listen "127.0.0.1:$port" --data "$work/$service" > "$work/$service.out" 2>&1 &
  one=$!
  others+=("$one")
  until curl -fsS -o /dev/null "http://127.0.0.1:$port/readyz" 2>/dev/null; do sleep 0.05; done
}

# Each service alone, on the servers: what it holds when nothing happens.
measure_services() {
  local service
  for service in router session desk whatsapp telegram webchat; do
    start_service "$service" "$@"
    # Its start is over after five, and then it does what it does when nothing happens.
    sleep 10
    figure "$service alone, resident idle, KiB" "$(rss "$one")"
    stop_others
  done
  local -A together=()
  for service in router session desk whatsapp telegram webchat; do
    start_service "$service" "$@"
    together[$service]=$one
  done
  sleep 3
  for service in "${!together[@]}"; do
    figure "$service beside the others, its own and its share of the program, KiB" "$(share "${together[$service]}")"
  done
  stop_others
}

# Roughly, and without reading them.
stored() { ask_store "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'messages'"; }

# A channel alone takes BACKLOG webhooks; then the router and the session service come and work them off.
measure_backlog() {
  local before begun router peak=0 now
  env "$@" "$bin" user add --organization Bench --queue Fila --email ana@bench.example --name ana --role agent --password Bench-Pass-1! > /dev/null
  env "$@" "$bin" account add --organization Bench --queue Fila --channel whatsapp --name loja --setting app_name=LojaDemo --setting source=551130000000 \
    --secret api_key=key --secret "webhook_secret=Bearer backlog" > /dev/null
  env "$@" "$bin" broker setup > /dev/null
  start_service whatsapp "$@"
  figure "backlog" "$("$load" backlog --host "127.0.0.1:$port" --hook /hooks/whatsapp/loja --secret "Bearer backlog" --messages "$BACKLOG")"
  figure "backlog, whatsapp resident after, KiB" "$(rss "$one")"
  before=$(stored)
  start_service session "$@"
  start_service router "$@"
  router=$one
  figure "backlog, router resident before, KiB" "$(rss "$router")"
  begun=$(date +%s%N)
  until (($(stored) - before >= BACKLOG)); do
    now=$(rss "$router")
    peak=$((now > peak ? now : peak))
    figure "backlog, after $((($(date +%s%N) - begun) / 1000000000)) s" "$(($(stored) - before)) worked off, router resident $now KiB"
    sleep 5
  done
  figure "backlog, worked off per second" "$((BACKLOG * 1000 / (($(date +%s%N) - begun) / 1000000)))"
  figure "backlog, router resident at most, KiB" "$peak"
  figure "backlog, messages not in the order of their conversation" "$(ask_store "
    SELECT COUNT(*) FILTER (WHERE number <> place) FROM (SELECT substring(content FROM 'backlog ([0-9]+)')::int AS number,
      row_number() OVER (PARTITION BY conversation ORDER BY sequence) - 1 AS place
      FROM messages WHERE content LIKE '%backlog %') AS told")"
  stop_others
}

if part embedded; then
  figure "raw embedded bus" "$("$load" raw-embedded --messages "$MESSAGES")"
  target/release/examples/commits "$work/raw.db" | while IFS= read -r line; do figure "raw SQLite" "$line"; done
  start_dev embedded
  watched=("afluente=$dev")
  measure embedded
  stop_dev
fi

# PostgreSQL has its default of memory. SHARED_BUFFERS= gives it more, which a million conversations need; while it takes a
# page of that for the first time, for some minutes, messages wait longer.
scripts/servers.sh start "$work/servers" > /dev/null
# shellcheck disable=SC1091
. "$work/servers/env"
servers=("AFLUENTE_MESH__AMQP_URL=$AFLUENTE_TEST_AMQP" "AFLUENTE_MESH__POSTGRES_URL=$AFLUENTE_TEST_POSTGRES"
  "AFLUENTE_MESH__REDIS_URL=$AFLUENTE_TEST_REDIS" "AFLUENTE_MESH__NAMESPACE=bench")
if part servers; then
  figure "raw RabbitMQ" "$("$load" raw-amqp --url "$AFLUENTE_TEST_AMQP" --messages "$MESSAGES")"
  # In a database of its own: what it writes is for nobody to relay.
  ask_store "CREATE DATABASE raw" > /dev/null
  raw=$(python3 -c 'import sys; from urllib.parse import urlsplit; print(urlsplit(sys.argv[1])._replace(path="/raw").geturl())' "$AFLUENTE_TEST_POSTGRES")
  target/release/examples/commits "$raw" | while IFS= read -r line; do figure "raw PostgreSQL" "$line"; done
  # What it wrote is not vacuumed beside the mesh.
  ask_store "DROP DATABASE raw" > /dev/null
  start_dev servers "${servers[@]}"
  watched=("afluente=$dev" "RabbitMQ=$AFLUENTE_TEST_RABBITMQ_PID" "PostgreSQL=$AFLUENTE_TEST_POSTGRES_PID" "Redis=$AFLUENTE_TEST_REDIS_PID")
  measure servers
  stop_dev
fi
"$bin" keys > "$work/mesh.toml"
if part services; then measure_services "${servers[@]}"; fi
if part backlog; then measure_backlog "${servers[@]}"; fi
