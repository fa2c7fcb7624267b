"""The commands with an encoder of another program: every one takes it as it takes ours."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pandas as pd
import pyarrow.parquet as pq
import pytest
import timm
import torch
import torch.nn.functional as F

from genreid.data.transforms import resize
from tests.genreid.models.imported import programs
from tests.stages.small_project import SmallProject
from tests.stages.using.trained_project import crop, trained

__all__ = ["trained"]

SMALL = "height_px: 64\nwidth_px: 32\n"


@pytest.fixture
def crops(small: SmallProject) -> SmallProject:
    """A project in which nothing was trained, and a folder of one image."""
    (small.folder / "crops").mkdir()
    cv2.imwrite("crops/0001.png", crop(1)[:, :, ::-1])
    return small


@pytest.fixture
def osnet(trained: SmallProject) -> Path:
    """A file as torchreid writes it, and notes that its pictures are small."""
    path = trained.folder / "osnet.pth.tar-60"
    state = {f"module.{name}": tensor for name, tensor in programs.osnet().items()}
    torch.save({"state_dict": state, "epoch": 60, "rank1": np.float64(0.9)}, path)
    path.with_name(f"{path.name}.yaml").write_text(SMALL)
    return path


def pixels(number: int, height_px: int, width_px: int) -> torch.Tensor:
    """Of one crop: (1,3,H,W) from 0 to 1."""
    picture = resize(crop(number), height_px, width_px)
    return torch.from_numpy(picture).permute(2, 0, 1)[None] / 255


def osnet_embedding(number: int) -> np.ndarray:
    """What torchreid's program makes of one crop."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    picture = (pixels(number, 64, 32) - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    return F.normalize(programs.osnet_features(programs.osnet(), picture))[0].numpy()


def embedded(file: str = "embeddings.parquet") -> pd.DataFrame:
    return pq.read_table(file).to_pandas().set_index("path")


def test_it_embeds_and_searches(trained: SmallProject, osnet: Path) -> None:
    outcome = trained.run("embed", "crops", "-c", osnet.name)
    assert outcome.code == 0, outcome.err
    said = (
        "checkpoint: osnet.pth.tar-60, of torchreid's OSNet (layout osnet); pictures of 64 × 32 px less 0.485"
    )
    assert said in outcome.out
    table = embedded()
    for number in (1, 2, 4, 5):
        found = table.embedding[f"{number:04d}.png"]
        np.testing.assert_allclose(found, osnet_embedding(number), atol=3e-6)

    outcome = trained.run("search", "crops/0004.png", "-k", "2")
    assert outcome.code == 0, outcome.err
    assert "osnet.pth.tar-60" in outcome.out and "0004.png" in outcome.out
    outcome = trained.run("search", "crops/0004.png", "--at-false-match-rate", "0.1")
    assert outcome.code == 2 and "nobody has counted the matches" in outcome.err


@pytest.mark.slow
def test_it_groups_and_looks_in_other_ways(trained: SmallProject, osnet: Path) -> None:
    for arguments in (["embeddings.parquet"], ["crops", "-c", osnet.name]):
        if arguments[0] != "crops":
            assert trained.run("embed", "crops", "-c", osnet.name).code == 0
        outcome = trained.run("group", *arguments, "--least-similarity", "0.5")
        assert outcome.code == 0, outcome.err
    assert (
        trained.run("embed", "crops", "-c", osnet.name, "--views", "mirror", "-o", "mirror.parquet").code == 0
    )
    assert (embedded("mirror.parquet").views.dropna() == 2).all()


def test_it_turns_persons_where_no_data_were_prepared(trained: SmallProject, osnet: Path) -> None:
    """The estimator and the body are those of params.yaml; views are at the encoder's own size."""
    (trained.folder / "data" / "manifest.parquet").unlink()
    outcome = trained.run("embed", "crops", "-c", osnet.name, "--views", "turned")
    assert outcome.code == 0, outcome.err
    table = embedded()
    assert (table.views.dropna() == 8).all() and len(table.views.dropna()) == 4
    for number in (1, 4):
        found, alone = table.embedding[f"{number:04d}.png"], osnet_embedding(number)
        assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
        assert np.abs(found - alone).max() > 1e-3
    found = trained.run("search", "crops/0001.png", "-k", "1")
    assert found.code == 0 and "0001.png" in found.out and "1.000" in found.out


@pytest.mark.slow
def test_what_is_exported_computes_the_same(trained: SmallProject, osnet: Path) -> None:
    outcome = trained.run("export", "-c", osnet.name)
    assert outcome.code == 0, outcome.err
    session = onnxruntime.InferenceSession("encoder.onnx", providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["genreid.preprocessing"])
    mean, std = (torch.tensor(facts[name]).view(3, 1, 1) for name in ("mean", "std"))
    (found,) = session.run(None, {"image": ((pixels(1, 64, 32) - mean) / std).numpy()})
    np.testing.assert_allclose(found[0], osnet_embedding(1), atol=1e-4)


