"""Clusters of pseudo-labels: what another epoch of training would learn from.

A run keeps no pseudo-labels. So the training images are embedded by the trained encoder and clustered as
its stage does at the beginning of an epoch, with the same settings: `train_joint` on turned views, if it is
told to, and without the mean of each camera. (With `cluster_on: memory` the stage clusters the memory
instead, which a checkpoint does not hold; fresh embeddings stand for it.)

Shapes: N images, P clusters, R pictures of each image, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.shared.run import Project
from stages.using.report.bodies import turned_persons
from stages.using.report.crops import Crop, Part

if TYPE_CHECKING:
    import numpy as np
    import torch

    from genreid.clustering.settings import PseudoLabelSettings
    from genreid.models.encoder import IdentityEncoder
    from genreid.progress import Progress

MOST_CLUSTERS, MOST_CROPS = 300, 10


@dataclass(frozen=True)
class Cluster:
    """A pseudo-identity.

    number: its label. size: images in it. margin: see `margins`. purity: share of its commonest true
    identity among its images whose identity is known; identities: how many there are. Both None where none
    is known. cameras: how many. crops: some of its images, from the most typical to the least.
    """

    number: int
    size: int
    margin: float
    purity: float | None
    identities: int | None
    cameras: int
    crops: list[Crop]


@dataclass(frozen=True)
class Clusters:
    """num_images: N. num: P. outliers: images in no cluster. ari: adjusted Rand index with the true
    identities, None where they are not known. shown: the least certain clusters, by rising margin. views:
    what was clustered."""

    num_images: int
    num: int
    outliers: int
    ari: float | None
    views: str
    shown: list[Cluster]

    @property
    def has_purity(self) -> bool:
        return any(one.purity is not None for one in self.shown)


def pseudo_identities(project: Project, progress: Progress, *, photographs: bool) -> Clusters:
    """Embed and cluster the training images with the joint encoder. Raises GenreidError, PipelineError."""
    from genreid.models.checkpoint import load_encoder
    from genreid.training.settings.joint import JointSettings
    from pipeline.params import section
    from stages.shared.data import image_set, read_manifest
    from stages.shared.preprocessing import read_fitting_checkpoint

    settings = section(project.params, "train_joint", JointSettings)
    train = read_manifest(project).select("train")
    images = image_set(project, train)
    encoder = load_encoder(*read_fitting_checkpoint(project, "joint", train.info)).to(project.device)
    part = Part(train, images, photographs)
    rows = _embedded(project, progress, encoder, part, settings.cluster_views, settings.embed_batch_size)
    return clustered(rows, part, settings.clustering, settings.cluster_views, centred=settings.camera_centred)


def clustered(
    rows: torch.Tensor, part: Part, settings: PseudoLabelSettings, views: str, *, centred: bool
) -> Clusters:
    """rows: (N, R, D) unit rows of the images of `part`. centred: whether each camera's mean is taken off
    first."""
    import numpy as np
    import torch.nn.functional as F

    from genreid.clustering.cameras import without_camera_mean
    from genreid.clustering.pseudo_labels import cluster
    from stages.shared.agreement import agreement_with

    num_rows, cameras = rows.shape[1], part.manifest.camera_id
    of_rows = np.repeat(cameras, num_rows) if centred else None
    labels = cluster(rows.flatten(0, 1), settings, of_rows, rows_per_image=num_rows)
    means = F.normalize(rows.sum(1), dim=1)
    if centred:
        means = without_camera_mean(means, cameras)
    own, margin = margins(means.numpy(), labels.labels)
    found = [
        _cluster(part, labels.labels == number, number, own, margin) for number in range(labels.num_clusters)
    ]
    found.sort(key=lambda one: (one.margin, one.number))
    shown = [_with_crops(one, part, labels.labels, own) for one in found[:MOST_CLUSTERS]]
    ari = agreement_with(part.manifest)(labels).get("ari")
    return Clusters(len(part.images), labels.num_clusters, labels.num_outliers, ari, views, shown)


def margins(rows: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How surely each image is its cluster's: (N,) cosine to the mean of its cluster's other images, and
    (N,) how much larger that is than the cosine to the nearest other cluster's mean; NaN for outliers.

    rows: (N, D) float32 unit rows. labels: (N,), −1 an outlier. It is the silhouette's idea with means in
    place of all pairs (Hruschka et al., "Evolutionary algorithms for clustering", 2004, the simplified
    silhouette), so that it takes N·P products. The only image of a cluster is compared with itself; without
    a second cluster nothing is taken off.
    """
    import numpy as np

    num = int(labels.max(initial=-1)) + 1
    sums = np.zeros((num, rows.shape[1]), np.float32)
    np.add.at(sums, labels[labels >= 0], rows[labels >= 0])
    counts = np.bincount(labels[labels >= 0], minlength=num)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    own, margin = np.full(len(rows), np.nan, np.float32), np.full(len(rows), np.nan, np.float32)
    inside = np.flatnonzero(labels >= 0)
    for start in range(0, len(inside), 4096):
        index = inside[start : start + 4096]
        label = labels[index]
        others = np.where(counts[label, None] > 1, sums[label] - rows[index], sums[label])
        others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
        own[index] = (rows[index] * others).sum(1)
        to_means = rows[index] @ means.T
        to_means[np.arange(len(index)), label] = -np.inf
        nearest = to_means.max(1) if num > 1 else np.zeros(len(index), np.float32)
        margin[index] = own[index] - nearest
    return own, margin


def _cluster(part: Part, inside: np.ndarray, number: int, own: np.ndarray, margin: np.ndarray) -> Cluster:
    import numpy as np

    persons = part.manifest.person_id[inside]
    known = np.unique(persons[persons > 0], return_counts=True)[1]
    purity = float(known.max() / known.sum()) if len(known) else None
    cameras = len(np.unique(part.manifest.camera_id[inside]))
    size, mean = int(inside.sum()), float(margin[inside].mean())
    return Cluster(number, size, mean, purity, len(known) if len(known) else None, cameras, [])


def _with_crops(one: Cluster, part: Part, labels: np.ndarray, own: np.ndarray) -> Cluster:
    """The same with some of its images, evenly from the most typical to the least."""
    from dataclasses import replace

    import numpy as np

    inside = np.flatnonzero(labels == one.number)
    order = inside[np.argsort(-own[inside], kind="stable")]
    chosen = order[np.unique(np.linspace(0, len(order) - 1, MOST_CROPS).astype(np.int64))]
    return replace(one, crops=[part.crop(int(position)) for position in chosen])


def _embedded(
    project: Project, progress: Progress, encoder: IdentityEncoder, part: Part, views: str, batch_size: int
) -> torch.Tensor:
    """(N, R, D): as `genreid.training.features` has them."""
    import torch

    from genreid.data.settings import WayName
    from genreid.data.ways import looks
    from genreid.models.embedding import embed_mean
    from genreid.training.features import TURNS_DEG

    ways: dict[str, WayName] = {"mirror": "mirror", "turned": "turned", "turned_rows": "turned"}
    way = ways.get(views, "image")
    turned = turned_persons(project, part.manifest, part.images) if way == "turned" else None
    pictures = looks(way, part.images, turned, TURNS_DEG)
    groups = [[picture] for picture in pictures] if views == "turned_rows" else [pictures]
    num = len(part.images)
    rows = [embed_mean(encoder, group, num, batch_size, project.device, progress) for group in groups]
    return torch.stack(rows, dim=1)
