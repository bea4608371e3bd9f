#!/bin/bash
#SBATCH --job-name=kvgauge
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8
#SBATCH --gpus-per-node=8
#SBATCH --time=01:00:00
#SBATCH --partition=gpu,long
#SBATCH --account=kv
#SBATCH --output=kvgauge-%j.out
#SBATCH --exclusive
set -euo pipefail
# ranks without this run's token are refused
KVGAUGE_TOKEN="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
export KVGAUGE_TOKEN
srun --export=ALL --cpu-bind=none --kill-on-bad-exit=0 kvgauge sweep standard
