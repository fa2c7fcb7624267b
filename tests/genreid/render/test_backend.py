"""Which backend draws, and pytorch3d's views against the built-in ones.

Where pytorch3d is not built, a stand-in takes its place that rasterises by its conventions, a pixel and a
triangle at a time.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from genreid.body.body import BodyParameters, load_body
from genreid.body.rotations import rotate_about_vertical
from genreid.errors import GenreidError
from genreid.render import pytorch3d
from genreid.render.backend import choose_renderer
from genreid.render.zbuffer import rasterise

CPU = torch.device("cpu")


def test_auto_takes_pytorch3d_on_a_gpu_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch3d, "why_unusable", lambda device: None)
    assert choose_renderer("auto", torch.device("cuda")).name == "pytorch3d"
    assert choose_renderer("auto", CPU).name == "zbuffer"
    monkeypatch.setattr(pytorch3d, "why_unusable", lambda device: "undefined symbol: _ZN3c10")
    assert choose_renderer("auto", torch.device("cuda")).name == "zbuffer"


def test_a_named_backend_that_does_not_work_says_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pytorch3d, "why_unusable", lambda device: "undefined symbol: _ZN3c10")
    with pytest.raises(GenreidError, match=r"undefined symbol: _ZN3c10.*bodies_and_meshes\.md.*zbuffer") as e:
        choose_renderer("pytorch3d", CPU)
    assert "\n" not in str(e.value)
    with pytest.raises(GenreidError, match=r"'gpu': render_views.backend is one of auto, zbuffer, pytorch3d"):
        choose_renderer("gpu", CPU)  # type: ignore[arg-type]


RasterizeMeshes = Callable[..., tuple[torch.Tensor, ...]]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[RasterizeMeshes], None]]:
    """Puts a function in the place of pytorch3d's `rasterize_meshes`, whether it is installed or not."""

    def install(rasterize_meshes: RasterizeMeshes) -> None:
        for name, entries in {
            "pytorch3d": {},
            "pytorch3d.renderer": {},
            "pytorch3d.renderer.mesh": {},
            "pytorch3d.renderer.mesh.rasterize_meshes": {"rasterize_meshes": rasterize_meshes},
            "pytorch3d.structures": {"Meshes": lambda verts, faces: (verts, faces)},
        }.items():
            module: Any = types.ModuleType(name)
            module.__dict__.update(entries)
            monkeypatch.setitem(sys.modules, name, module)

    pytorch3d.why_unusable.cache_clear()
    yield install
    pytorch3d.why_unusable.cache_clear()


def by_pytorch3ds_conventions(
    meshes: tuple[torch.Tensor, torch.Tensor], image_size: tuple[int, int], **options: Any
) -> tuple[torch.Tensor, ...]:
    """Its documentation in a loop: x left, y up, ±1 at the shorter side's edges, positive depth ahead."""
    corners, faces = meshes
    height, width = image_size
    index = -torch.ones(len(corners), height, width, 1, dtype=torch.int64)
    depth, weights = -torch.ones(index.shape), -torch.ones(*index.shape, 3)
    for n, row, column in np.ndindex(len(corners), height, width):
        x = (width / 2 - (column + 0.5)) / (min(height, width) / 2)
        y = (height / 2 - (row + 0.5)) / (min(height, width) / 2)
        for f, face in enumerate(faces[n]):
            a = torch.cat([corners[n, face, :2].T.double(), torch.ones(1, 3, dtype=torch.float64)])
            share = torch.linalg.solve(a, torch.tensor([x, y, 1.0], dtype=torch.float64)).float()
            z = float(share @ corners[n, face, 2])
            if (share >= 0).all() and z > 0 and (index[n, row, column] < 0 or z < depth[n, row, column]):
                index[n, row, column], depth[n, row, column] = n * len(faces[n]) + f, z
                weights[n, row, column, 0] = share
    return index, depth, weights, torch.zeros_like(depth)


def test_its_conventions_are_met(stand_in: Callable[[RasterizeMeshes], None]) -> None:
    stand_in(by_pytorch3ds_conventions)
    assert pytorch3d.why_unusable(CPU) is None
    rng = np.random.default_rng(0)
    points = (rng.random((3, 6, 3)) * [12, 12, 1] - [3, 3, 0.5]).astype(np.float32)
    faces = np.array([[0, 1, 2], [3, 4, 5], [1, 2, 4]], np.int32)
    height, width = np.array([8, 5, 8]), np.array([6, 7, 6])
    drawn = pytorch3d.Pytorch3dRasteriser(CPU).rasterise(points, faces, height, width)
    for i, (one, size) in enumerate(zip(drawn, zip(height, width, strict=True), strict=True)):
        expected = rasterise(points[i], faces, *map(int, size))
        assert 5 < expected.covered.sum() < expected.covered.size
        np.testing.assert_array_equal(one.face_index, expected.face_index)
        np.testing.assert_allclose(one.barycentric, expected.barycentric, atol=1e-5)
        np.testing.assert_allclose(one.depth, expected.depth, atol=1e-5)


def test_a_build_that_imports_and_does_not_draw_is_not_usable(
    stand_in: Callable[[RasterizeMeshes], None],
) -> None:
    def without_gpu(meshes: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        raise RuntimeError("Not compiled with GPU support\nat line 12")

    stand_in(without_gpu)
    assert pytorch3d.why_unusable(CPU) == "Not compiled with GPU support"
    pytorch3d.why_unusable.cache_clear()

    def upside_down(meshes: Any, **options: Any) -> tuple[torch.Tensor, ...]:
        return tuple(part.flip(1) for part in by_pytorch3ds_conventions(meshes, **options))

    stand_in(upside_down)
    assert pytorch3d.why_unusable(CPU) == "it draws a triangle wrongly"


@pytest.mark.slow
def test_pytorch3d_draws_the_built_in_view() -> None:
    if reason := pytorch3d.why_unusable(CPU):
        pytest.skip(f"pytorch3d: {reason}")
    body = load_body("open")
    rng = torch.Generator().manual_seed(5)
    root = torch.tensor([[np.pi - 0.1, 0.0, 0.05]]).repeat(4, 1)
    parameters = BodyParameters(
        rotate_about_vertical(root, torch.tensor([0.0, 75.0, 160.0, -110.0])),
        0.2 * torch.randn(4, 69, generator=rng),
        torch.randn(4, 10, generator=rng),
    )
    vertices = body.pose(parameters).vertices
    camera = torch.tensor([[0.9, 0.05, 0.1]]).repeat(4, 1)
    arguments = vertices, camera, body.faces, np.array([128, 96, 128, 60]), np.array([64, 64, 64, 90])
    expected = choose_renderer("zbuffer", CPU).draw(*arguments)
    for one, other in zip(choose_renderer("pytorch3d", CPU).draw(*arguments), expected, strict=True):
        assert one.shape == other.shape
        both, either = (one > 0) & (other > 0), (one > 0) | (other > 0)
        assert either.sum() > 300
        assert both.sum() / either.sum() >= 0.98
        assert (np.abs(one.astype(int) - other)[both] > 3).mean() < 0.02
