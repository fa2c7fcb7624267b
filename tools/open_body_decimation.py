"""Mirror-symmetric mesh decimation that keeps a subset of the vertices.

Half-edge collapses ordered by the quadric error (Garland and Heckbert 1997), each done together with its
mirror image, so that a symmetric closed surface stays one. Keeping original vertices (rather than moving
them) lets shape directions and skinning weights be taken over by indexing.
"""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

EDGE_LENGTH_WEIGHT = 2e-3  # of the squared edge length, against the quadric error: keeps triangles even
MIN_NORMAL_COSINE = 0.35  # of a triangle before and after a collapse
MIN_SHAPE_QUALITY = 0.08  # 4*sqrt(3)*area / sum of squared edges; 1 for an equilateral triangle


class _Surface:
    """A closed triangle mesh under collapses: `faces` (F,3) where −1 rows are gone, `star[v]` faces at v."""

    def __init__(self, points: Array, faces: Index) -> None:
        self.points = points
        self.faces = faces.copy()
        self.star: list[set[int]] = [set() for _ in points]
        for face, corners in enumerate(faces.tolist()):
            for corner in corners:
                self.star[corner].add(face)

    def neighbours(self, vertex: int) -> set[int]:
        ring = {int(c) for face in self.star[vertex] for c in self.faces[face]}
        ring.discard(vertex)
        return ring

    def may_collapse(self, gone: int, kept: int) -> bool:
        """Whether moving `gone` onto `kept` keeps a manifold (link condition) without folds or slivers."""
        ring_gone, ring_kept = self.neighbours(gone), self.neighbours(kept)
        common = ring_gone & ring_kept
        if len(common) != 2 or any(len(self.star[c]) <= 4 for c in common):
            return False
        if len(ring_gone) + len(ring_kept) - 4 > 11:
            return False
        moved = np.array([f for f in self.star[gone] if f not in self.star[kept]])
        before = self.points[self.faces[moved]]
        after = self.points[np.where(self.faces[moved] == gone, kept, self.faces[moved])]
        return _stays_sound(before, after)

    def collapse(self, gone: int, kept: int) -> list[tuple[int, NDArray[np.int64]]]:
        """Do it; return what `restore` needs to undo it."""
        undo = [(face, self.faces[face].copy()) for face in self.star[gone]]
        for face in list(self.star[gone]):
            corners = self.faces[face]
            if kept in corners:
                for corner in corners.tolist():
                    self.star[corner].discard(face)
                self.faces[face] = -1
            else:
                self.faces[face] = np.where(corners == gone, kept, corners)
                self.star[kept].add(face)
                self.star[gone].discard(face)
        return undo

    def restore(self, gone: int, kept: int, undo: list[tuple[int, NDArray[np.int64]]]) -> None:
        for face, corners in undo:
            self.faces[face] = corners
            self.star[kept].discard(face)
            for corner in corners.tolist():
                self.star[corner].add(face)


def _stays_sound(before: Array, after: Array) -> bool:
    normal_before = np.cross(before[:, 1] - before[:, 0], before[:, 2] - before[:, 0])
    normal_after = np.cross(after[:, 1] - after[:, 0], after[:, 2] - after[:, 0])
    area_before, area_after = np.linalg.norm(normal_before, axis=1), np.linalg.norm(normal_after, axis=1)
    cosine = (normal_before * normal_after).sum(1) / np.maximum(area_before * area_after, 1e-18)
    edges = ((after - np.roll(after, 1, axis=1)) ** 2).sum((1, 2))
    quality = 2 * np.sqrt(3) * area_after / np.maximum(edges, 1e-18)
    # Flat degenerate triangles (a closed mouth) have no direction that a collapse could turn over.
    flat = area_before < 1e-8
    return bool(np.all(flat | ((cosine > MIN_NORMAL_COSINE) & (quality > MIN_SHAPE_QUALITY))))


