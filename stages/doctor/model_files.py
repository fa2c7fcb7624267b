"""The check of model files that `genreid models get` brings: those that the configured run needs."""

from __future__ import annotations

from collections.abc import Iterator

from stages.doctor.configuration import Configuration
from stages.doctor.finding import Check, Finding


def _model_files(configuration: Configuration) -> Finding:
    from genreid.zoo.cache import place_of, state_of
    from genreid.zoo.table import model_file

    files = [model_file(name) for name in dict.fromkeys(_needed(configuration))]
    states = {file.name: state_of(file) for file in files}
    bad = [name for name, state in states.items() if state != "present"]
    if bad:
        found = "; ".join(f"{name}: {states[name]}" for name in bad)
        return Finding("missing", found, f"genreid models get {' '.join(bad)}")
    if not files:
        return Finding("ok", "none is needed")
    return Finding("ok", ", ".join(str(place_of(file)) for file in files))


def _needed(configuration: Configuration) -> Iterator[str]:
    """Names of the files that stages of the run will ask for."""
    from genreid.zoo.table import NAMES

    meshes = configuration.settings["mesh_extract"]
    if meshes.estimator == "blazepose":
        yield meshes.blazepose.model_name
    warm_up = configuration.settings["pretrain_encoder"]
    if warm_up.import_from is None and warm_up.encoder.pretrained in NAMES:
        yield warm_up.encoder.pretrained


MODEL_FILES = (Check("model files", _model_files),)
