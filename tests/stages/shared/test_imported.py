"""`pretrain-encoder` with an encoder trained elsewhere: it maps, reports and writes, and trains nothing."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genreid.models.checkpoint import load_encoder
from genreid.models.encoder import IdentityEncoder
from genreid.models.settings import ImportSettings
from genreid.preprocessing import Preprocessing
from pipeline.artifacts import read_torch
from pipeline.errors import PipelineError
from pipeline.params import load_params, section
from stages.shared.imported import hold_start, weights_file, write_imported
from stages.shared.settings.pretrain_encoder import PretrainEncoderSettings
from stages.shared.users_files import named_files
from tests.genreid.models.small import STANDARD_ENCODER, encoder_settings
from tests.stages.conftest import opened
from tests.stages.small_project import ROOT


def test_the_stage_writes_what_it_imported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = encoder_settings(stem="imagenet", embedding_dim=24)
    theirs = IdentityEncoder(settings)
    names = {"backbone.": "", "reduction.": "feat.", "neck.": "feat_bn."}
    state = {}
    for name, tensor in theirs.state_dict().items():
        prefix = next(prefix for prefix in names if name.startswith(prefix))
        state[names[prefix] + name.removeprefix(prefix)] = tensor
    torch.save({**state, "classifier.weight": torch.ones(3, 24)}, project / "jvtc.pth")
    with opened() as run:
        write_imported(run, settings, ImportSettings("jvtc.pth", "auto"), Preprocessing(64, 32))
        assert run.facts["layout"] == "jvtc" and run.facts["left out"] == "classifier.weight"
        assert run.facts["tensors matched"] == sum("tracked" not in name for name in state)
    ours = load_encoder(read_torch(project / "models" / "encoder.pt", ""))
    image = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        assert torch.equal(ours(image).embedding, theirs.eval()(image).embedding)
    assert (project / "plots" / "mesh-extract").is_dir(), "the stage's curves are an out, if empty ones"
    assert "Imported encoder" in capsys.readouterr().out


def test_an_interrupted_run_goes_on_from_the_start_it_had_alone(project: Path) -> None:
    encoder = IdentityEncoder(encoder_settings(pretrained="weights.pt"))
    (project / "weights.pt").write_bytes(b"first")
    with pytest.raises(KeyboardInterrupt), opened() as run:
        sha256 = hashlib.sha256(b"first").hexdigest()
        assert hold_start(run, encoder) == {"starts from": "weights.pt", "sha256": sha256}
        raise KeyboardInterrupt
    (project / "weights.pt").write_bytes(b"second")
    with opened() as run, pytest.raises(PipelineError, match=r"another start before .*--fresh"):
        hold_start(run, encoder)


def test_the_section_takes_an_import() -> None:
    params = load_params(ROOT / "params.yaml")
    assert section(params, "pretrain_encoder", PretrainEncoderSettings).import_from is None
    params.values["pretrain_encoder"]["import_from"] = {"path": "jvtc.pth", "layout": "auto"}
    settings = section(params, "pretrain_encoder", PretrainEncoderSettings)
    assert settings.import_from == ImportSettings("jvtc.pth", "auto")


@pytest.mark.parametrize("place", [".dvc/tmp/exps/standalone/tmpab12", ".genreid/studies/slot-0"])
def test_weights_that_git_ignores_are_found_from_the_copy_of_an_experiment(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dvc exp run --temp` works in a copy of what git keeps, and a study in clones."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    copy = tmp_path / place
    copy.mkdir(parents=True)
    (tmp_path / "mine.pth").write_bytes(b"weights")
    settings = replace(STANDARD_ENCODER, pretrained="mine.pth")
    assert weights_file(copy, settings) == tmp_path / "mine.pth"
    assert weights_file(tmp_path, settings) == tmp_path / "mine.pth"
    (tmp_path / "params.yaml").write_text("pretrain_encoder:\n  encoder:\n    pretrained: mine.pth\n")
    params = load_params(tmp_path / "params.yaml")
    known = dict(named_files(copy, "pretrain-encoder", params))
    assert known == {"file of pretrain_encoder.encoder.pretrained": hashlib.sha256(b"weights").hexdigest()}
    (copy / "mine.pth").write_bytes(b"of the copy")
    assert weights_file(copy, settings) == copy / "mine.pth"
    assert weights_file(copy, replace(settings, pretrained="none")) is None
    assert weights_file(copy, replace(settings, pretrained="~/lost.pth")) == tmp_path / "home" / "lost.pth"
    assert weights_file(copy, replace(settings, pretrained="lost.pth")) == copy / "lost.pth"
