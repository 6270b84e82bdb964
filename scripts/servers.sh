#!/usr/bin/env bash
# Private RabbitMQ, PostgreSQL and Redis for tests: spare loopback ports, all data in one folder, ended by pid.
#
#   servers.sh start DIR [NAME...]   start (again); NAME is rabbitmq, postgres or redis; all three without one
#   servers.sh stop  DIR [NAME...]   end in good order; data and ports are kept, so start goes on with them
#   servers.sh discard DIR           end without care for the data, and remove DIR
#   servers.sh kill  DIR [NAME...]   end with SIGKILL, for tests of crashes
#   servers.sh ctl   DIR ARGS...     rabbitmqctl against the private broker
#   servers.sh users DIR             make the users of the `rabbitmqctl set_permissions` lines on standard input, the
#                                    password of each its name; one call for all, since rabbitmqctl is slow to start
#   servers.sh run   COMMAND...      start in a temporary folder, run COMMAND with DIR/env, stop, remove the folder
#
# `start` writes DIR/env with AFLUENTE_TEST_AMQP, AFLUENTE_TEST_POSTGRES, AFLUENTE_TEST_REDIS and the pids.
# SHARED_BUFFERS= gives PostgreSQL more memory than its 128 MB.
# What the machine already runs is never touched: other ports, other Erlang name service, no service manager.
set -euo pipefail

readonly ALL=(rabbitmq postgres redis)

fail() {
  echo "servers.sh: $*" >&2
  exit 1
}

# The first existing program among the arguments. Debian keeps several outside of PATH.
program() {
  local candidate
  for candidate in "$@"; do
    if command -v "$candidate" >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  fail "none of these is installed: $* (scripts/install.sh installs them)"
}

listens() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A port that nobody listens on, below the range that the kernel gives to clients, kept in DIR/ports for restarts.
port() {
  local name=$1 candidate
  if ! grep -qs "^$name " "$dir/ports"; then
    for _ in $(seq 200); do
      candidate=$((20000 + RANDOM % 12000))
      if ! listens "$candidate" && ! grep -qs " $candidate\$" "$dir/ports"; then
        echo "$name $candidate" >>"$dir/ports"
        break
      fi
    done
  fi
  sed -n "s/^$name //p" "$dir/ports"
}

# A process is known by its pid and its start time, so a pid that was given to somebody else is never signalled.
birth() {
  sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20
}

alive() {
  local pid born
  [[ -s "$dir/$1.pid" ]] || return 1
  read -r pid born <"$dir/$1.pid"
  [[ -n "$born" && "$(birth "$pid")" == "$born" ]]
}

# Starts a command in the background in a session of its own: a Ctrl-C for the caller does not reach it.
launch() {
  local name=$1
  shift
  setsid "$@" </dev/null >>"$dir/$name.log" 2>&1 &
  echo "$! $(birth $!)" >"$dir/$name.pid"
}

# Waits until the server listens; its log is the error message when it does not.
await() {
  local name=$1 at=$2 deadline=$((SECONDS + ${3:-60}))
  until listens "$at"; do
    if ! alive "$name" || ((SECONDS > deadline)); then
      tail -n 25 "$dir/$name.log" >&2 || true
      fail "$name did not start (log above, folder $dir)"
    fi
    sleep 0.1
  done
}

# Ends one process: SIGNAL, then SIGKILL after 30 seconds.
end() {
  local name=$1 signal=$2 pid deadline=$((SECONDS + 30))
  alive "$name" || { rm -f "$dir/$name.pid"; return 0; }
  read -r pid _ <"$dir/$name.pid"
  kill "-$signal" "$pid" 2>/dev/null || true
  while alive "$name"; do
    if ((SECONDS > deadline)); then
      echo "servers.sh: $name ($pid) ignores $signal, killing it" >&2
      kill -KILL "$pid" 2>/dev/null || true
    fi
    sleep 0.05
  done
  rm -f "$dir/$name.pid"
}

