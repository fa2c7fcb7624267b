"""`evaluate`: the joint encoder beside the one it started from, and the generated views."""

from __future__ import annotations

from stages.shared.options import Device, Fresh, ShowProgress, Workers
from stages.shared.run import Options, open_stage


def evaluate(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Score retrieval (mAP, CMC, mINP) of warm-up and joint encoder side by side, and the generated views."""
    from functools import partial

    from genreid.evaluation.generation import ViewedImages
    from genreid.evaluation.learnt import true_headings
    from genreid.evaluation.report import EvaluateSettings, judge
    from genreid.evaluation.retrieval import Pair, rank_pair
    from genreid.evaluation.true_views import true_views
    from genreid.models.checkpoint import load_encoder, load_generator, oracle_of
    from pipeline.artifacts import hash_path
    from stages.shared.body import open_body
    from stages.shared.data import image_set, read_manifest, read_truth
    from stages.shared.looking import PairLooker
    from stages.shared.preprocessing import read_fitting_checkpoint
    from stages.shared.results import write_report
    from stages.shared.views import open_views
    from stages.shared.warped import warped_images

    options = Options(fresh, device, workers, progress)
    inputs = ("manifest", "images", "truth", "mesh", "views", "encoder", "joint")
    with open_stage("evaluate", options, EvaluateSettings, inputs=inputs) as run:
        settings, truth = run.settings, read_truth(run)
        manifest = read_manifest(run)
        pair = Pair.of(manifest, settings.split, partial(image_set, run))
        joint = read_fitting_checkpoint(run, "joint", manifest.info)
        generator, _ = load_generator(*joint)
        encoders = {
            "warm_up": load_encoder(*read_fitting_checkpoint(run, "encoder", manifest.info)).to(run.device),
            "joint": load_encoder(*joint).to(run.device),
        }

        looker = PairLooker(run, encoders, manifest)
        retrievals = {
            name: rank_pair(looker.rows(name, pair), pair, settings.max_rank, settings.reranking)
            for name in encoders
        }
        looking = looker.compare(pair)

        body = open_body(run.root, pair.queries.manifest.info.body) if truth.num_rows else None
        true_view = true_views(truth, body) if body else None
        queries, store = pair.queries, open_views(run)
        persons = warped_images(run, queries.manifest, queries.images) if generator.repairs else None
        viewed = ViewedImages(queries.images, store, true_view, persons=persons)
        headings, generator = true_headings(truth), generator.to(run.device)
        report = judge(
            encoders,
            generator,
            viewed,
            pair,
            retrievals,
            headings,
            settings,
            run.tracker,
            looking=looking,
            checkpoint=hash_path(run.path("joint")),
        )
        write_report(run, report, oracle_of(*joint))