def _quadrics(points: Array, faces: Index) -> Array:
    """(N,4,4) area-weighted sums of the squared distance to the planes of each vertex's triangles."""
    corner = points[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    double_area = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = normal / np.maximum(double_area, 1e-12)
    plane = np.concatenate([normal, -(normal * corner[:, 0]).sum(1, keepdims=True)], axis=1)
    per_face = plane[:, :, None] * plane[:, None, :] * (double_area / 6)[:, :, None]
    quadrics = np.zeros((len(points), 4, 4))
    for k in range(3):
        np.add.at(quadrics, faces[:, k], per_face)
    return quadrics


def decimate_symmetric(
    points: Array, faces: Index, mirror: Index, importance: Array, num_vertices: int
) -> tuple[Index, Index]:
    """Collapse edges until `num_vertices` are left.

    points (N,3) and faces (F,3): closed and symmetric about x = 0; mirror (N,): each vertex's image;
    importance (N,): multiplies the cost of removing a vertex.
    Returns the kept vertices (num_vertices,) ascending, and faces (.,3) that index into them.
    Raises RuntimeError when no allowed collapse is left.
    """
    surface = _Surface(points, faces)
    quadrics = _quadrics(points, faces)
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    area = np.trace(quadrics[:, :3, :3], axis1=1, axis2=2)
    stamp = np.zeros(len(points), np.int64)
    heap: list[tuple[float, int, int, int, int]] = []

    def push(gone: int) -> None:
        if mirror[gone] < gone:  # its mirror image stands for it
            return
        for kept in surface.neighbours(gone):
            # The midline may only shrink along itself, and nothing may jump across it.
            if (mirror[gone] == gone and mirror[kept] != kept) or kept == mirror[gone]:
                continue
            at = homogeneous[kept]
            length = float(((points[gone] - points[kept]) ** 2).sum())
            cost = at @ (quadrics[gone] + quadrics[kept]) @ at + EDGE_LENGTH_WEIGHT * area[gone] * length
            heapq.heappush(heap, (float(cost * importance[gone]), gone, kept, stamp[gone], stamp[kept]))

    for vertex in range(len(points)):
        push(vertex)
    surplus = len(points) - num_vertices
    while surplus > 0:
        if not heap:
            raise RuntimeError(f"no allowed collapse is left with {surplus} vertices too many")
        _, gone, kept, stamp_gone, stamp_kept = heapq.heappop(heap)
        if stamp[gone] != stamp_gone or stamp[kept] != stamp_kept:
            continue
        pairs = [(gone, kept)]
        if mirror[gone] != gone:
            pairs.append((int(mirror[gone]), int(mirror[kept])))
        if len(pairs) > surplus or not _collapse_all(surface, pairs):
            continue
        surplus -= len(pairs)
        touched = set()
        for removed, target in pairs:
            quadrics[target] += quadrics[removed]
            area[target] += area[removed]
            stamp[removed] = -1
            touched |= surface.neighbours(target) | {target}
        # Neighbours' legality may have changed with their rings, so their candidates are made anew.
        for vertex in sorted(touched):
            stamp[vertex] += 1
        for vertex in sorted({min(v, int(mirror[v])) for t in touched for v in (t, *surface.neighbours(t))}):
            push(vertex)
    alive = np.flatnonzero(stamp >= 0)
    renumber = np.full(len(points), -1)
    renumber[alive] = np.arange(len(alive))
    return alive, renumber[surface.faces[surface.faces[:, 0] >= 0]]


def _collapse_all(surface: _Surface, pairs: list[tuple[int, int]]) -> bool:
    """Do every collapse or none."""
    done: list[tuple[int, int, list[tuple[int, NDArray[np.int64]]]]] = []
    for gone, kept in pairs:
        if not surface.star[gone] or not surface.star[kept] or not surface.may_collapse(gone, kept):
            for g, k, undo in reversed(done):
                surface.restore(g, k, undo)
            return False
        done.append((gone, kept, surface.collapse(gone, kept)))
    return True
