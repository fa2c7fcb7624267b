#!/bin/bash
# Runs the project of the current folder, which all nodes see, on the nodes of one Slurm job:
#     sbatch --nodes=4 --cpus-per-task=16 docs/scale/slurm.sh          everything
#     sbatch --nodes=4 --cpus-per-task=16 docs/scale/slurm.sh mesh-extract
# Ray's head begins on the first node, a worker of it on each of the others, and `dvc repro` on the first. Where the
# time runs out, or a node is lost, submit it again: it goes on from what is finished. For GPUs: --gpus-per-node=1.
#SBATCH --job-name=genreid
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --output=slurm-%j.log
set -euo pipefail
source .venv/bin/activate # the environment that `make install` makes

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs may share a node

one=(--nodes=1 --ntasks=1 --overlap)
begin() { # a Ray node, until the job ends
    srun "${one[@]}" --nodelist="$1" \
        ray start --block --num-cpus="$SLURM_CPUS_PER_TASK" --disable-usage-stats "${@:2}" &
}
trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT

host=$(srun "${one[@]}" --nodelist="${nodes[0]}" hostname --ip-address | cut -d ' ' -f 1)
begin "${nodes[0]}" --head --node-ip-address="$host" --port="$port" --temp-dir="/tmp/ray-$SLURM_JOB_ID" \
    --include-dashboard=false
for _ in {1..120}; do
    if (: > "/dev/tcp/$host/$port") 2> /dev/null; then break; fi
    sleep 1
done
for node in "${nodes[@]:1}"; do
    begin "$node" --address="$host:$port"
done

export GENREID_ON=ray GENREID_RAY=$host:$port
timeout 300 python - "${#nodes[@]}" << 'PYTHON'
import os, sys, time
import ray

while not ray.is_initialized():
    try:
        ray.init(os.environ["GENREID_RAY"], log_to_driver=False, logging_level="CRITICAL")
    except ConnectionError:
        time.sleep(1)
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[1]):
    time.sleep(1)
PYTHON
dvc repro "$@"
