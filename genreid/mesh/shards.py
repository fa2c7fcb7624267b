"""Mesh shards: what an estimator found in each image. B images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from genreid.body.body import BodyParameters
from genreid.body.columns import BODY_FIELDS, pack_body, unpack_body
from genreid.body.layout import NUM_BETAS, NUM_JOINTS
from genreid.errors import GenreidError
from genreid.render.png import decode_png, encode_png

STATUSES = ("ok", "no_person", "fallback", "failed")
"""`ok`: a mesh. `fallback`: a mesh from a second, less trusted estimator. The other two have none:
`no_person`: nobody was found. `failed`: the image could not be worked on."""

WITH_MESH = ("ok", "fallback")
SCHEMA_VERSION = 2
_MASK_STEP = 17
_VERSION_KEY = b"genreid.mesh"

MESH_SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("score", pa.float32()),
        *BODY_FIELDS,
        pa.field("estimator", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("mask", pa.binary()),
    ],
    metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode()},
)


@dataclass(frozen=True)
class MeshEstimates:
    """Bodies of B images.

    status: B of `STATUSES`. score (B,) float32: how sure the estimator is, in its own terms, 0 where there is
    no mesh. parameters, camera (B, 3): zeros where there is no mesh. masks: B PNG pictures of 8-bit grey at
    native size, 255 where a pixel is surely the person's, or None where the estimator gives none; () is None
    for all. They stay encoded, so that those of a million images fit into memory: `mask` decodes one.
    """

    status: list[str]
    score: np.ndarray
    parameters: BodyParameters
    camera: Tensor
    masks: Sequence[bytes | None] = ()

    def __post_init__(self) -> None:
        if not self.masks:
            object.__setattr__(self, "masks", [None] * len(self.status))
        unknown = sorted(set(self.status) - set(STATUSES))
        if unknown:
            raise GenreidError(
                f"no mesh status is called {unknown[0]!r}: expected one of {', '.join(STATUSES)}"
            )
        sizes = {len(self.status), len(self.score), len(self.parameters), len(self.camera), len(self.masks)}
        assert len(sizes) == 1, sizes

    def __len__(self) -> int:
        return len(self.status)

    @property
    def valid(self) -> np.ndarray:
        """(B,) bool: images with a mesh."""
        return np.isin(self.status, WITH_MESH)

    def mask(self, row: int) -> np.ndarray | None:
        """(h, w) uint8, see `masks`. Raises GenreidError where the PNG is none."""
        png = self.masks[row]
        return None if png is None else decode_png(png)

    def select(self, index: np.ndarray) -> MeshEstimates:
        """The images at `index`, positions or a mask, in its order."""
        rows = np.arange(len(self))[index]
        return MeshEstimates(
            [self.status[row] for row in rows],
            self.score[rows],
            self.parameters.select(torch.from_numpy(rows)),
            self.camera[torch.from_numpy(rows)],
            [self.masks[row] for row in rows],
        )

    @classmethod
    def without_mesh(cls, status: Sequence[str]) -> MeshEstimates:
        """Images of which no mesh is known."""
        num = len(status)
        pose = torch.zeros(num, 3 * (NUM_JOINTS - 1))
        parameters = BodyParameters(torch.zeros(num, 3), pose, torch.zeros(num, NUM_BETAS))
        return cls(list(status), np.zeros(num, np.float32), parameters, torch.zeros(num, 3))

    def fill(self, index: np.ndarray, found: MeshEstimates) -> MeshEstimates:
        """A copy with `found` at the positions `index`."""
        status, score, masks = list(self.status), self.score.copy(), list(self.masks)
        for row, new, mask in zip(index, found.status, found.masks, strict=True):
            status[row], masks[row] = new, mask
        score[index] = found.score
        rows = torch.from_numpy(np.asarray(index, np.int64))
        own, new_parameters = self.parameters, found.parameters
        parameters = BodyParameters(
            own.global_orient.index_copy(0, rows, new_parameters.global_orient),
            own.body_pose.index_copy(0, rows, new_parameters.body_pose),
            own.betas.index_copy(0, rows, new_parameters.betas),
        )
        camera = self.camera.index_copy(0, rows, found.camera)
        return MeshEstimates(status, score, parameters, camera, masks)


def encode_mask(mask: np.ndarray) -> bytes:
    """(h, w) uint8, how surely a pixel is the person's, as `MeshEstimates` has it: in 16 levels of 0 to 255.

    With all 256, the faint traces of a network's doubt take two and a half times the bytes.
    """
    levels = (mask.astype(np.uint16) + _MASK_STEP // 2) // _MASK_STEP * _MASK_STEP
    return encode_png(levels.astype(np.uint8))


def mesh_table(
    image_ids: Sequence[str], estimates: MeshEstimates, estimator: str, body_fingerprint: str
) -> pa.Table:
    """The rows of a shard, in the order given."""
    valid = estimates.valid
    columns = pack_body(estimates.parameters, estimates.camera, valid)
    columns["image_id"] = pa.array(image_ids, pa.string())
    columns["status"] = pa.array(estimates.status, pa.string())
    columns["score"] = pa.array(estimates.score, pa.float32(), mask=~valid)
    columns["estimator"] = pa.array([estimator] * len(estimates), pa.string())
    columns["body"] = pa.array([body_fingerprint] * len(estimates), pa.string())
    columns["mask"] = pa.array(estimates.masks, pa.binary())
    return pa.table([columns[name] for name in MESH_SCHEMA.names], schema=MESH_SCHEMA)


def read_mesh_table(table: pa.Table, body_fingerprint: str) -> tuple[list[str], MeshEstimates]:
    """The image ids and bodies of a mesh shard; the synthetic truth, which has no column `mask`, is one too.

    Raises:
        GenreidError: the shard is of another schema version, a column is missing, or the bodies are not those
            of `body_fingerprint`.
    """
    version = (table.schema.metadata or {}).get(_VERSION_KEY)
    if version not in (None, str(SCHEMA_VERSION).encode()):
        raise GenreidError(
            f"a mesh table has schema version {version.decode()}, this program reads {SCHEMA_VERSION}: "
            "make it again with `dvc repro --force mesh-extract`"
        )
    for name in ("image_id", "status", "score", "body"):
        if name not in table.column_names:
            raise GenreidError(
                f"a mesh table has columns {', '.join(table.column_names)}; expected `{name}` too: make it "
                "again with `dvc repro --force mesh-extract`"
            )
    bodies = set(table["body"].to_pylist())
    if bodies - {body_fingerprint}:
        raise GenreidError(
            f"a mesh table is of body {', '.join(sorted(bodies))}, the body in use is {body_fingerprint}: "
            "make it again with `dvc repro --force mesh-extract`"
        )
    parameters, camera, valid = unpack_body(table)
    status = table["status"].to_pylist()
    score = table["score"].fill_null(0.0).to_numpy().astype(np.float32)
    if not np.isfinite(score).all():
        raise GenreidError(
            "a mesh table has a score that is not finite: make it again with `dvc repro --force mesh-extract`"
        )
    masks = table["mask"].to_pylist() if "mask" in table.column_names else ()
    estimates = MeshEstimates(status, score, parameters, camera, masks)
    if not np.array_equal(estimates.valid, valid):
        row = int(np.flatnonzero(estimates.valid != valid)[0])
        raise GenreidError(
            f"a mesh table says {status[row]!r} of {table['image_id'][row].as_py()!r} and "
            f"{'has' if valid[row] else 'has no'} mesh: make it again with `dvc repro --force mesh-extract`"
        )
    return table["image_id"].to_pylist(), estimates


def estimates_of(
    image_ids: Sequence[str], table: pa.Table, body_fingerprint: str, place: str
) -> MeshEstimates:
    """The bodies of these images, in their order, out of a mesh table; place: its name for people.

    Raises GenreidError for what `read_mesh_table` refuses, and where images are missing.
    """
    ids, meshes = read_mesh_table(table, body_fingerprint)
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    if missing := [image_id for image_id in image_ids if image_id not in row_of]:
        raise GenreidError(
            f"{place} lacks {len(missing)} images ({missing[0]} …): add their split to mesh_extract.splits"
        )
    return meshes.select(np.array([row_of[image_id] for image_id in image_ids], np.int64))
