#!/usr/bin/env bash
# Set-up, release build, and one run on this machine: bash jobs/run.sh INPUT [options of `tessera run`]
# On a cluster, start the built binary under mpirun or srun instead: "${CARGO_TARGET_DIR:-target}/release/tessera" run INPUT
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: bash jobs/run.sh INPUT [options of \`tessera run\`], for instance inputs/quickstart.toml" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/jobs/setup.sh"
# shellcheck disable=SC1091
source "${TESSERA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tessera}/env.sh"
(cd "$root" && cargo build --release --locked)
exec "${CARGO_TARGET_DIR:-$root/target}/release/tessera" run "$@"