rabbit_env() {
  local home="$dir/rabbitmq"
  mkdir -p "$home/mnesia" "$home/log"
  touch "$home/empty.conf"
  [[ -s "$home/.erlang.cookie" ]] || (umask 077 && head -c 24 /dev/urandom | base64 | tr -dc 'A-Za-z0-9' >"$home/.erlang.cookie")
  chmod 400 "$home/.erlang.cookie"
  echo '[].' >"$home/enabled_plugins"
  cat >"$home/rabbitmq.conf" <<CONF
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 1GB
CONF
  export HOME="$home" LC_ALL=C.UTF-8
  ERL_EPMD_PORT=$(port epmd)
  RABBITMQ_NODE_PORT=$(port amqp)
  RABBITMQ_DIST_PORT=$(port dist)
  export ERL_EPMD_PORT RABBITMQ_NODE_PORT RABBITMQ_DIST_PORT ERL_EPMD_ADDRESS=127.0.0.1
  export RABBITMQ_NODENAME="afluente-$RABBITMQ_NODE_PORT@localhost"
  export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_CONF_ENV_FILE="$home/empty.conf"
  export RABBITMQ_MNESIA_BASE="$home/mnesia" RABBITMQ_LOG_BASE="$home/log"
  export RABBITMQ_CONFIG_FILE="$home/rabbitmq.conf" RABBITMQ_ADVANCED_CONFIG_FILE="$home/none.config"
  export RABBITMQ_ENABLED_PLUGINS_FILE="$home/enabled_plugins" RABBITMQ_GENERATED_CONFIG_DIR="$home/generated"
  # Erlang spins before it sleeps, which on a machine that it shares is time taken from the others.
  export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
  # The server's own wrapper around Erlang ends when asked by SIGTERM; this makes it replace itself by Erlang instead,
  # so that the pid is the broker's.
  export RUNNING_UNDER_SYSTEMD=1
}

# The Debian package puts a wrapper that insists on the user `rabbitmq` before these.
rabbit_program() {
  program "/usr/lib/rabbitmq/bin/$1" "$1"
}

start_rabbitmq() (
  local server epmd
  server=$(rabbit_program rabbitmq-server)
  epmd=$(program epmd /usr/lib/erlang/bin/epmd)
  rabbit_env
  cd "$HOME"
  # Erlang would start a name service that outlives it; this one is ours to end.
  alive epmd || launch epmd "$epmd" -port "$ERL_EPMD_PORT" -address 127.0.0.1
  await epmd "$ERL_EPMD_PORT" 10
  launch rabbitmq "$server"
  await rabbitmq "$RABBITMQ_NODE_PORT" 120
)

# initdb refuses root, so root hands PostgreSQL to another user.
as_postgres() {
  if [[ $(id -u) != 0 ]]; then
    "$@"
  else
    setpriv --reuid "$postgres_user" --regid "$(id -g "$postgres_user")" --clear-groups "$@"
  fi
}

