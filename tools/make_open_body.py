"""Make the open body: a human mesh in SMPL's layout from the `anny` package (Apache-2.0 code, CC0 data).

    pip install -e '.[open-body]' && python -m tools.make_open_body

The layout is SMPL's (Loper et al. 2015, section 3): T-pose, y up, facing +z, left side at +x, metres,
24 joints, 10 shape directions, at most four skinning weights a vertex, a sparse joint regressor. Nothing
of SMPL's own data is used or needed. The pose correctives (`posedirs`) are zero.

Legend of shapes: S sampled persons, N vertices of anny's body, V = 6,890 kept vertices, J = 24 joints.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from importlib import metadata
from pathlib import Path

import anny
import numpy as np
import scipy.optimize
import scipy.sparse
import scipy.sparse.csgraph
import scipy.sparse.linalg
import scipy.spatial
import torch
from anny.face_segmentation import get_face_segmentation_mask
from numpy.typing import NDArray

from genreid.body.layout import JOINT_NAMES, PARENTS, mirror_name
from tools.open_body_decimation import decimate_symmetric

Array = NDArray[np.float64]
Index = NDArray[np.int64]

NUM_VERTICES = 6890
NUM_SHAPES = 10
DEFAULT_OUT = Path(__file__).resolve().parents[1] / "genreid" / "body" / "assets" / "open_body.npz"

MIRROR_JOINT = tuple(JOINT_NAMES.index(mirror_name(name)) for name in JOINT_NAMES)

# anny bone name (without side; a prefix where it ends in "*") -> the joint that moves it.
BONE_TO_JOINT = {
    "root": "pelvis", "pelvis": "pelvis", "spine05": "pelvis", "spine04": "spine1", "spine03": "spine1",
    "spine02": "spine2", "spine01": "spine3", "neck*": "neck", "head": "head", "eye": "head",
    "upperleg*": "hip", "lowerleg*": "knee", "foot": "ankle", "toe*": "foot", "clavicle": "collar",
    "shoulder01": "collar", "upperarm*": "shoulder", "lowerarm*": "elbow", "wrist": "wrist",
    "metacarpal*": "wrist", "finger1*": "wrist", "finger*": "hand",
}  # fmt: skip
# joint (without side) -> the anny bones whose heads' mean is the joint's centre.
JOINT_CENTRES = {
    "pelvis": ("root", "spine04"), "spine1": ("spine04",), "spine2": ("spine02",), "spine3": ("spine01",),
    "neck": ("neck01",), "head": ("head",), "hip": ("upperleg01",), "knee": ("lowerleg01",),
    "ankle": ("foot",), "foot": ("toe1-1", "toe2-1", "toe3-1", "toe4-1", "toe5-1"), "collar": ("clavicle",),
    "shoulder": ("upperarm01",), "elbow": ("lowerarm01",), "wrist": ("wrist",),
    "hand": ("finger2-1", "finger3-1", "finger4-1", "finger5-1"),
}  # fmt: skip


def side_of(name: str) -> str:
    return {".L": "left_", ".R": "right_"}.get(name[-2:], "")


def joint_of_bone(bone: str) -> int:
    """The index of the joint that moves a bone; the longest matching pattern wins."""
    stem = bone.removesuffix(".L").removesuffix(".R")
    matches = [p for p in BONE_TO_JOINT if stem == p or (p.endswith("*") and stem.startswith(p[:-1]))]
    joint = BONE_TO_JOINT[max(matches, key=len)]
    return JOINT_NAMES.index(joint if joint in JOINT_NAMES else side_of(bone) + joint)


def to_smpl_axes(points: Array) -> Array:
    """anny is z up and faces −y; SMPL is y up and faces +z; left is +x in both."""
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def sample_phenotypes(rng: np.random.Generator, num: int) -> dict[str, torch.Tensor]:
    """Adults of ordinary stature and build, each parameter in anny's own [0, 1] range.

    anny's height range holds from 1.2 m to 2.4 m: it is narrowed to 1.5–1.95 m; ages to 20–65 years.
    """
    gender = np.where(rng.random(num) < 0.5, rng.beta(2, 10, num), rng.beta(10, 2, num))
    drawn = {
        "gender": gender,
        "age": rng.uniform(0.64, 0.92, num),
        "muscle": np.clip(rng.normal(0.5, 0.2, num), 0.05, 0.95),
        "weight": np.clip(rng.normal(0.52, 0.23, num), 0.05, 1.0),
        "height": np.clip(rng.normal(0.365, 0.055, num), 0.22, 0.52),
        "proportions": np.clip(rng.normal(0.5, 0.17, num), 0.05, 0.95),
    }
    return {name: torch.as_tensor(values, dtype=torch.float32) for name, values in drawn.items()}


def rest_bodies(model: anny.Anny, phenotypes: dict[str, torch.Tensor]) -> tuple[Array, Array]:
    """Vertices (S,N,3) and joint centres (S,24,3) in anny's own rest pose, SMPL's axes."""
    labels = list(model.bone_labels)
    num = len(next(iter(phenotypes.values())))
    vertices, heads = [], []
    for start in range(0, num, 50):
        part = {k: v[start : start + 50] for k, v in phenotypes.items()}
        pose = torch.eye(4).expand(len(part["age"]), len(labels), 4, 4)
        with torch.no_grad():
            out = model(pose_parameters=pose, phenotype_kwargs=part)
        vertices.append(out["rest_vertices"].double().numpy())
        heads.append(out["rest_bone_heads"].double().numpy())
    bone_heads = to_smpl_axes(np.concatenate(heads))
    joints = np.empty((num, len(JOINT_NAMES), 3))
    for j, name in enumerate(JOINT_NAMES):
        side, _, stem = name.rpartition("_")
        suffix = {"left": ".L", "right": ".R", "": ""}[side]
        bones = [labels.index(b + suffix) for b in JOINT_CENTRES[stem]]
        joints[:, j] = bone_heads[:, bones].mean(1)
    return to_smpl_axes(np.concatenate(vertices)), joints


def joint_weights(model: anny.Anny) -> Array:
    """(N,24): anny's skinning weights summed over the bones of each joint."""
    bone_weights = model.dense_vertex_bone_weights.double().numpy()
    weights = np.zeros((len(bone_weights), len(JOINT_NAMES)))
    for bone, label in enumerate(model.bone_labels):
        weights[:, joint_of_bone(label)] += bone_weights[:, bone]
    return weights / weights.sum(1, keepdims=True)


