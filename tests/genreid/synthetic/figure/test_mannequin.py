from __future__ import annotations

import numpy as np
import pytest

from genreid.synthetic.figure.mannequin import Mannequin, drape, vertex_normals


def test_normals_point_outwards(mannequin: Mannequin) -> None:
    normals = vertex_normals(mannequin.vertices, mannequin.faces)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
    trunk = (np.abs(mannequin.vertices[:, 0]) < 0.12) & (np.abs(mannequin.vertices[:, 1] - 0.15) < 0.1)
    outward = mannequin.vertices[trunk][:, [0, 2]] - mannequin.vertices[trunk][:, [0, 2]].mean(axis=0)
    assert ((normals[trunk][:, [0, 2]] * outward).sum(axis=1) > 0).mean() > 0.95


def test_cloth_bridges_hollows_and_skin_stays(mannequin: Mannequin) -> None:
    loose = np.zeros(len(mannequin.vertices), np.float32)
    loose[np.abs(mannequin.vertices[:, 1] + 0.05) < 0.1] = 1.0
    moving = np.flatnonzero(loose).astype(np.int32)
    shape = drape(mannequin.vertices, mannequin.neighbour_start, mannequin.neighbours, moving, loose, 6)
    assert np.array_equal(shape[loose == 0], mannequin.vertices[loose == 0])

    def roughness(vertices: np.ndarray) -> float:
        """Mean distance of a vertex from the middle of its neighbours."""
        start, near = mannequin.neighbour_start, mannequin.neighbours
        return np.mean(
            [
                np.linalg.norm(vertices[v] - vertices[near[start[v] : start[v + 1]]].mean(axis=0))
                for v in np.flatnonzero(loose)
            ]
        )

    assert roughness(shape) < 0.7 * roughness(mannequin.vertices)
    girth = [np.ptp(v[np.abs(v[:, 1]) < 0.03][:, 0]) for v in (shape, mannequin.vertices)]
    assert girth[0] == pytest.approx(girth[1], rel=0.04)
