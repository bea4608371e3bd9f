#!/bin/bash
set -euo pipefail
# run this on each of the 2 nodes, with one secret for all: ranks without it are refused
: "${KVGAUGE_TOKEN:?set it to the same secret on all nodes, such as 32 random hex digits}"
export KVGAUGE_TOKEN
'/opt/kv gauge/bin/torchrun' --rdzv-id kvgauge --rdzv-backend c10d --rdzv-endpoint head:29400 --nnodes 2 --nproc-per-node 8 --max-restarts 0 --no-python '/opt/kv gauge/bin/kvgauge' sweep standard
