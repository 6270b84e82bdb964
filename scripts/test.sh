#!/usr/bin/env bash
# Every test of the project. Private servers on spare ports, their data in a temporary folder, ended by process id.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d -t afluente-test.XXXXXX)
chmod 755 "$work"
cleanup() {
  scripts/servers.sh discard "$work/servers" || true
  rm -rf "$work"
}
trap cleanup EXIT

echo "== the page"
scripts/web.sh build
scripts/web.sh test
scripts/web.sh lint

echo "== format, shell, lints"
cargo fmt --all --check
shellcheck scripts/*.sh .ci/run
cargo clippy --workspace --all-targets --quiet -- -D warnings

echo "== private servers"
scripts/servers.sh start "$work/servers"
# shellcheck disable=SC1091
. "$work/servers/env"
export AFLUENTE_TEST_AMQP AFLUENTE_TEST_POSTGRES AFLUENTE_TEST_REDIS AFLUENTE_TEST_SERVERS
# A test on a real server that is not there fails from here on; without this it says that it was skipped.
export AFLUENTE_TEST_REQUIRE_SERVERS=1

echo "== Rust, on embedded and on real servers"
cargo test --workspace --no-fail-fast

echo "== chaos, the short form"
cargo build --quiet -p afluente -p afluente-chaos
# The same schedule each time, so that a failure is the change's; `make chaos` draws new ones. This one has a crashed
# broker, a silent one, an emptied Redis, a killed router, a webchat that is upgraded under its visitors, both processes
# that poll Telegram killed, and each misdeed of a provider.
target/debug/afluente-chaos run --seconds 60 --seed 705

echo "== browsers"
scripts/browser.sh
