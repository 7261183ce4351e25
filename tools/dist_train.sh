#!/usr/bin/env bash
# Train on several GPUs of one machine, or of NNODES machines (start it on each of them).
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [options of train.py]" >&2
    echo "environment: NNODES=1 NODE_RANK=0 MASTER_ADDR=127.0.0.1 PORT=29500" >&2
    exit 2
fi

config=$1
gpus=$2
shift 2

exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node-rank="${NODE_RANK:-0}" \
    --master-addr="${MASTER_ADDR:-127.0.0.1}" \
    --master-port="${PORT:-29500}" \
    --nproc-per-node="$gpus" \
    "$(dirname -- "${BASH_SOURCE[0]}")/train.py" "$config" --launcher pytorch "$@"
