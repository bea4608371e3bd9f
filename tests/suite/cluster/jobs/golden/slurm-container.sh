#!/bin/bash
#SBATCH --job-name=kvgauge
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --output=kvgauge-%j.out
#SBATCH --exclusive
set -euo pipefail
# ranks without this run's token are refused
KVGAUGE_TOKEN="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
export KVGAUGE_TOKEN
srun --export=ALL --cpu-bind=none --kill-on-bad-exit=0 apptainer exec 'images/kv gauge.sif' kvgauge sweep quick --out 'runs/a b'
