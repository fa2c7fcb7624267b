"""Views and their shards: geometry against posing anew, shading by its promises, shards there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from genreid.body.body import Body, BodyParameters, load_body
from genreid.body.camera import project
from genreid.body.rotations import rotate_about_vertical
from genreid.errors import GenreidError
from genreid.render.backend import choose_renderer
from genreid.render.png import decode_png, encode_png
from genreid.render.shading import DARKEST, grey_view, vertex_normals
from genreid.render.views import (
    YAWS_DEG,
    ViewStore,
    render_views,
    view_table,
    write_options,
)

Person = tuple[BodyParameters, torch.Tensor]
RENDERER = choose_renderer("auto", torch.device("cpu"))


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body("open")


@pytest.fixture(scope="module")
def person() -> Person:
    """Somebody in a step, leaning a little, seen from the left front."""
    pose = torch.zeros(1, 23, 3)
    pose[0, 15] = torch.tensor([0.1, 0.0, -1.2])
    pose[0, 16] = torch.tensor([0.0, 0.3, 1.2])
    pose[0, 0, 0], pose[0, 1, 0], pose[0, 4, 0] = -0.5, 0.4, 0.5
    root = rotate_about_vertical(torch.tensor([[np.pi - 0.1, 0.0, 0.05]]), 30.0)
    parameters = BodyParameters(root, pose.reshape(1, 69), torch.full((1, 10), 0.5))
    return parameters, torch.tensor([[0.95, 0.05, 0.1]])


def _views(body: Body, person: Person, yaws: tuple[int, ...]) -> list[np.ndarray]:
    return render_views(body, *person, np.array([128]), np.array([64]), yaws, RENDERER)[0]


def test_a_turned_view_is_the_body_posed_with_the_turned_root(body: Body, person: Person) -> None:
    parameters, camera = person
    for yaw, view in zip(YAWS_DEG, _views(body, person, YAWS_DEG), strict=True):
        turned = BodyParameters(
            rotate_about_vertical(parameters.global_orient, float(yaw)),
            parameters.body_pose,
            parameters.betas,
        )
        expected = grey_view(
            body.pose(turned).vertices[0].numpy(), camera[0].numpy(), body.faces, 128, 64
        ).astype(int)
        different = np.abs(view.astype(int) - expected) > 3
        assert different.mean() < 0.003, yaw


def test_yaw_zero_stands_where_the_person_stands(body: Body, person: Person) -> None:
    (view,) = _views(body, person, (0,))
    vertices = body.pose(person[0]).vertices
    on_image = project(vertices, person[1], 128, 64)[0].numpy()
    rows, columns = np.nonzero(view)
    # The outermost pixels' centres lie inside the outermost vertices, by less than a pixel or two.
    for pixels, coordinates in ((columns + 0.5, on_image[:, 0]), (rows + 0.5, on_image[:, 1])):
        assert 0 <= pixels.min() - coordinates.min() < 2
        assert 0 <= coordinates.max() - pixels.max() < 2


def test_turning_towards_the_left_shows_the_right_side_first(body: Body) -> None:
    # Facing the camera the left hand is at the image's right; a turn of 90 degrees to the left faces the
    # image's right, and what was in front (the toes) is at the right of the pelvis.
    upright = BodyParameters(torch.tensor([[np.pi, 0.0, 0.0]]), torch.zeros(1, 69), torch.zeros(1, 10))
    camera = torch.tensor([[0.9, 0.0, 0.1]])
    front, left, back = _views(body, (upright, camera), (0, 90, 180))
    feet = slice(-16, None)
    for view, side in ((front, 0), (left, 1), (back, 0)):
        mean = np.nonzero(view[feet])[1].mean() + 0.5 - 32 if view[feet].any() else np.nan
        assert abs(mean) < 1 if side == 0 else mean > 1.5
    assert (front > 0).sum() == pytest.approx((back > 0).sum(), rel=0.03)
    assert not np.array_equal(front, back)


def test_brightness(body: Body, person: Person) -> None:
    (view,) = _views(body, person, (0,))
    assert set(np.unique(view)) - set(range(DARKEST, 256)) == {0}
    assert view.max() > 200
    assert len(np.unique(view)) > 60


def test_normals_of_a_cube_point_out_of_its_corners() -> None:
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32)
    faces = np.array(
        [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
         [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
    )  # fmt: skip
    normals = vertex_normals(corners, faces)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-6)
    assert (np.sign(normals) == np.sign(corners)).all()


def _write(folder: Path, name: str, views: dict[str, list[np.ndarray]], yaws: tuple[int, ...]) -> Path:
    path = folder / name
    pq.write_table(view_table(views.items(), yaws, "a body"), path, **write_options(len(yaws)))
    return path


def _random_views(names: list[str], num_yaws: int) -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(0)
    sizes = {name: rng.integers(3, 30, 2) for name in names}
    return {n: [rng.integers(0, 256, s, dtype=np.uint8) for _ in range(num_yaws)] for n, s in sizes.items()}


def test_shards_there_and_back(tmp_path: Path) -> None:
    yaws = (90, 0, 45)
    views = _random_views([f"image {i:02}" for i in range(40)], 3)
    names = list(views)[::-1]
    first = _write(tmp_path, "part-00000.parquet", {n: views[n] for n in names[:15]}, yaws)
    second = _write(tmp_path, "part-00001.parquet", {n: views[n] for n in names[15:]}, yaws)
    store = ViewStore([second, first])
    assert store.yaws_deg == (0, 45, 90)
    assert store.body_fingerprint == "a body"
    assert store.image_ids == tuple(sorted(views))
    for name in views:
        for yaw, picture in zip(yaws, views[name], strict=True):
            np.testing.assert_array_equal(store.load(name, yaw), picture)
    assert "image 03" in store and "nobody" not in store


def test_what_is_kept_of_large_groups_ends_where_memory_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups of about 10 kB of noise, of which 25 kB may be kept: two; and of which none may be: one."""
    rng = np.random.default_rng(0)
    views = {f"{i:02}": [rng.integers(0, 256, (40, 32), dtype=np.uint8)] for i in range(48)}
    store = ViewStore([_write(tmp_path, "part-00000.parquet", views, (0,))])
    for most, expected in ((25_000, 2), (0, 1)):
        monkeypatch.setattr("genreid.render.views._CACHED_BYTES", most)
        for name in sorted(views):
            np.testing.assert_array_equal(store.load(name, 0), views[name][0])
        assert len(store._groups) == expected
        assert store._cached_bytes == sum(group.nbytes for group in store._groups.values())


