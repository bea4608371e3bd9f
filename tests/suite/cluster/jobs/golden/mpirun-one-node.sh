#!/bin/bash
set -euo pipefail
# ranks without this run's token are refused
KVGAUGE_TOKEN="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
export KVGAUGE_TOKEN
mpirun -np 4 --map-by ppr:4:node:OVERSUBSCRIBE --bind-to none -x KVGAUGE_TOKEN kvgauge sweep quick
