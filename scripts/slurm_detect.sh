#!/usr/bin/env bash
# `groundbreak detect` on a SLURM cluster: a Dask scheduler here, a worker a task, sites as the work.
#
#   sbatch --ntasks=16 scripts/slurm_detect.sh --sites sites.geojson --catalog catalog.json -o run
#
# Submit it from a folder that all nodes see, with groundbreak[dask] in .venv there (or VENV=...).
#SBATCH --job-name=groundbreak
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=2
#SBATCH --mem-per-cpu=2G
#SBATCH --time=12:00:00
#SBATCH --output=groundbreak-%j.log
set -euo pipefail

source "${VENV:-.venv}/bin/activate"
export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
folder=$(mktemp -d "$PWD/.dask-XXXXXX")
finish() { # the workers first, so that they don't miss their scheduler
    for process in "${workers:-}" "${scheduler:-}"; do
        kill "$process" 2>/dev/null && wait "$process" || true
    done
    rm -rf "$folder"
}
trap finish EXIT

dask scheduler --port 0 --no-dashboard --scheduler-file "$folder/scheduler.json" &
scheduler=$!
until [ -s "$folder/scheduler.json" ]; do
    kill -0 "$scheduler" # it ended, and so does this
    sleep 1
done
address=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["address"])' "$folder/scheduler.json")

# One site at a time in each; SLURM sees to the memory.
srun dask worker "$address" --nthreads 1 --memory-limit 0 --no-dashboard \
    --local-directory "${TMPDIR:-/tmp}" &
workers=$!

groundbreak detect "$@" --scheduler "dask://${address#tcp://}"
