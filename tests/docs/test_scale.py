"""The files beside docs/scale.md do what the page says, as far as one machine can tell.

There is no Slurm here: its two commands are stood in for by scripts that run everything on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs" / "scale"
JOB = "10203"

SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do
    [[ $1 == --nodelist=* ]] && node=${1#*=}
    shift
done
echo "$node: $*" >> srun.log
exec "$@"
"""
SCONTROL = """#!/bin/bash
[ "$1 $2" = "show hostnames" ] && printf '%s\\n' ${3//,/ }
"""
DVC = """#!{python}
import os, sys, ray
ray.init(os.environ["GENREID_RAY"], log_to_driver=False, logging_level="CRITICAL")
cores = [node["Resources"]["CPU"] for node in ray.nodes() if node["Alive"]]
print("cores of nodes:", cores, "on:", os.environ["GENREID_ON"], "arguments:", sys.argv[1:])
sys.exit(7)
"""


def cluster_file() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(FILES / "ray-cluster.yaml")
    return content


def test_the_cluster_file_is_one_of_ray() -> None:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'genreid[ray]')")
    import jsonschema
    from ray.autoscaler._private.util import prepare_config, validate_config

    whole = prepare_config(cluster_file())
    validate_config(whole)
    (kind,) = whole["available_node_types"].values()
    assert kind["min_workers"] == kind["max_workers"] == len(whole["provider"]["worker_ips"])
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config(cluster_file() | {"setup_comands": []}))


def test_the_cluster_file_installs_the_version_that_there_is() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    version = next(line for line in project.splitlines() if line.startswith("version = ")).split('"')[1]
    assert any(f"'genreid[ray,s3]=={version}'" in line for line in cluster_file()["setup_commands"])


@pytest.mark.slow
def test_a_job_of_slurm_begins_a_cluster_runs_dvc_and_ends_it(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'genreid[ray]')")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    texts = {"srun": SRUN, "scontrol": SCONTROL, "dvc": DVC.format(python=sys.executable)}
    for name, text in texts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f"PATH={programs}:{Path(sys.executable).parent}:$PATH\n")
    script = shutil.copy(FILES / "slurm.sh", tmp_path)
    job = {"SLURM_JOB_NODELIST": "first,second", "SLURM_JOB_ID": JOB, "SLURM_CPUS_PER_TASK": "3"}
    done = subprocess.run(
        ["bash", script, "mesh-extract"],
        cwd=tmp_path,
        env=os.environ | job,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    told = "cores of nodes: [3.0, 3.0] on: ray arguments: ['repro', 'mesh-extract']"
    assert done.returncode == 7 and told in done.stdout, (done.stdout, done.stderr)
    asked = (tmp_path / "srun.log").read_text().splitlines()
    assert [line.split()[:3] for line in asked] == [
        ["first:", "hostname", "--ip-address"],
        ["first:", "ray", "start"],
        ["second:", "ray", "start"],
    ]
    left = [process for process in psutil.process_iter(["cmdline"]) if f"/tmp/ray-{JOB}" in str(process.info)]
    shutil.rmtree(f"/tmp/ray-{JOB}", ignore_errors=True)
    assert not left
