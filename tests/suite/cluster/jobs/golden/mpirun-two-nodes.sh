#!/bin/bash
set -euo pipefail
# ranks without this run's token are refused
KVGAUGE_TOKEN="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
export KVGAUGE_TOKEN
mpirun -np 16 --hostfile hosts --map-by ppr:8:node:OVERSUBSCRIBE --bind-to none -x KVGAUGE_TOKEN apptainer exec --nv kv.sif kvgauge sweep standard --rendezvous head:29400
