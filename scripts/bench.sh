#!/usr/bin/env bash
# Measures the release build on this machine, all in one run, and prints a line for each figure: its name, a tab, the
# figure. Take ratios: machines are noisy. PARTS= names the parts that are wanted, all without:
#
#   embedded      the whole mesh in one process, with no server
#   servers       the same process on RabbitMQ, PostgreSQL and Redis
#   services      each service alone, doing nothing: its memory
#   mesh          as it is deployed: each service a process of its own; webhooks in, read at the desk
#   replies       the same mesh: what agents answer, out to a provider that is played here, and its receipts back
#   distribution  10,000 agents and 100,000 conversations that wait: a decision, and what it asks of the store
#   backlog       BACKLOG= webhooks that wait on the broker, and a router that works them off
#
# MESSAGES=, REPLIES=, SECONDS_AT_RATE=, CONVERSATIONS= and BACKLOG= change the size, MESH_REPLICAS= is how many of each
# service there are in `mesh` and `replies`, SHARED_BUFFERS= is PostgreSQL's memory.
set -euo pipefail
cd "$(dirname "$0")/.."

MESSAGES=${MESSAGES:-60000}
REPLIES=${REPLIES:-20000}
SECONDS_AT_RATE=${SECONDS_AT_RATE:-20}
# How many conversations exist for the last runs of each shape: cost per message should not grow with them.
CONVERSATIONS=${CONVERSATIONS:-10000 100000}
# How many messages wait on the broker before somebody works on them.
BACKLOG=${BACKLOG:-100000}
PARTS=${PARTS:-embedded servers services mesh replies distribution backlog}
MESH_REPLICAS=${MESH_REPLICAS:-1}
# WhatsApp lets an account send 20 messages a second: with too few accounts, that is all that replies would measure.
REPLY_ACCOUNTS=${REPLY_ACCOUNTS:-100}
work=$(mktemp -d -t afluente-bench.XXXXXX)
chmod 755 "$work"
dev=""
stop_dev() { if [ -n "$dev" ]; then kill -TERM "$dev" 2>/dev/null || true; wait "$dev" 2>/dev/null || true; dev=""; fi; }
# The services that run, as name=pid.
services=()
stop_services() {
  local one
  for one in "${services[@]}"; do kill -TERM "${one#*=}" 2>/dev/null || true; wait "${one#*=}" 2>/dev/null || true; done
  services=()
}
cleanup() { stop_dev; stop_services; scripts/servers.sh discard "$work/servers" || true; rm -rf "$work"; }
trap cleanup EXIT

part() { [[ " $PARTS " == *" $1 "* ]]; }
cargo build --release --quiet -p afluente -p afluente-load
cargo build --release --quiet -p afluente-adapter-sql --example commits
if part distribution; then
  cargo build --release --quiet -p afluente-adapter-sql --example looks
  cargo build --release --quiet -p afluente-routing --example distribution
fi
bin=target/release/afluente
load=target/release/afluente-load
examples=target/release/examples
# The environment of every service and command: which servers it works on.
place=()
afluente() { env "${place[@]}" "$bin" "$@"; }
figure() { printf '%s\t%s\n' "$1" "$2"; }
# A figure for each line that the command prints.
figures() { # label, command
  local label=$1 line; shift
  "$@" | while IFS= read -r line; do figure "$label" "$line"; done
}
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

# CPU of all that this script started and waited for, in milliseconds: around a run of the load generator, that one's.
cpu_of_load() { awk -v ticks="$(getconf CLK_TCK)" '{print int(($16 + $17) * 1000 / ticks)}' "/proc/$$/stat"; }

start_dev() { # name; answers in `dev` and `doors`
  local name=$1 port email password secret
  port=$(spare_port)
  local begun; begun=$(date +%s%N)
  env RUST_LOG=error "${place[@]}" "$bin" dev --port "$port" --data "$work/$name" > "$work/$name.out" &
  dev=$!
  until grep -q '^sign-in: ' "$work/$name.out" 2>/dev/null; do sleep 0.01; done
  figure "$name start to ready, ms" "$((($(date +%s%N) - begun) / 1000000))"
  read -r _ email password < <(grep '^sign-in: ' "$work/$name.out")
  secret=$(afluente account list --json --data "$work/$name" |
    python3 -c 'import json, sys; print(next(a["secret"] for a in json.load(sys.stdin) if a["name"] == "demo-whatsapp"))')
  doors=(--host "127.0.0.1:$port" --secret "$secret" --email "$email" --password "$password")
  figure "$name resident idle, KiB" "$(rss "$dev")"
}

