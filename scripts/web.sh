#!/usr/bin/env bash
# Builds, tests or lints the desk's page. `build` does nothing when neither sources nor lock changed.
set -euo pipefail
cd "$(dirname "$0")/../services/desk/web"

stamp=dist/.stamp
sources() { git ls-files -z --cached --others --exclude-standard . | xargs -0 sha256sum 2>/dev/null | sha256sum; }
installed() { [ -d node_modules ] && [ node_modules/.package-lock.json -nt package-lock.json ]; }

installed || npm ci --no-audit --no-fund --loglevel=error
case "${1:-build}" in
  build)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$(sources)" ]; then
      npm run build --silent
      sources > "$stamp"
    fi ;;
  test) npm test --silent ;;
  lint) npm run lint --silent ;;
  *) echo "web.sh build|test|lint" >&2; exit 64 ;;
esac
