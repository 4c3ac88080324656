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

# The batch system warns this script alone (--signal=B:USR1@300), so that a signal between two steps, or before a step
# is up, is not lost. The script passes it on.
stopping=
running=
stop() {
    stopping=yes
    if [[ -n $running ]]; then kill -USR1 "$running" 2>/dev/null || true; fi
}
trap stop USR1

requeue() {
    echo "stopped before the time limit; the job goes back into the queue"
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
}

# step OPTIONS-OF-srun -- ARGUMENTS-OF-tessera: runs a step. Stopped cleanly by the signal before the time limit (status 75),
# the job goes back into the queue and continues from its checkpoints.
step() {
    local options=() status=0
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    if [[ -n $stopping ]]; then requeue; fi
    srun --mpi="${TESSERA_MPI:-pmix}" --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" "${options[@]}" "$tessera" "$@" &
    running=$!
    if [[ -n $stopping ]]; then stop; fi
    # A trap ends `wait` early.
    while true; do
        status=0
        wait "$running" || status=$?
        kill -0 "$running" 2>/dev/null || break
    done
    running=
    # 138: the signal came before the program could catch it.
    if [[ $status == 75 || (-n $stopping && $status == 138) ]]; then requeue; fi
    return "$status"
}