start_postgres() (
  local data="$dir/postgres" initdb postgres psql at
  local versions=(/usr/lib/postgresql/*/bin)
  local bin=${versions[-1]}
  initdb=$(program initdb "$bin/initdb")
  postgres=$(program postgres "$bin/postgres")
  psql=$(program psql "$bin/psql")
  at=$(port postgres)
  postgres_user=postgres
  id "$postgres_user" >/dev/null 2>&1 || postgres_user=nobody
  mkdir -p "$data"
  chmod 700 "$data"
  if [[ $(id -u) == 0 ]]; then
    chmod a+x "$dir"
    chown -R "$postgres_user" "$data"
    as_postgres test -w "$data" || fail "the user $postgres_user cannot reach $data: choose a folder that others may enter"
  fi
  cd /
  if [[ ! -s "$data/PG_VERSION" ]]; then
    as_postgres "$initdb" -D "$data" -U afluente --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync \
      >>"$dir/postgres.log" 2>&1 || { tail -n 25 "$dir/postgres.log" >&2; fail "initdb failed"; }
  fi
  local command=("$postgres" -D "$data" -p "$at" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200)
  [[ -z "${SHARED_BUFFERS:-}" ]] || command+=(-c "shared_buffers=$SHARED_BUFFERS")
  if [[ $(id -u) == 0 ]]; then
    command=(setpriv --reuid "$postgres_user" --regid "$(id -g "$postgres_user")" --clear-groups "${command[@]}")
  fi
  launch postgres "${command[@]}"
  await postgres "$at" 60
  # It listens before it takes connections.
  local deadline=$((SECONDS + 60))
  until "$psql" -qAt -h 127.0.0.1 -p "$at" -U afluente -d postgres -c 'select 1' >/dev/null 2>&1; do
    ((SECONDS > deadline)) && fail "postgres does not answer (log in $dir/postgres.log)"
    sleep 0.1
  done
  local exists
  exists=$("$psql" -qAt -h 127.0.0.1 -p "$at" -U afluente -d postgres -c "select 1 from pg_database where datname = 'afluente'")
  [[ -n "$exists" ]] || "$psql" -qAt -h 127.0.0.1 -p "$at" -U afluente -d postgres -c 'create database afluente'
)

start_redis() (
  local server at
  server=$(program redis-server)
  at=$(port redis)
  mkdir -p "$dir/redis"
  launch redis "$server" --bind 127.0.0.1 --port "$at" --dir "$dir/redis" --save '' --appendonly no --daemonize no
  await redis "$at" 20
)

write_env() {
  local name pid
  {
    echo "export AFLUENTE_TEST_AMQP=amqp://guest:guest@127.0.0.1:$(port amqp)/%2f"
    echo "export AFLUENTE_TEST_POSTGRES=postgres://afluente@127.0.0.1:$(port postgres)/afluente"
    echo "export AFLUENTE_TEST_REDIS=redis://127.0.0.1:$(port redis)/0"
    echo "export AFLUENTE_TEST_SERVERS=$(printf %q "$dir")"
    for name in epmd "${ALL[@]}"; do
      if alive "$name"; then
        read -r pid _ <"$dir/$name.pid"
        echo "export AFLUENTE_TEST_${name^^}_PID=$pid"
      fi
    done
  } >"$dir/env"
}

start() {
  local name
  mkdir -p "$dir"
  for name in "$@"; do
    alive "$name" || "start_$name"
  done
  write_env
}

stop() {
  local name
  for name in "$@"; do
    case $name in
      rabbitmq) end rabbitmq TERM && end epmd TERM ;;
      postgres) end postgres INT ;;
      redis) end redis TERM ;;
      *) fail "no server is called '$name'" ;;
    esac
  done
}

# PostgreSQL would write all that its tests left in memory to the disk, for minutes, only to have it removed. Told to end
# at once it leaves no shared memory behind, which a SIGKILL would.
discard() {
  end rabbitmq KILL && end epmd TERM
  end postgres QUIT
  end redis KILL
  rm -rf "$dir"
}

# A word as a string of Erlang.
erlang() {
  local word=${1//\\/\\\\}
  printf '<<"%s">>' "${word//\"/\\\"}"
}

users() {
  local line words made="" user vhost rights
  while read -r line; do
    eval "words=($line)"
    [[ "${words[*]:0:3}" == "rabbitmqctl set_permissions -p" && ${#words[@]} == 8 ]] || fail "not a line of rights: $line"
    vhost=$(erlang "${words[3]}")
    user=$(erlang "${words[4]}")
    rights="$(erlang "${words[5]}"), $(erlang "${words[6]}"), $(erlang "${words[7]}")"
    made+="catch rabbit_auth_backend_internal:add_user($user, $user, <<\"servers.sh\">>), "
    made+="rabbit_auth_backend_internal:set_permissions($user, $vhost, $rights, <<\"servers.sh\">>), "
  done
  ctl eval "${made}ok."
}

ctl() (
  rabbit_env
  unset RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS
  exec "$(rabbit_program rabbitmqctl)" "$@"
)

run() {
  local status=0
  dir=$(mktemp -d "${TMPDIR:-/tmp}/afluente-servers.XXXXXX")
  # shellcheck disable=SC2064 # the folder is meant as it is now
  trap "'$0' discard '$dir'" EXIT
  start "${ALL[@]}"
  # shellcheck disable=SC1091 # written by start
  source "$dir/env"
  "$@" || status=$?
  exit "$status"
}

(($# >= 2)) || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 64; }
action=$1
shift
if [[ $action == run ]]; then
  run "$@"
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
names=("$@")
((${#names[@]})) || names=("${ALL[@]}")
case $action in
  start) start "${names[@]}" ;;
  stop) stop "${names[@]}" ;;
  discard) discard ;;
  kill) for name in "${names[@]}"; do end "$name" KILL; done ;;
  ctl) ctl "${names[@]}" ;;
  users) users ;;
  *) fail "no action is called '$action'" ;;
esac