put_load() { "$load" mesh "${doors[@]}" "$@"; }
run_load() { # label, arguments
  local label=$1; shift
  figure "$label" "$(put_load "$@")"
}

# Flat out, and what a message costs each process, in microseconds of CPU.
flat_out() { # label, messages, command; the processes are in `watched` as name=pid; answers in `limit`
  local label=$1 messages=$2 one name result own; shift 2
  local -A before=()
  for one in "${watched[@]}"; do before[${one%%=*}]=$(cpu "${one#*=}"); done
  own=$(cpu_of_load)
  result=$("$@" --messages "$messages" --connections 256)
  own=$(($(cpu_of_load) - own))
  figure "$label" "$result"
  for one in "${watched[@]}"; do
    name=${one%%=*}
    figure "$label, CPU per message of $name, µs" "$((($(cpu "${one#*=}") - before[$name]) * 1000 / messages))"
  done
  figure "$label, CPU per message of the load generator, µs" "$((own * 1000 / messages))"
  limit=$(field "$result" per_second)
}

# The latency at shares of what `flat_out` found last.
at_shares() { # label, first number, how much further on it is for each percent, command
  local label=$1 first=$2 step=$3 share rate; shift 3
  for share in 10 50 80; do
    rate=$((limit * share / 100))
    figure "$label at $share % of that" "$("$@" --rate "$rate" --messages $((rate * SECONDS_AT_RATE / 2)) \
      --first $((first + share * step)) --turn "$share")"
  done
}

ask_store() { psql -X -A -t -d "${store:-$AFLUENTE_TEST_POSTGRES}" -c "$1"; }
# What many new rows leave to be done is not counted among the messages that come after them.
settle() { if [ "$1" != embedded ]; then ask_store "VACUUM ANALYZE" > /dev/null; ask_store CHECKPOINT > /dev/null; fi; }

# A database of its own, for what nobody shall find beside the mesh.
make_database() { # name; prints its URL
  ask_store "CREATE DATABASE $1" > /dev/null
  echo "${AFLUENTE_TEST_POSTGRES%/*}/$1"
}

# The environment of a mesh on the servers.
on_servers() { # namespace, URL of its database
  place=("AFLUENTE_MESH__AMQP_URL=$AFLUENTE_TEST_AMQP" "AFLUENTE_MESH__POSTGRES_URL=$2"
    "AFLUENTE_MESH__REDIS_URL=$AFLUENTE_TEST_REDIS" "AFLUENTE_MESH__NAMESPACE=$1")
}

raw_limits() {
  local url
  figure "raw RabbitMQ" "$("$load" raw-amqp --url "$AFLUENTE_TEST_AMQP" --messages "$MESSAGES")"
  # What it writes is for nobody to relay.
  url=$(make_database raw)
  figures "raw PostgreSQL" "$examples/commits" "$url"
  # What it wrote is not vacuumed beside the mesh.
  ask_store "DROP DATABASE raw" > /dev/null
}

measure() { # name
  run_load "$1 at 200/s" --rate 200 --messages $((200 * SECONDS_AT_RATE)) --first 10000000
  run_load "$1 at 1000/s" --rate 1000 --messages $((1000 * SECONDS_AT_RATE)) --first 20000000
  settle "$1"
  flat_out "$1 flat out" "$MESSAGES" put_load --first 30000000
  settle "$1"
  at_shares "$1" 40000000 100000 put_load
  figure "$1 resident after, KiB" "$(rss "$dev")"
  settle "$1"
  flat_out "$1 flat out among 1000 conversations" "$MESSAGES" put_load --first 30000000 --turn 1
  local count first=60000000 among
  for count in $CONVERSATIONS; do
    put_load --messages "$count" --connections 256 --customers "$count" --first "$first" > /dev/null
    settle "$1"
    # Here and there among them: not those that were made together. PostgreSQL writes a page whole that is touched for
    # the first time after a checkpoint, which comes every few minutes: the second run goes on without.
    among=(put_load --first "$first" --customers "$count" --stride 7919)
    flat_out "$1 flat out among $count conversations, after a checkpoint" "$MESSAGES" "${among[@]}" --turn 1
    flat_out "$1 flat out among $count conversations" "$MESSAGES" "${among[@]}" --turn 2
    figure "$1 resident with them, KiB" "$(rss "$dev")"
    first=$((first + 10000000))
  done
}

spawn_service() { # its name, with -NUMBER where there are several; then environment; answers in `port` and `one`
  local name=$1; shift
  port=$(spare_port)
  env RUST_LOG=error "${place[@]}" "$@" "$bin" "${name%-*}" --config "$work/mesh.toml" --listen "127.0.0.1:$port" \
    --data "$work/$name" > "$work/$name.out" 2>&1 &
  one=$!
  services+=("$name=$one")
}

until_ready() { # its name, its port, its pid
  until curl -fsS -o /dev/null "http://127.0.0.1:$2/readyz" 2>/dev/null; do
    kill -0 "$3" 2>/dev/null || { echo "bench.sh: $1 ended: $(< "$work/$1.out")" >&2; return 1; }
    sleep 0.05
  done
}

start_service() { # as spawn_service
  spawn_service "$@"
  until_ready "$1" "$port" "$one"
}

add_user() { # organization, role; answers in `email` and `password`
  email=ana@${1,,}.example
  password=$1-Pass-1!
  afluente user add --organization "$1" --queue Fila --email "$email" --name ana --role "$2" --password "$password" > /dev/null
}

add_account() { # organization, name, the hook's secret, further settings
  local organization=$1 name=$2 secret=$3; shift 3
  afluente account add --organization "$organization" --queue Fila --channel whatsapp --name "$name" --setting app_name=LojaDemo \
    --setting source=551130000000 --secret api_key=key --secret "webhook_secret=$secret" "$@" > /dev/null
}

# Each service alone, on the servers: what it holds when nothing happens.
measure_services() {
  local service
  for service in router session desk whatsapp telegram webchat; do
    start_service "$service"
    # Its start is over after five, and then it does what it does when nothing happens.
    sleep 10
    figure "$service alone, resident idle, KiB" "$(rss "$one")"
    stop_services
  done
  local -A together=()
  for service in router session desk whatsapp telegram webchat; do
    start_service "$service"
    together[$service]=$one
  done
  sleep 3
  for service in "${!together[@]}"; do
    figure "$service beside the others, its own and its share of the program, KiB" "$(share "${together[$service]}")"
  done
  stop_services
}

# Roughly, and without reading them.
stored() { ask_store "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'messages'"; }

# A channel alone takes BACKLOG webhooks; then the router and the session service come and work them off.
measure_backlog() {
  local before begun router peak=0 now
  add_user Bench agent
  add_account Bench loja "Bearer backlog"
  afluente broker setup > /dev/null
  start_service whatsapp
  figure "backlog" "$("$load" backlog --host "127.0.0.1:$port" --hook /hooks/whatsapp/loja --secret "Bearer backlog" --messages "$BACKLOG")"
  figure "backlog, whatsapp resident after, KiB" "$(rss "$one")"
  before=$(stored)
  start_service session
  start_service router
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
  stop_services
}

# The mesh as it is deployed, but for the users of the broker. It is a mesh of its own, with nothing of an earlier part.
start_mesh() {
  local service replica secret="Bearer mesh"
  local -A ports=() pids=()
  settle servers
  store=$(make_database mesh)
  on_servers mesh "$store"
  provider=127.0.0.1:$(spare_port)
  place+=("AFLUENTE_MESH__HTTP_ALLOW=[\"$provider\"]")
  add_user Mesh administrator
  add_account Mesh mesh-0 "$secret" --setting "base_url=http://$provider/0"
  afluente broker setup > /dev/null
  doors=(--secret "$secret" --email "$email" --password "$password")
  # Replicas start side by side: a partition is whose asks for it first. Each router has its session service, each desk its
  # router; for who calls nobody, or is called by nobody yet, any port will do.
  for service in session router desk whatsapp; do
    for replica in $(seq "$MESH_REPLICAS"); do
      spawn_service "$service-$replica" "AFLUENTE_PEERS__SESSION=http://127.0.0.1:${ports[session-$replica]:-1}" \
        "AFLUENTE_PEERS__ROUTER=http://127.0.0.1:${ports[router-$replica]:-1}"
      ports[$service-$replica]=$port pids[$service-$replica]=$one
    done
    for replica in $(seq "$MESH_REPLICAS"); do
      until_ready "$service-$replica" "${ports[$service-$replica]}" "${pids[$service-$replica]}"
    done
  done
  for replica in $(seq "$MESH_REPLICAS"); do
    doors+=(--desk "127.0.0.1:${ports[desk-$replica]}" --host "127.0.0.1:${ports[whatsapp-$replica]}")
  done
  watched=("${services[@]}" "${servers[@]}")
}

resident() { # after what
  local one
  for one in "${services[@]}"; do figure "$1, ${one%%=*} resident after, KiB" "$(rss "${one#*=}")"; done
}

# Everybody has a conversation before anything is measured: opening it is not the cost of a message.
measure_mesh() {
  local to=(put_load --hook /hooks/whatsapp/mesh-0) first=30000000
  "${to[@]}" --first "$first" --messages 1000 > /dev/null
  settle mesh
  figure "mesh at 200/s" "$("${to[@]}" --first "$first" --turn 1 --rate 200 --messages $((200 * SECONDS_AT_RATE)))"
  figure "mesh at 1000/s" "$("${to[@]}" --first "$first" --turn 2 --rate 1000 --messages $((1000 * SECONDS_AT_RATE)))"
  settle mesh
  flat_out "mesh flat out" "$MESSAGES" "${to[@]}" --first "$first" --turn 3
  settle mesh
  at_shares mesh "$first" 0 "${to[@]}"
  resident mesh
}

measure_replies() {
  local number first=80000000
  for number in $(seq $((REPLY_ACCOUNTS - 1))); do
    add_account Mesh "mesh-$number" "Bearer mesh" --setting "base_url=http://$provider/$number"
  done
  # The channel looks for new accounts every three seconds.
  sleep 5
  figure "replies, what the accounts may send per second" "$((20 * REPLY_ACCOUNTS))"
  local of=("$load" replies "${doors[@]}" --provider "$provider" --accounts "$REPLY_ACCOUNTS" --conversations "$work/conversations")
  # The customers write first, and each is answered once.
  "${of[@]}" --first "$first" --messages 1000 > /dev/null
  settle mesh
  figure "replies at 50/s" "$("${of[@]}" --first "$first" --turn 1 --rate 50 --messages $((50 * SECONDS_AT_RATE)))"
  flat_out "replies flat out" "$REPLIES" "${of[@]}" --first "$first" --turn 2
  settle mesh
  at_shares replies "$first" 0 "${of[@]}"
  resident replies
}

measure_distribution() {
  local url
  figures "distribution" "$examples/distribution"
  figures "distribution, SQLite" "$examples/looks" "$work/looks.db"
  url=$(make_database looks)
  figures "distribution, PostgreSQL" "$examples/looks" "$url"
  ask_store "DROP DATABASE looks" > /dev/null
}

if part embedded; then
  figure "raw embedded bus" "$("$load" raw-embedded --messages "$MESSAGES")"
  figures "raw SQLite" "$examples/commits" "$work/raw.db"
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
servers=("RabbitMQ=$AFLUENTE_TEST_RABBITMQ_PID" "PostgreSQL=$AFLUENTE_TEST_POSTGRES_PID" "Redis=$AFLUENTE_TEST_REDIS_PID")
on_servers bench "$AFLUENTE_TEST_POSTGRES"
if part servers; then
  raw_limits
  start_dev servers
  watched=("afluente=$dev" "${servers[@]}")
  measure servers
  stop_dev
fi
"$bin" keys > "$work/mesh.toml"
if part services; then measure_services; fi
if part mesh || part replies; then
  raw_limits
  start_mesh
  if part mesh; then measure_mesh; fi
  if part replies; then measure_replies; fi
  stop_services
  store=""
  on_servers bench "$AFLUENTE_TEST_POSTGRES"
fi
if part distribution; then measure_distribution; fi
if part backlog; then measure_backlog; fi
