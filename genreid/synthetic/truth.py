"""The truth table: body, pose, camera and heading of every synthetic picture, and how to draw it again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import torch

from genreid.body.body import Body, BodyParameters
from genreid.body.columns import BODY_FIELDS, pack_body
from genreid.errors import GenreidError
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.picture.scene import Scene
from genreid.synthetic.plan import Shot
from genreid.synthetic.settings import SyntheticSettings

TRUTH_VERSION = 1
_KEY = b"genreid.truth"
ESTIMATOR = "ground_truth"

TRUTH_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("score", pa.float32(), nullable=False),
        *BODY_FIELDS,
        pa.field("estimator", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("heading_deg", pa.float32(), nullable=False),
        pa.field("scene_seed", pa.int64(), nullable=False),
    ]
)
"""The columns of a mesh shard, `heading_deg` (0 faces the camera, positive to the left), and `scene_seed`."""


def truth_table(benchmark: Benchmark, shots: Sequence[Shot], scenes: Iterable[Scene]) -> pa.Table:
    """The truth about some shots, in their order; `scenes` may be drawn while it is read.

    Tables of pieces of a benchmark can be concatenated: their metadata are equal.
    """
    orient, pose, betas, camera, headings = [], [], [], [], []
    for scene in scenes:
        orient.append(scene.parameters.global_orient[0])
        pose.append(scene.parameters.body_pose[0])
        betas.append(scene.parameters.betas[0])
        camera.append(torch.from_numpy(scene.camera))
        headings.append(scene.heading_deg)
    num = len(shots)
    assert len(headings) == num, (len(headings), num)
    parameters = BodyParameters(_stack(orient, 3), _stack(pose, 69), _stack(betas, 10))
    columns = {
        "image_id": [shot.image_id for shot in shots],
        "status": ["ok"] * num,
        "score": np.ones(num, np.float32),
        **pack_body(parameters, _stack(camera, 3), np.ones(num, dtype=bool)),
        "estimator": [ESTIMATOR] * num,
        "body": [benchmark.body.fingerprint] * num,
        "heading_deg": np.array(headings, dtype=np.float32),
        "scene_seed": [shot.scene_seed for shot in shots],
    }
    about = {
        "version": TRUTH_VERSION,
        "settings": asdict(benchmark.settings),
        "seed": benchmark.seed,
        "body": benchmark.body.fingerprint,
    }
    return pa.table(columns, schema=TRUTH_SCHEMA.with_metadata({_KEY: json.dumps(about, sort_keys=True)}))


def _stack(rows: list[torch.Tensor], width: int) -> torch.Tensor:
    return torch.stack(rows) if rows else torch.zeros(0, width)


def benchmark_from_truth(table: pa.Table, body: Body) -> Benchmark:
    """The benchmark that a truth table belongs to, to draw its pictures again or its people turned around.

    Raises:
        GenreidError: the table is not a truth table, or was made with another body or another version.
    """
    remedy = "make it again with `dvc repro --force prepare-data`"
    try:
        about = json.loads((table.schema.metadata or {})[_KEY])
    except KeyError:
        raise GenreidError(f"a table without synthetic truth in its metadata is no truth: {remedy}") from None
    if about["version"] != TRUTH_VERSION:
        raise GenreidError(
            f"the truth table has version {about['version']}, expected {TRUTH_VERSION}: {remedy}"
        )
    if about["body"] != body.fingerprint:
        raise GenreidError(
            f"the truth table was made with body {about['body']}, now it is {body.fingerprint}: {remedy}"
        )
    return Benchmark(body, SyntheticSettings(**about["settings"]), about["seed"])
