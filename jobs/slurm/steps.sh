# Shared by the Slurm scripts of this folder: how a step is started, and what happens when it was stopped in time.
# shellcheck shell=bash

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tessera=${TESSERA:-$here/target/release/tessera}

settings=${TESSERA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tessera}/env.sh
if [[ -r $settings ]]; then
    # shellcheck disable=SC1090
    source "$settings"
fi
if [[ ! -x $tessera ]]; then
    echo "there is no $tessera; build it on a login node first: bash jobs/setup.sh && source ${settings} && cargo build --release --locked, or set TESSERA" >&2
    exit 2
fi

# step OPTIONS-OF-srun -- ARGUMENTS-OF-tessera: runs a step. Stopped cleanly by the signal before the time limit (status 75),
# the job goes back into the queue and continues from its checkpoints.
step() {
    local options=() status=0
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    srun --mpi="${TESSERA_MPI:-pmix}" --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "${options[@]}" \
        "$tessera" "$@" || status=$?
    if [[ $status == 75 ]]; then
        echo "stopped before the time limit; the job goes back into the queue"
        scontrol requeue "$SLURM_JOB_ID"
        exit 0
    fi
    return "$status"
}
