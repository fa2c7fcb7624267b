"""What a study's oracle tells training: the one way there is from the truth to it, which `train_joint.oracle`
opens.

An arm that is shown true views, or told true identities, tells how much better views or better clusters could
still make things.
"""

from __future__ import annotations

import numpy as np

from genreid.clustering.pseudo_labels import OUTLIER, PseudoLabels
from genreid.data.images import ImageSet
from genreid.data.manifest import Manifest
from genreid.evaluation.true_views import TruePersons, true_views
from genreid.training.settings.joint import JointSettings
from genreid.warping.images import WarpedImages
from pipeline.errors import PipelineError
from stages.shared.body import open_body
from stages.shared.data import read_truth
from stages.shared.run import StageRun

_REMEDY = "set `train_joint.oracle: none`"


def true_labels(run: StageRun[JointSettings], train: Manifest) -> PseudoLabels:
    """The identities of the manifest's images in the place of clusters; who has none is an outlier.

    Raises PipelineError where the data set does not name two.
    """
    known = train.person_id > 0
    persons, number = np.unique(train.person_id[known], return_inverse=True)
    if len(persons) < 2:
        raise PipelineError(
            f"train_joint.oracle is {run.settings.oracle}, and the training images of {train.info.dataset} "
            f"show {len(persons)} known identities: {_REMEDY}"
        )
    labels = np.full(len(train), OUTLIER, np.int64)
    labels[known] = number
    return PseudoLabels(labels)


def true_persons(
    run: StageRun[JointSettings],
    train: Manifest,
    images: ImageSet,
    yaws_deg: tuple[int, ...],
    warped: WarpedImages,
) -> TruePersons:
    """The persons of the manifest's `images`, turned by `yaws_deg` as the benchmark draws them; they stand in
    for `warped` ones.

    Raises PipelineError where there is no truth about them.
    """
    truth = read_truth(run)
    if not truth.num_rows:
        raise PipelineError(
            f"train_joint.oracle is {run.settings.oracle}, and {train.info.dataset} has no truth about other "
            f"sides of its persons, as the synthetic benchmark alone has it: {_REMEDY}"
        )
    if lacking := sorted(set(images.image_id) - set(truth["image_id"].to_pylist())):
        raise PipelineError(
            f"{run.paths.truth} lacks {len(lacking)} images ({lacking[0]}, …); {run.remedy('truth')}"
        )
    body = open_body(run.root, train.info.body)
    return TruePersons(images, true_views(truth, body), yaws_deg, warped)
