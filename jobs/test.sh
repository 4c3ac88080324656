#!/usr/bin/env bash
# Set-up, formatting, clippy with warnings denied, scripts, and all tests, those under mpirun included.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
bash jobs/setup.sh
# shellcheck disable=SC1091
source "${TESSERA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tessera}/env.sh"
cargo fmt --all --check
if command -v shellcheck >/dev/null; then shellcheck -x jobs/*.sh jobs/slurm/*.sh .ci/run; else echo "shellcheck is not installed: scripts are not checked"; fi
# Release everywhere: the tests measure statistics, and one build serves all three.
cargo clippy --release --locked --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps
cargo test --release --locked --workspace
# Without MPI, HDF5 and libtorch: about 40 s on two cores after the tests above.
cargo test --release --locked --no-default-features --lib --example glauber
