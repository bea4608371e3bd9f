#!/bin/bash
set -euo pipefail
# ranks without this run's token are refused
KVGAUGE_TOKEN="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
export KVGAUGE_TOKEN
torchrun --standalone --nnodes 1 --nproc-per-node 2 --max-restarts 0 --no-python kvgauge sweep quick
