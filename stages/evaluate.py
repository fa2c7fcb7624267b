"""`evaluate`: the joint encoder beside the one it started from, and the generated views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stages._options import Device, Fresh, ShowProgress, Workers
from stages._run import Options, open_stage


@dataclass(frozen=True)
class EvaluateSettings:
    """split: `val` in studies; a study scores `test` once, at its end. reranking: null for none."""

    seed: int
    split: Literal["test", "val"]
    batch_size: int
    max_rank: int
    num_ranked_lists: int
    reranking: Mapping[str, Any] | None


def evaluate(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Score retrieval (mAP, CMC, mINP) of warm-up and joint encoder side by side, and the generated views."""
    options = Options(fresh, device, workers, progress)
    inputs = ("manifest", "images", "truth", "views", "encoder", "generator", "joint")
    with open_stage("evaluate", options, inputs=inputs) as run:
        from genreid.evaluation.reranking import RerankingSettings
        from genreid.models.checkpoint import load_encoder
        from pipeline.artifacts import atomic_directory, write_json
        from stages._data import read_checkpoint, read_manifest
        from stages._retrieval import SPLITS, cmc_rows, percentages, retrieve
        from stages.summary import ranking_table

        settings = run.settings(EvaluateSettings)
        reranking = run.settings(RerankingSettings, "reranking") if settings.reranking else None
        queries, gallery = (read_manifest(run).select(split) for split in SPLITS[settings.split])
        retrievals = {
            name: retrieve(
                run,
                name,
                load_encoder(*read_checkpoint(run, key)).to(run.device),
                queries,
                gallery,
                batch_size=settings.batch_size,
                max_rank=settings.max_rank,
                reranking=reranking,
            )
            for name, key in (("warm_up", "encoder"), ("joint", "joint"))
        }

        metrics = {name: percentages(retrieval) for name, retrieval in retrievals.items()}
        with atomic_directory(run.plots) as folder:
            write_json(folder / "cmc.json", cmc_rows(retrievals))
        write_json(run.path("metrics"), metrics)

        first = retrievals["joint"].result
        run.show(
            "Evaluation", {"split": settings.split, "queries": first.num_queries, "gallery": len(gallery)}
        )
        run.console.print(ranking_table(metrics))
