"""`evaluate`: the joint encoder beside the one it started from, and the generated views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stages.shared.options import Device, Fresh, ShowProgress, Workers
from stages.shared.run import Options, open_stage

if TYPE_CHECKING:
    from genreid.evaluation.settings import EvaluateSettings


def evaluate(
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Hold another encoder beside them on the same images: a checkpoint, or another program's "
            "weights. May be given again.",
            show_default=False,
        ),
    ] = None,
    fresh: Fresh = False,
    device: Device = "auto",
    workers: Workers = 0,
    progress: ShowProgress = True,
) -> None:
    """Score retrieval (mAP, CMC, mINP) of warm-up and joint encoder side by side, and the generated views.

    Without views of the queries (render_views.splits) it scores retrieval alone, and says so.

    Examples:

        genreid evaluate

        genreid evaluate --also osnet=osnet_x1_0_msmt17.pth --also last_week=old/joint.pt
    """
    from functools import partial

    from genreid.evaluation.generated_views import expected_seconds
    from genreid.evaluation.generation import Painter
    from genreid.evaluation.learnt import true_headings
    from genreid.evaluation.matches import Matches
    from genreid.evaluation.report import judge
    from genreid.evaluation.retrieval import Pair, rank_pair
    from genreid.evaluation.settings import EvaluateSettings
    from genreid.models.checkpoint import load_encoder, load_generator, matches_of, oracle_of
    from pipeline.artifacts import hash_path
    from stages.shared.also import also_figures, also_seconds, open_also
    from stages.shared.data import image_set, read_manifest, truth_if_there
    from stages.shared.expected import tell
    from stages.shared.looking import PairLooker
    from stages.shared.matches import curves_from
    from stages.shared.preprocessing import read_fitting_checkpoint
    from stages.shared.results import write_report
    from stages.shared.viewed import pair_bodies, viewed_queries

    options = Options(fresh, device, workers, progress)
    optional = ("truth", "mesh", "views")
    with open_stage("evaluate", options, EvaluateSettings, inputs=inputs_of, optional=optional) as run:
        settings, others = run.settings, open_also(run, also or ())
        truth = truth_if_there(run, "nothing is held against it")
        manifest = read_manifest(run)
        pair = Pair.of(manifest, settings.split, partial(image_set, run))
        joint = read_fitting_checkpoint(run, "joint", manifest.info)
        generator, _ = load_generator(*joint)
        encoders = {
            "warm_up": load_encoder(*read_fitting_checkpoint(run, "encoder", manifest.info)).to(run.device),
            "joint": load_encoder(*joint).to(run.device),
        }
        bodies = pair_bodies(run, pair)
        of_queries = bodies if isinstance(bodies, str) else bodies.queries
        viewed = viewed_queries(run, pair.queries, truth, of_queries if generator.repairs else None)
        looker = PairLooker(run, encoders, manifest)
        looker.require_meshes(pair)
        generator.to(run.device)
        if not run.state.resumed:
            num_images = len(pair.queries.images) + len(pair.gallery.images)
            seconds = looker.expected_seconds(pair) + also_seconds(run, others, num_images)
            if not isinstance(viewed, str):
                painter, num = Painter(generator, encoders["joint"]), settings.num_generated
                seconds += expected_seconds(painter, encoders["warm_up"], viewed, num, settings.batch_size)
            tell(run.tracker, seconds)

        retrievals = {
            name: rank_pair(looker.rows(name, pair), pair, settings.max_rank, settings.reranking)
            for name in encoders
        }
        looking = looker.compare(pair)
        estimated = curves_from(matches_of(*joint), joint[1], run.remedy("joint"))
        matches = Matches(looker.matches(pair), estimated)

        report = judge(
            encoders,
            generator,
            viewed,
            pair,
            retrievals,
            true_headings(truth),
            settings,
            run.tracker,
            bodies=bodies,
            looking=looking,
            matches=matches,
            checkpoint=hash_path(run.path("joint")),
        )
        write_report(run, report, oracle_of(*joint), also_figures(run, others, manifest))


def inputs_of(settings: EvaluateSettings) -> tuple[str, ...]:
    """What no ranking can do without: nothing of the meshes, unless persons are to be turned for it."""
    mesh = ("mesh",) if "turned" in settings.test_views else ()
    return ("manifest", "images", "encoder", "joint", *mesh)
