#!/bin/bash
#SBATCH --job-name=tessera-scaling
#SBATCH --array=0-6
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=64
#SBATCH --exclusive
#SBATCH --time=00:30:00
#SBATCH --output=%x-%A-%a.log
#
# Strong and weak scaling of sweeps on 1, 2, 4, ... 2^array-index ranks: sbatch jobs/slurm/scaling.sh FILE.jsonl [OPTIONS]
# More nodes: sbatch --nodes=16 --array=0-10 ... Options go to `tessera scaling`, for instance --side 4096.
# In the weak half that is the side of each rank's part, and each rank first draws the whole lattice, one byte a site: many ranks want a small one.
# When the array is through: tessera report FILE.jsonl makes the table and the figures.
set -euo pipefail

file=${1:?usage: sbatch jobs/slurm/scaling.sh FILE.jsonl [OPTIONS OF tessera scaling]}
shift
# shellcheck source=jobs/slurm/steps.sh
source "${SLURM_SUBMIT_DIR:-.}/jobs/slurm/steps.sh"

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
