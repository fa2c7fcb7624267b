"""`evaluate`: the joint encoder beside the one it started from, and the generated views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stages._options import Device, Fresh, ShowProgress, Workers
from stages._run import Options, open_stage


@dataclass(frozen=True)
class EvaluateSettings:
    """split: `val` in studies; a study scores `test` once, at its end.

    max_rank: of the CMC curve. num_generated: queries whose generated views are measured. num_ranked_lists:
    queries in the picture. reranking: see `genreid.evaluation.reranking`, null for none.
    """

    seed: int
    split: Literal["test", "val"]
    batch_size: int
    max_rank: int
    num_generated: int
    num_ranked_lists: int
    reranking: Mapping[str, Any] | None


def evaluate(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Score retrieval (mAP, CMC, mINP) of warm-up and joint encoder side by side, and the generated views."""
    options = Options(fresh, device, workers, progress)
    inputs = ("manifest", "images", "truth", "views", "encoder", "joint")
    with open_stage("evaluate", options, inputs=inputs) as run:
        from pipeline.artifacts import write_json
        from stages import _evaluation as evaluation
        from stages._retrieval import Pair

        settings = run.settings(EvaluateSettings)
        pair = Pair.of(run, settings.split)
        networks = evaluation.load_networks(run)

        retrievals = evaluation.rank_both(run, networks, pair, settings)
        views, learnt = evaluation.judge_generator(run, networks, pair, retrievals, settings)

        metrics = evaluation.metrics_of(pair, retrievals, views, learnt)
        evaluation.write_plots(run, pair, retrievals, views, learnt, settings)
        write_json(run.path("metrics"), metrics)
        evaluation.show(run, pair, retrievals, metrics, settings)
