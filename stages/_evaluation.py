"""What `evaluate` does: both encoders ranked, the generated views judged, all of it written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from genreid.evaluation.generation import Painter
from genreid.evaluation.reranking import RerankingSettings
from genreid.models.checkpoint import load_encoder, load_generator
from genreid.models.encoder import IdentityEncoder
from genreid.models.generator import Generator
from pipeline.artifacts import atomic_directory, write_bytes, write_json
from pipeline.pictures import png
from stages._data import read_checkpoint
from stages._generation import GeneratedViews, draw_queries, judge_views, viewed_queries
from stages._invariance import Invariance, judge_invariance
from stages._retrieval import Pair, Retrieval, cmc_rows, percentages, picture_of_lists, retrieve
from stages._run import StageRun
from stages.summary import UNDEFINED, print_ranking

if TYPE_CHECKING:
    from stages.evaluate import EvaluateSettings


@dataclass(frozen=True)
class Networks:
    """The encoder as warmed up, the one after joint training, and the generator that it was trained with."""

    warm_up: IdentityEncoder
    joint: IdentityEncoder
    generator: Generator


def load_networks(run: StageRun) -> Networks:
    """Both checkpoints, on the run's device."""
    generator, _ = load_generator(*read_checkpoint(run, "joint"))
    return Networks(
        warm_up=load_encoder(*read_checkpoint(run, "encoder")).to(run.device),
        joint=load_encoder(*read_checkpoint(run, "joint")).to(run.device),
        generator=generator.to(run.device),
    )


def rank_both(
    run: StageRun, networks: Networks, pair: Pair, settings: EvaluateSettings
) -> dict[str, Retrieval]:
    """The retrieval of each encoder by its name in the metrics."""
    reranking = run.settings(RerankingSettings, "reranking") if settings.reranking else None
    return {
        name: retrieve(
            run,
            name,
            encoder,
            pair,
            batch_size=settings.batch_size,
            max_rank=settings.max_rank,
            reranking=reranking,
        )
        for name, encoder in (("warm_up", networks.warm_up), ("joint", networks.joint))
    }


def judge_generator(
    run: StageRun,
    networks: Networks,
    pair: Pair,
    retrievals: Mapping[str, Retrieval],
    settings: EvaluateSettings,
) -> tuple[GeneratedViews, Invariance]:
    """How good the views are that the generator paints, in the eyes of the encoder that never saw any; and
    what the encoder that saw them has learnt."""
    painter = Painter(networks.generator, networks.joint)
    viewed = viewed_queries(run, pair)
    index = draw_queries(viewed, settings.num_generated, settings.seed)
    views = judge_views(
        run,
        painter,
        networks.warm_up,
        viewed,
        index,
        pair,
        retrievals["warm_up"],
        batch_size=settings.batch_size,
    )
    encoders = {"warm_up": networks.warm_up, "joint": networks.joint}
    learnt = judge_invariance(run, encoders, painter, viewed, index, pair, retrievals, seed=settings.seed)
    return views, learnt


def metrics_of(
    pair: Pair, retrievals: Mapping[str, Retrieval], views: GeneratedViews, learnt: Invariance
) -> dict[str, Any]:
    """What metrics.json holds; where the ranking is undefined, the reason in place of its figures."""
    if pair.undefined is not None:
        return {UNDEFINED: pair.undefined, "views": views.figures}
    metrics: dict[str, Any] = {name: percentages(retrieval) for name, retrieval in retrievals.items()}
    metrics["views"] = views.figures
    if learnt.figures:
        metrics["invariance"] = learnt.figures
    return metrics


def write_plots(
    run: StageRun,
    pair: Pair,
    retrievals: Mapping[str, Retrieval],
    views: GeneratedViews,
    learnt: Invariance,
    settings: EvaluateSettings,
) -> None:
    """Curves and pictures; curves without a point where what they need is not known."""
    lists = picture_of_lists(retrievals["joint"], pair, settings.num_ranked_lists, settings.seed)
    with atomic_directory(run.plots) as folder:
        write_json(folder / "cmc.json", cmc_rows(retrievals, settings.max_rank))
        write_json(folder / "identity_kept.json", views.by_yaw)
        write_json(folder / "hits_by_viewpoint.json", learnt.hits)
        write_json(folder / "spread.json", learnt.spread)
        write_json(folder / "mixtures.json", learnt.mixtures)
        for name, picture in learnt.pictures.items():
            write_bytes(folder / f"{name}.png", png(picture))
        write_bytes(folder / "ranked_lists.png", png(lists))
        write_bytes(folder / "views.png", png(views.picture))


def show(
    run: StageRun,
    pair: Pair,
    retrievals: Mapping[str, Retrieval],
    metrics: Mapping[str, Any],
    settings: EvaluateSettings,
) -> None:
    """The summary at the end of the stage."""
    facts: dict[str, object] = {
        "split": settings.split,
        "queries": len(pair.queries.images),
        "gallery": len(pair.gallery.images),
    }
    if (result := retrievals["joint"].result) is not None:
        facts["queries without a match"] = result.num_without_match
    run.show("Evaluated on", facts)
    run.show("Generated views", metrics["views"])
    if "invariance" in metrics:
        run.show("Invariance", metrics["invariance"])
    print_ranking(run.console, metrics)
