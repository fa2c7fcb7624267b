"""`fit-regressor`: a small network learns to see the body in pixels."""

from __future__ import annotations

from stages.shared.options import Device, Fresh, ShowProgress, Workers
from stages.shared.run import Options, open_stage


def fit_regressor(
    fresh: Fresh = False, device: Device = "auto", workers: Workers = 0, progress: ShowProgress = True
) -> None:
    """Fit the mesh regressor of the synthetic benchmark, on renders of strangers in other streets."""
    from genreid.body.body import load_body
    from genreid.mesh.regressor import regressor_checkpoint
    from genreid.training import regressor
    from pipeline.artifacts import write_json, write_torch
    from stages.shared.body import body_source
    from stages.shared.expected import FirstSteps
    from stages.shared.training import learnt_in
    from stages.shared.training_scenes import draw_scenes

    options = Options(fresh, device, workers, progress)
    params = ("mesh_extract.estimator", "prepare_data.body")
    with open_stage("fit-regressor", options, regressor.FitSettings, params=params) as run:
        estimator = run.params.value("mesh_extract.estimator")
        if estimator != "regressor":  # DVC wants the file; nobody reads it
            reason = f"mesh_extract.estimator is {estimator}"
            write_json(run.path("regressor"), {"no regressor": reason})
            run.tracker.publish(run.plots)
            run.show("Mesh regressor", {"not needed": reason})
            return
        settings = run.settings
        source = body_source(run.root, run.params.value("prepare_data.body"))
        body = load_body(source)
        scenes = draw_scenes(run, settings, source)
        network = regressor.build_regressor(settings.network, settings.seed)

        epochs = regressor.fit_regressor(
            network,
            body,
            scenes,
            settings,
            device=run.device,
            checkpoints=run.state,
            progress=FirstSteps(run.tracker),
        )
        for report in epochs:
            run.tracker.report(report)

        write_torch(run.path("regressor"), regressor_checkpoint(network, body))
        run.tracker.publish(run.plots)
        facts = {"scenes": settings.num_scenes, **run.tracker.last_figures, **learnt_in(run)}
        run.show("Mesh regressor", facts)
