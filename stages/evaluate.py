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
        from genreid.evaluation.generation import Painter
        from genreid.evaluation.reranking import RerankingSettings
        from genreid.models.checkpoint import load_encoder, load_generator
        from pipeline.artifacts import atomic_directory, write_bytes, write_json
        from pipeline.pictures import png
        from stages._data import read_checkpoint
        from stages._generation import judge_views
        from stages._retrieval import SPLITS, Part, cmc_rows, percentages, picture_of_lists, retrieve
        from stages.summary import ranking_table

        settings = run.settings(EvaluateSettings)
        reranking = run.settings(RerankingSettings, "reranking") if settings.reranking else None
        queries, gallery = (Part.of(run, split) for split in SPLITS[settings.split])
        encoders = {
            "warm_up": load_encoder(*read_checkpoint(run, "encoder")).to(run.device),
            "joint": load_encoder(*read_checkpoint(run, "joint")).to(run.device),
        }
        generator, _ = load_generator(*read_checkpoint(run, "joint"))

        retrievals = {
            name: retrieve(
                run,
                name,
                encoder,
                queries,
                gallery,
                batch_size=settings.batch_size,
                max_rank=settings.max_rank,
                reranking=reranking,
            )
            for name, encoder in encoders.items()
        }
        views = judge_views(
            run,
            Painter(generator.to(run.device), encoders["joint"]),
            encoders["warm_up"],
            queries,
            gallery,
            retrievals["warm_up"],
            num_images=settings.num_generated,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
        lists = picture_of_lists(
            retrievals["joint"], queries, gallery, settings.num_ranked_lists, settings.seed
        )

        metrics = {name: percentages(retrieval) for name, retrieval in retrievals.items()}
        metrics["views"] = views.figures
        with atomic_directory(run.plots) as folder:
            write_json(folder / "cmc.json", cmc_rows(retrievals, settings.max_rank))
            write_json(folder / "identity_kept.json", views.by_yaw)
            write_bytes(folder / "ranked_lists.png", png(lists))
            write_bytes(folder / "views.png", png(views.picture))
        write_json(run.path("metrics"), metrics)

        result = retrievals["joint"].result
        run.show(
            "Evaluated on",
            {
                "split": settings.split,
                "queries": result.num_queries,
                "of them without a match": result.num_without_match,
                "gallery": len(gallery.images),
            },
        )
        run.show("Generated views", views.figures)
        run.console.print(ranking_table(metrics))