def adjacency(faces: Index, num: int) -> scipy.sparse.csr_matrix:
    """(num,num) 0/1 matrix of mesh edges."""
    a, b = faces[:, [0, 1, 2]].ravel(), faces[:, [1, 2, 0]].ravel()
    return ((scipy.sparse.coo_matrix((np.ones(len(a)), (a, b)), shape=(num, num)).tocsr()) > 0).astype(float)


def outer_skin(faces: Index) -> Index:
    """Faces of the closed surface that is the skin: the largest connected part (no eyeballs, no tongue)."""
    num = int(faces.max()) + 1
    _, part = scipy.sparse.csgraph.connected_components(adjacency(faces, num), directed=False)
    return faces[part[faces[:, 0]] == np.bincount(part).argmax()]


def membrane(model: anny.Anny, faces: Index) -> scipy.sparse.csr_matrix:
    """(N,N) linear map that stretches eye sockets and mouth cavity to flat membranes over their rims.

    The cavities' inner vertices take the harmonic (mean of the neighbours) position: the surface stays closed
    and of genus 0, and the decimation finds almost nothing to keep there.
    """
    num = len(model.template_vertices)
    labels = ["eye_cavity.L", "eye_cavity.R", "mouth_cavity"]
    cavity = {tuple(sorted(f)) for f in model.faces[get_face_segmentation_mask(model, labels)].tolist()}
    outside = np.array([tuple(sorted(f)) not in cavity for f in faces.tolist()])
    inner = np.setdiff1d(np.unique(faces[~outside]), np.unique(faces[outside]))
    mean_of_ring = adjacency(faces, num)
    mean_of_ring = (
        scipy.sparse.diags(1 / np.maximum(np.asarray(mean_of_ring.sum(1)).ravel(), 1)) @ mean_of_ring
    )
    rest = np.setdiff1d(np.arange(num), inner)
    laplacian = scipy.sparse.eye(len(inner)) - mean_of_ring[inner][:, inner]
    solved = scipy.sparse.linalg.spsolve(laplacian.tocsc(), mean_of_ring[inner][:, rest].tocsc())
    result = scipy.sparse.eye(num).tolil()
    result[inner] = 0
    result[np.ix_(inner, rest)] = solved
    return result.tocsr()


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def frame(direction: Array, hint: Array) -> Array:
    """(S,3,3) orthonormal columns: the direction, the hint made orthogonal to it, their cross product."""
    first = unit(direction)
    second = unit(hint - (hint * first).sum(-1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=-1)


def rotations_from_t_pose(joints: Array) -> Array:
    """(S,24,3,3) global rotation of every joint's segment from the T-pose to anny's rest pose.

    Arms: along ±x with the elbow's hinge vertical, palms down. Legs: straight, 1.7 degrees apart from
    vertical. Trunk, head, collars and feet stay as they are.
    """
    num = len(joints)
    turn = np.broadcast_to(np.eye(3), (num, len(JOINT_NAMES), 3, 3)).copy()
    at = {name: joints[:, j] for j, name in enumerate(JOINT_NAMES)}
    up, forward = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    for side, sign in (("left", 1.0), ("right", -1.0)):
        along = np.array([sign, 0.0, 0.0])
        shoulder, elbow, wrist, hand = (at[f"{side}_{n}"] for n in ("shoulder", "elbow", "wrist", "hand"))
        # The left elbow bends forward by turning about −y: upper arm × forearm points down on the left.
        hinge = sign * np.cross(wrist - elbow, elbow - shoulder)
        t_arm = frame(along[None], up[None])
        for name, direction, hint in (
            ("shoulder", elbow - shoulder, hinge),
            ("elbow", wrist - elbow, hinge),
            ("wrist", hand - wrist, hinge),
            ("hand", hand - wrist, hinge),
        ):
            turn[:, JOINT_NAMES.index(f"{side}_{name}")] = frame(direction, hint) @ t_arm.transpose(0, 2, 1)
        t_leg = frame(np.array([[0.03 * sign, -1.0, 0.0]]), forward[None])
        hip, knee, ankle = (at[f"{side}_{n}"] for n in ("hip", "knee", "ankle"))
        for name, direction in (("hip", knee - hip), ("knee", ankle - knee)):
            leg = frame(direction, np.broadcast_to(forward, direction.shape))
            turn[:, JOINT_NAMES.index(f"{side}_{name}")] = leg @ t_leg.transpose(0, 2, 1)
    return turn


def unpose(vertices: Array, joints: Array, weights: Array) -> tuple[Array, Array]:
    """Vertices and joints in the T-pose, pelvis at the origin.

    Inverse skinning: the T-pose is the one from which the final weights give anny's rest pose back exactly,
    so that arms hanging down — what walking people show — start from a modelled shape, not from a stretched
    one.
    """
    turn = rotations_from_t_pose(joints)
    t_joints = np.zeros_like(joints)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            bone = joints[:, j] - joints[:, parent]
            t_joints[:, j] = t_joints[:, parent] + np.einsum("sba,sb->sa", turn[:, parent], bone)
    shift = joints - np.einsum("sjab,sjb->sja", turn, t_joints)
    blended = np.einsum("vj,sjab->svab", weights, turn)
    offset = np.einsum("vj,sja->sva", weights, shift)
    return np.linalg.solve(blended, (vertices - offset)[..., None])[..., 0], t_joints


def smooth_and_limit(weights: Array, ring: scipy.sparse.csr_matrix, mirror: Index, rounds: int) -> Array:
    """(V,24): diffused along the surface, made mirror-symmetric, the four largest a vertex, rows sum to 1."""
    mean_of_ring = scipy.sparse.diags(1 / np.asarray(ring.sum(1)).ravel()) @ ring
    for _ in range(rounds):
        weights = 0.5 * weights + 0.5 * (mean_of_ring @ weights)
    weights = 0.5 * (weights + weights[mirror][:, MIRROR_JOINT])
    fifth = np.sort(weights, axis=1)[:, -5, None]  # a left/right tie on the midline is dropped as a pair
    weights = np.where((weights > fifth) & (weights > 0.004), weights, 0)
    assert ((weights > 0).sum(1) <= 4).all()
    return weights / weights.sum(1, keepdims=True)


def joint_regressor(vertices: Array, joints: Array, weights: Array, mirror: Index) -> Array:
    """(24,V) non-negative rows summing to 1, fitted over the samples (SMPL, section 3.2).

    A row sees only vertices moved by its joint and its parent, near the joint: it stays meaningful for any
    pose.
    """
    regressor = np.zeros((len(JOINT_NAMES), vertices.shape[1]))
    mean = vertices.mean(0)
    for j, parent in enumerate(PARENTS):
        if MIRROR_JOINT[j] < j:
            regressor[j] = regressor[MIRROR_JOINT[j]][mirror]
            continue
        moved = weights[:, j] * (weights[:, parent] if parent >= 0 else 1) > 0.01
        distance = np.linalg.norm(mean - joints[:, j].mean(0), axis=1)
        near = np.argsort(np.where(moved, distance, distance + 1), kind="stable")[:500]
        if MIRROR_JOINT[j] == j:
            near = np.union1d(near, mirror[near])
        heavy = 30.0  # metres; weight of the equation "the row sums to 1"
        system = np.concatenate([vertices[:, near].transpose(0, 2, 1).reshape(-1, len(near)),
                                 np.full((1, len(near)), heavy)])  # fmt: skip
        row, _ = scipy.optimize.nnls(system, np.append(joints[:, j].ravel(), heavy), maxiter=20 * len(near))
        regressor[j, near] = row / row.sum()
        if MIRROR_JOINT[j] == j:
            regressor[j] = 0.5 * (regressor[j] + regressor[j][mirror])
    return regressor


def shape_directions(vertices: Array, mirror: Index) -> tuple[Array, Array, Array]:
    """Mean (V,3), directions (V,3,10) scaled to one standard deviation, and explained shares (10,)."""
    flip = np.array([-1.0, 1.0, 1.0])
    vertices = 0.5 * (vertices + vertices[:, mirror] * flip)
    mean = vertices.mean(0)
    flat = (vertices - mean).reshape(len(vertices), -1)
    _, singular, rows = np.linalg.svd(flat, full_matrices=False)
    rows = rows[:NUM_SHAPES]
    # An SVD leaves the signs open: positive is upwards and outwards, so betas[0] > 0 is a tall person.
    rows = rows * np.sign(rows @ mean.ravel())[:, None]
    scale = singular[:NUM_SHAPES] / np.sqrt(len(vertices) - 1)
    directions = (rows * scale[:, None]).reshape(NUM_SHAPES, -1, 3).transpose(1, 2, 0)
    return mean, directions, singular[:NUM_SHAPES] ** 2 / (singular**2).sum()


def build(seed: int, num_samples: int) -> dict[str, NDArray[np.generic]]:
    """Every array of the asset, by SMPL's names, and the extra ones of this project."""
    model = anny.Anny().to(dtype=torch.float32)
    faces = outer_skin(model.faces.numpy())
    stretch = membrane(model, faces)
    weights = joint_weights(model)
    rng = np.random.default_rng(seed)
    rest, rest_joints = rest_bodies(model, sample_phenotypes(rng, num_samples))

    average = stretch @ rest.mean(0)
    flipped = average * [-1.0, 1.0, 1.0]
    _, mirror = scipy.spatial.cKDTree(average).query(flipped)
    skin = np.unique(faces)
    local = np.full(len(average), -1)
    local[skin] = np.arange(len(skin))
    kept, kept_faces = decimate_symmetric(
        average[skin], local[faces], local[mirror[skin]], importance_of(weights[skin]), NUM_VERTICES
    )
    chosen = skin[kept]
    renumber = np.full(len(average), -1)
    renumber[chosen] = np.arange(len(chosen))
    mirror = renumber[mirror[chosen]]

    kept_weights = smooth_and_limit(weights[chosen], adjacency(kept_faces, len(chosen)), mirror, rounds=6)
    vertices, joints = unpose(np.stack([stretch[chosen] @ body for body in rest]), rest_joints, kept_weights)
    template, directions, shares = shape_directions(vertices, mirror)
    print("variance explained by the shape directions, %:", (100 * shares).round(2).tolist())
    regressor = joint_regressor(vertices, joints, kept_weights, mirror)
    error_mm = 1e3 * np.linalg.norm(regressor @ vertices - joints, axis=-1).mean(0)
    print(
        "mean error of the joint regressor, mm:",
        dict(zip(JOINT_NAMES, error_mm.round(1).tolist(), strict=True)),
    )
    return {
        # "+ 0" turns −0 into 0: which of the two rounding leaves depends on the number of threads.
        "v_template": template.astype(np.float32) + 0,
        "shapedirs": directions.astype(np.float16) + 0,
        "posedirs": np.zeros((NUM_VERTICES, 3, 9 * (len(JOINT_NAMES) - 1)), np.float16),
        "J_regressor": regressor.astype(np.float32),
        "kintree_table": np.stack([np.array(PARENTS), np.arange(len(PARENTS))]),
        "weights": kept_weights.astype(np.float32),
        "f": kept_faces.astype(np.uint16),
        "provenance": np.array(
            f"made by tools/make_open_body.py with seed {seed} from {num_samples} adults of anny "
            f"{metadata.version('anny')} (code Apache-2.0, NAVER Corp.; body data CC0, MakeHuman community)"
        ),
    }


def importance_of(weights: Array) -> Array:
    """(N,) cost factor of removing a vertex: fingers, toes and face have far more than a crop can show."""
    joints = {n: weights[:, [j for j, m in enumerate(JOINT_NAMES) if n in m]].sum(1) for n in ("head", "hand",
              "wrist", "foot", "ankle")}  # fmt: skip
    extremity = joints["hand"] + joints["wrist"] + joints["foot"] + joints["ankle"]
    return 1 - 0.93 * np.clip(extremity, 0, 1) - 0.9 * joints["head"]


def write_npz(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """As numpy.savez_compressed, but without the time of writing: equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", type=int, default=400)
    args = parser.parse_args()
    write_npz(args.out, build(args.seed, args.samples))


if __name__ == "__main__":
    main()