def test_a_table_is_that_of_the_notes_too(trained: SmallProject, osnet: Path) -> None:
    """What is said of a file changes its embeddings: a gallery of other notes is another encoder's."""
    assert trained.run("embed", "crops", "-c", osnet.name).code == 0
    notes = osnet.with_name(f"{osnet.name}.yaml")
    notes.write_text(SMALL + "mean: [0.5, 0.5, 0.5]\n")
    outcome = trained.run("search", "crops/0001.png")
    assert (
        outcome.code == 2 and "was embedded by other weights than osnet.pth.tar-60 holds now" in outcome.err
    )


def test_without_notes_the_layout_says_it_all(crops: SmallProject) -> None:
    torch.save(programs.transreid(128), "vit.pth")
    outcome = crops.run("embed", "crops", "-c", "vit.pth")
    assert outcome.code == 0, outcome.err
    said = "(layout transreid); pictures of 256 × 128 px less 0.5, divided by 0.5; the embedding is from"
    assert f"{said} before the neck" in outcome.out
    state, picture = programs.transreid(128), (pixels(1, 256, 128) - 0.5) / 0.5
    expected = F.normalize(programs.transreid_tokens(state, picture)[0])[0]
    np.testing.assert_allclose(embedded().embedding["0001.png"], expected.numpy(), atol=3e-6)


def test_timms_own_file_says_which_network_it_is(crops: SmallProject) -> None:
    from safetensors.torch import save_file

    network = timm.create_model("test_convnext")
    folder = crops.folder / "hub"
    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors")
    pictures = {"input_size": [3, 64, 48], "mean": [0.1, 0.2, 0.3], "std": [1.0, 0.5, 0.25]}
    config = {"architecture": "test_convnext", "num_classes": 1000, "pretrained_cfg": pictures}
    (folder / "config.json").write_text(json.dumps(config))
    outcome = crops.run("embed", "crops", "-c", "hub/model.safetensors")
    assert outcome.code == 0, outcome.err
    assert "less 0.1 0.2 0.3, divided by 1 0.5 0.25; network test_convnext" in outcome.out
    picture = pixels(1, 64, 48) - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    picture = picture / torch.tensor([1.0, 0.5, 0.25]).view(3, 1, 1)
    with torch.no_grad():
        pooled = network.eval().forward_head(network.forward_features(picture), pre_logits=True)
    np.testing.assert_allclose(embedded().embedding["0001.png"], F.normalize(pooled)[0].numpy(), atol=3e-6)

    (folder / "model.safetensors.yaml").write_text("height_px: 32\nwidth_px: 32\n")
    outcome = crops.run("embed", "crops", "-c", "hub/model.safetensors")
    assert "pictures of 32 × 32 px less 0.1 0.2 0.3" in outcome.out, "notes are nearer than timm's file"
    (folder / "config.json").write_text('{"architecture": "test_convnext", "pretrained_cfg": []}')
    outcome = crops.run("embed", "crops", "-c", "hub/model.safetensors")
    assert outcome.code == 2 and "config.json: it is not as timm writes it" in outcome.err


class Trainer:
    """What a program may pickle beside its weights."""


NOTES = {
    "height_px: 64": "height_px and width_px go together",
    "heigth_px: 64\nwidth_px: 32": "vit.pth.yaml:1: transreid.heigth_px: unknown key; did you mean",
    "feature: behind": "transreid.feature: expected one of 'before', 'after', got 'behind'",
    "mean: [127, 127, 127]": "transreid.mean.0 is 127: expected at least 0 and at most 1",
    "layout: transried": "vit.pth.yaml:1: layout: expected one of osnet",
    "layout: osnet": "vit.pth (layout osnet): ",
    "layout: timm": "missing architecture; add it to vit.pth.yaml",
    "layout: timm\narchitecture: vitt": "timm has no network 'vitt'",
    "num_heads: 3": "128 channels cannot be shared by 3 heads",
}


def test_wrong_notes_are_one_line(crops: SmallProject) -> None:
    torch.save(programs.transreid(128), "vit.pth")
    for notes, message in NOTES.items():
        Path("vit.pth.yaml").write_text(notes + "\n")
        refused(crops, "vit.pth", message)


def test_a_file_that_is_none_is_one_line(crops: SmallProject) -> None:
    for content, message in (
        ({"state_dict": programs.osnet(), "trainer": Trainer()}, "it would run code: Unsupported global"),
        ({"a": torch.ones(1)}, "its names (a) are of no known layout (osnet"),
        ({"epoch": 3}, "hold no table of tensors"),
    ):
        torch.save(content, "theirs.pth")
        refused(crops, "theirs.pth", message)


def refused(project: SmallProject, file: str, message: str) -> None:
    outcome = project.run("embed", "crops", "-c", file)
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1, outcome.err
    assert not Path("embeddings.parquet").exists()


def test_a_damaged_checkpoint_of_ours_is_not_taken_for_anothers(trained: SmallProject) -> None:
    path = trained.folder / "models" / "joint.pt"
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)
    outcome = trained.run("embed", "crops", "-c", "models/joint.pt")
    assert outcome.code == 2 and "it is damaged" in outcome.err
