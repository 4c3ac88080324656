#!/bin/bash
#SBATCH --job-name=tessera-train
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# The stages that learn, one rank a GPU: sbatch jobs/slurm/train.sh INPUT --device cuda [OPTIONS]
# Without --device a rank that finds no GPU, or a libtorch without CUDA (docs/running.md), takes its processor.
# On a machine without GPUs: sbatch --gpus-per-node=0 --ntasks-per-node=32 --cpus-per-task=1 jobs/slurm/train.sh INPUT
# After the data: sbatch --dependency=afterok:JOB jobs/slurm/train.sh INPUT
set -euo pipefail

input=${1:?usage: sbatch jobs/slurm/train.sh INPUT [OPTIONS OF tessera]}
shift
# shellcheck source=jobs/slurm/steps.sh
source "${SLURM_SUBMIT_DIR:-.}/jobs/slurm/steps.sh"

for stage in closure train predict evaluate report; do
    step -- "$stage" "$input" --threads "${SLURM_CPUS_PER_TASK:-1}" "$@"
done