def test_a_shard_of_no_image_is_a_shard(tmp_path: Path) -> None:
    store = ViewStore([_write(tmp_path, "part-00000.parquet", {}, (0, 90))])
    assert store.image_ids == () and store.yaws_deg == (0, 90)


def test_what_is_not_there(tmp_path: Path) -> None:
    store = ViewStore([_write(tmp_path, "part-00000.parquet", _random_views(["a"], 1), (0,))])
    with pytest.raises(GenreidError, match="'b' has no views among 1"):
        store.load("b", 0)
    with pytest.raises(GenreidError, match="no view at 45 degrees"):
        store.load("a", 45)
    with pytest.raises(GenreidError, match="run `genreid render-views`"):
        ViewStore([])


REMEDY = r"part-00000\.parquet cannot be read .*dvc repro --force render-views"


def test_a_shard_cut_short_names_itself_and_the_remedy(tmp_path: Path) -> None:
    path = _write(tmp_path, "part-00000.parquet", _random_views(["a", "b"], 2), (0, 90))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(GenreidError, match=REMEDY):
        ViewStore([path])
    with pytest.raises(GenreidError, match=r"part-00007\.parquet cannot be read"):
        ViewStore([tmp_path / "part-00007.parquet"])


def test_a_picture_damaged_inside_a_shard(tmp_path: Path) -> None:
    path = _write(tmp_path, "part-00000.parquet", _random_views(["a"], 1), (0,))
    content = path.read_bytes()
    assert content.count(b"\x89PNG") >= 1
    path.write_bytes(content.replace(b"\x89PNG", b"\x00PNG"))
    with pytest.raises(GenreidError, match=REMEDY):
        ViewStore([path]).load("a", 0)


def test_shards_of_different_viewpoints_do_not_mix(tmp_path: Path) -> None:
    first = _write(tmp_path, "part-00000.parquet", _random_views(["a"], 1), (0,))
    second = _write(tmp_path, "part-00001.parquet", _random_views(["b"], 2), (0, 90))
    with pytest.raises(GenreidError, match="expected one set of viewpoints"):
        ViewStore([first, second])


def test_png_is_lossless() -> None:
    view = np.arange(256, dtype=np.uint8).reshape(8, 32)
    np.testing.assert_array_equal(decode_png(encode_png(view)), view)
    with pytest.raises(GenreidError, match="0 bytes are no PNG"):
        decode_png(b"")
