#!/bin/bash
#SBATCH --job-name=tessera-scaling
#SBATCH --array=0-6
#SBATCH --ntasks=64
#SBATCH --time=00:30:00
#SBATCH --output=%x-%A-%a.log
#
# Strong and weak scaling of sweeps on 1, 2, 4, ... 2^array-index ranks: sbatch jobs/slurm/scaling.sh FILE.jsonl [OPTIONS]
# 64 ranks at most, as the array of 0-6 says; more: sbatch --ntasks=1024 --array=0-10 ... Figures to publish need nodes of
# their own: --exclusive. Options go to `tessera scaling`, for instance --side 4096.
# An input measures its system, tile and quantum: sbatch jobs/slurm/scaling.sh FILE.jsonl INPUT. In the weak half the
# side is that of each rank's part.
# When the array is through: tessera report FILE.jsonl makes the table and the figures.
set -euo pipefail

file=${1:?usage: sbatch jobs/slurm/scaling.sh FILE.jsonl [OPTIONS OF tessera scaling]}
shift
# Slurm runs a copy of this script from its spool folder: the queue knows where it came from.
script=$(scontrol show job "${SLURM_JOB_ID:-}" 2>/dev/null | sed -n 's/^ *Command=\(.*\/scaling.sh\).*/\1/p' | head -n 1 || true)
# shellcheck source=jobs/slurm/steps.sh
source "$(dirname "${script:-${BASH_SOURCE[0]}}")/steps.sh"

ranks=$((1 << ${SLURM_ARRAY_TASK_ID:-0}))
for kind in strong weak; do
    options=("$@")
    if [[ $kind == weak ]]; then
        options+=(--weak)
    fi
    # One write of one short line: those of other jobs of the array stay whole.
    line=$(step --ntasks="$ranks" -- scaling "${options[@]}")
    printf '%s\n' "$line" >>"$file"
done
