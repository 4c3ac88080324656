#!/bin/bash
#SBATCH --job-name=tessera-train
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# The stages that learn: sbatch jobs/slurm/train.sh INPUT [OPTIONS]
# On GPUs, one a rank: sbatch --gpus-per-task=1 jobs/slurm/train.sh INPUT --device cuda [OPTIONS]
# (libtorch with CUDA: docs/running.md). Without --device a rank that finds no GPU takes its processor.
# After the data: sbatch --dependency=afterok:JOB jobs/slurm/train.sh INPUT
set -euo pipefail

input=${1:?usage: sbatch jobs/slurm/train.sh INPUT [OPTIONS OF tessera]}
shift
# Slurm runs a copy of this script from its spool folder: the queue knows where it came from.
script=$(scontrol show job "${SLURM_JOB_ID:-}" 2>/dev/null | sed -n 's/^ *Command=\(.*\/train.sh\).*/\1/p' | head -n 1 || true)
# shellcheck source=jobs/slurm/steps.sh
source "$(dirname "${script:-${BASH_SOURCE[0]}}")/steps.sh"

for stage in closure train predict evaluate report; do
    step -- "$stage" "$input" --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
done
