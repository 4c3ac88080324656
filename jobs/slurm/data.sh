#!/bin/bash
#SBATCH --job-name=tessera-data
#SBATCH --ntasks=32
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# The stages that make data: sbatch jobs/slurm/data.sh INPUT [OPTIONS]
# 32 ranks suit one node; ask for what your cluster has: sbatch --ntasks=256 --partition=NAME --account=NAME ...
# Options go to tessera, for instance --out FOLDER, --set KEY=VALUE, --ranks-per-snapshot 64
# (a rank then needs a whole tile of the truth and a whole patch of LocalRelax along each axis).
set -euo pipefail

input=${1:?usage: sbatch jobs/slurm/data.sh INPUT [OPTIONS OF tessera]}
shift
# Slurm runs a copy of this script from its spool folder: the queue knows where it came from.
script=$(scontrol show job "${SLURM_JOB_ID:-}" 2>/dev/null | sed -n 's/^ *Command=\(.*\/data.sh\).*/\1/p' | head -n 1 || true)
# shellcheck source=jobs/slurm/steps.sh
source "$(dirname "${script:-${BASH_SOURCE[0]}}")/steps.sh"

for stage in simulate upsample evolve truth; do
    step -- "$stage" "$input" --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
done
