"""The SLURM script, with a stand-in for ``srun`` that starts two workers on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from series import SIDE, write_series, write_sites

SCRIPT = Path(__file__).parents[1] / "scripts" / "slurm_detect.sh"
SRUN = """#!/usr/bin/env bash
trap 'kill $(jobs -p)' TERM
for _ in 1 2; do "$@" & echo $! >> workers; done
wait; wait
"""


@pytest.mark.slow
def test_the_script_starts_a_cluster_and_ends_it(tmp_path):
    write_series(tmp_path / "scenes", [{}])
    write_sites(tmp_path / "sites.geojson", (0, -80, 80, 0), (0, -SIDE, SIDE, 0))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "srun").write_text(SRUN)
    (tools / "srun").chmod(0o755)
    ended = subprocess.run(
        ["bash", SCRIPT, "--sites", "sites.geojson", "--catalog", "scenes", "-o", "run"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "VENV": sys.prefix},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("nothing to compare") == 4  # the state and the sentence of each site
    assert ended.stderr.count("Register worker") == 2
    # What a worker says as it closes depends on what it was just sending; that it closes does not.
    workers = (tmp_path / "workers").read_text().split()
    assert len(workers) == 2
    assert not [pid for pid in workers if Path("/proc", pid).exists()]
    assert not list(tmp_path.glob(".dask-*"))
