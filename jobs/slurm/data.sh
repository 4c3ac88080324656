#!/bin/bash
#SBATCH --job-name=tessera-data
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# The stages that make data: sbatch jobs/slurm/data.sh INPUT [OPTIONS]
# Options go to tessera, for instance --out FOLDER, --set KEY=VALUE, --ranks-per-snapshot 64
# (a rank then needs a whole tile of the truth and a whole patch of LocalRelax along each axis).
set -euo pipefail

input=${1:?usage: sbatch jobs/slurm/data.sh INPUT [OPTIONS OF tessera]}
shift
# shellcheck source=jobs/slurm/steps.sh
source "${SLURM_SUBMIT_DIR:-.}/jobs/slurm/steps.sh"

for stage in simulate upsample evolve truth; do
    step -- "$stage" "$input" --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
done
