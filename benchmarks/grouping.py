"""How well images are grouped by person: `python -m benchmarks.grouping`, in a project whose `dvc repro` has
run.

The images of the test identities (distractors left out), embedded by the joint encoder, all of them and
random parts of them, in which most persons have few images: BCubed precision, recall and F (Amigó et al.,
2009) and the number of persons, of `genreid group` beside DBSCAN at fixed distances, as training clusters,
and beside HDBSCAN on cosine distances. Nothing is chosen here: the cut is that of `genreid group`, from
validation identities where there are any.

`--persons` prints instead how many groups of `genreid group` there are for each person, part by part, of the
test identities or, by `--split val`, of the validation identities.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from genreid.clustering.cameras import without_camera_mean
from genreid.clustering.pseudo_labels import cluster
from genreid.clustering.settings import PseudoLabelSettings
from genreid.data.ways import looks
from genreid.deployment.fitting_cut import fitting_cut
from genreid.deployment.groups import Likeness, group
from genreid.evaluation.matches import MatchCurve
from genreid.models.checkpoint import load_encoder
from genreid.models.embedding import embed_mean
from genreid.progress import Silent
from pipeline.params import section
from stages.shared.data import image_set, read_manifest
from stages.shared.run import Options, Project
from stages.shared.sections import stage_settings
from stages.using.checkpoint import open_checkpoint
from stages.using.matches import matching_for

_EPS = (0.5, 0.6)
_PARTS = (20, 60, 150, 500, 2000)
_DRAWS = 10
_PARTS_OF_PERSONS = {20: 20, 60: 20, 150: 20, 500: 20, 1000: 20, 2000: 5, 4000: 5}
"""Images of a part, and how many parts of so many are drawn."""
_SPLITS = {"test": ("query", "gallery"), "val": ("val_query", "val_gallery")}

Labels = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""Unit rows (N, D) and cameras, if known → (N,) groups; −1 for an image that is in none, and so alone."""


def main() -> None:
    """Print a table for embeddings as they are, and one for those less the means of cameras."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", action="store_true")
    parser.add_argument("--split", choices=_SPLITS, default="test")
    asked = parser.parse_args()
    project = Project.open(Options())
    checkpoint = open_checkpoint(project, "joint")
    encoder = load_encoder(checkpoint.content, checkpoint.place).to(project.device)
    images = read_manifest(project).select(*_SPLITS[asked.split])
    images = images.rows(np.flatnonzero(images.person_id > 0))
    looked = looks("image", image_set(project, images))
    rows = embed_mean(encoder, looked, len(images), 128, project.device, Silent())
    settings = section(project.params, "train_joint", stage_settings()["train_joint"]).clustering
    centred = without_camera_mean(rows, images.camera_id)
    for name, own in (("as they are", rows), ("less the means of cameras", centred)):
        matching = matching_for(project, checkpoint, "image", centred=own is centred)
        if matching is None:
            print(f"nobody has counted the matches of {checkpoint.place}, {name}")
            continue
        print(f"\nEmbeddings {name}; {matching.note}\n")
        camera = images.camera_id if own is centred else None
        lines = _groups_a_person if asked.persons else _lines
        for line in lines(own.numpy(), camera, images.person_id, settings, matching.curve):
            print(line, flush=True)


def _lines(
    rows: np.ndarray,
    camera: np.ndarray | None,
    person: np.ndarray,
    settings: PseudoLabelSettings,
    curve: MatchCurve,
) -> Iterator[str]:
    yield "| images | groups by | P | R | F | persons | true |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for num in (*(part for part in _PARTS if part < len(rows)), len(rows)):
        draws = (
            [np.arange(len(rows))] if num == len(rows) else [_draw(len(rows), num, n) for n in range(_DRAWS)]
        )
        for name, labels in _ways(settings, curve).items():
            found = np.mean([_judged(labels, rows, camera, person, drawn) for drawn in draws], axis=0)
            shares = " | ".join(f"{share:.3f}" for share in found[:3])
            yield f"| {num} | {name} | {shares} | {found[3]:.0f} | {found[4]:.0f} |"


def _groups_a_person(
    rows: np.ndarray,
    camera: np.ndarray | None,
    person: np.ndarray,
    settings: PseudoLabelSettings,
    curve: MatchCurve,
) -> Iterator[str]:
    yield "| images | persons | least groups a person | median | most |"
    yield "|---:|---:|---:|---:|---:|"
    labels = _ways(settings, curve)["genreid group"]
    sizes = {num: draws for num, draws in _PARTS_OF_PERSONS.items() if num < len(rows)}
    for num, draws in {**sizes, len(rows): 1}.items():
        parts = (np.arange(num) if num == len(rows) else _draw(len(rows), num, seed) for seed in range(draws))
        found = [_judged(labels, rows, camera, person, drawn)[3:] for drawn in parts]
        ratios = [groups / persons for groups, persons in found]
        shares = f"{min(ratios):.2f} | {np.median(ratios):.2f} | {max(ratios):.2f}"
        yield f"| {num} | {np.median([persons for _, persons in found]):.0f} | {shares} |"


def _judged(
    labels: Labels, rows: np.ndarray, camera: np.ndarray | None, person: np.ndarray, drawn: np.ndarray
) -> tuple[float, float, float, int, int]:
    return bcubed(labels(rows[drawn], None if camera is None else camera[drawn]), person[drawn])


def _draw(num: int, part: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice(num, part, replace=False)


def _ways(settings: PseudoLabelSettings, curve: MatchCurve) -> dict[str, Labels]:
    def own(rows: np.ndarray, camera: np.ndarray | None) -> np.ndarray:
        return group(Likeness.of(rows, settings), fitting_cut(rows, camera, curve, seed=1)).labels

    def dbscan(rows: np.ndarray, _: np.ndarray | None, eps: float) -> np.ndarray:
        k1 = min(settings.k1, len(rows))
        return cluster(rows, replace(settings, k1=k1, k2=min(settings.k2, k1), eps=eps)).labels

    def hdbscan(rows: np.ndarray, _: np.ndarray | None) -> np.ndarray:
        from sklearn.cluster import HDBSCAN

        distance = np.clip(1 - rows @ rows.T, 0, None).astype(np.float64)
        found: np.ndarray = HDBSCAN(min_cluster_size=2, metric="precomputed", copy=True).fit_predict(distance)
        return found

    ways: dict[str, Labels] = {"genreid group": own}
    for eps in _EPS:
        ways[f"DBSCAN, eps {eps}"] = partial(dbscan, eps=eps)
    return {**ways, "HDBSCAN": hdbscan}


def bcubed(labels: np.ndarray, person: np.ndarray) -> tuple[float, float, float, int, int]:
    """Precision, recall and F over images, the number of groups and of persons."""
    labels = np.where(labels < 0, labels.max(initial=0) + 1 + np.arange(len(labels)), labels)
    group_of, of = (np.unique(one, return_inverse=True)[1] for one in (labels, person))
    table = np.zeros((group_of.max() + 1, of.max() + 1))
    np.add.at(table, (group_of, of), 1)
    both = table[group_of, of]
    precision, recall = (float((both / table.sum(axis)[at]).mean()) for axis, at in ((1, group_of), (0, of)))
    return precision, recall, 2 * precision * recall / (precision + recall), len(table), table.shape[1]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
