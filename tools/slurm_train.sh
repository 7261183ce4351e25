#!/usr/bin/env bash
# Train as a Slurm job, one task for each GPU.
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [options of train.py]" >&2
    echo "environment: GPUS=8 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS='more options of srun'" >&2
    exit 2
fi

partition=$1
job_name=$2
config=$3
shift 3

# Before any arithmetic, which would run what stands in a subscript of such a value.
for name in GPUS GPUS_PER_NODE CPUS_PER_TASK; do
    if ! [[ ${!name:-1} =~ ^[1-9][0-9]*$ ]]; then
        echo "$0: error: $name must be a whole number of at least 1, not '${!name}'" >&2
        exit 2
    fi
done

gpus=${GPUS:-8}
gpus_per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -r -a srun_args <<<"${SRUN_ARGS:-}"

exec srun \
    --partition="$partition" \
    --job-name="$job_name" \
    --gres="gpu:$gpus_per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$gpus_per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$(dirname -- "${BASH_SOURCE[0]}")/train.py" "$config" --launcher slurm "$@"
