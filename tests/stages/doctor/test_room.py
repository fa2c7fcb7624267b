"""What doctor says that a run takes, beside what it took: at two sizes, on the disk and in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from genreid.body.body import load_body
from genreid.synthetic.benchmark import Benchmark
from genreid.synthetic.settings import SyntheticSettings
from genreid.training import needs
from genreid.training.needs import estimate_needs
from pipeline.pictures import png
from stages.doctor.configuration import Configuration
from stages.doctor.material import _dataset
from stages.doctor.room import needs_of
from stages.shared.run import Options, Project
from tests.genreid.data.datasets.trees import picture
from tests.genreid.training.test_needs import workload
from tests.stages.small_project import ROOT, SmallProject

pytestmark = pytest.mark.slow

SIZES = ((6, 64, 32), (18, 128, 64))
"""How many images, of which height and width."""


def written(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_what_meshes_and_views_take_on_the_disk(small: SmallProject) -> None:
    """Estimated from the settings and a look at the images' headers, then made by the stages."""
    small.set(prepare_data__dataset="folder", mesh_extract__estimator="mean_pose")
    small.set(mesh_extract__splits=["train"], render_views__splits=["train"])
    small.set(render_views__yaws_deg=[0, 45, 90, 135, 180, 225, 270, 315])
    estimated, taken = [], []
    for num, height, width in SIZES:
        crops = small.folder / f"crops of {height}"
        crops.mkdir()
        for number in range(num):
            cv2.imencode(".png", picture(number, height, width))[1].tofile(crops / f"{number}.png")
        small.set(paths__dataset=crops.name)
        configuration = Configuration(Project.open(Options()))
        assert f"{num} images" in _dataset(configuration).found
        assert configuration.native_px == (height, width) and configuration.num_images == num
        estimated.append(needs_of(configuration).outs)
        for stage in ("prepare-data", "mesh-extract", "render-views"):
            done = small.run(stage, "--no-progress")
            assert done.code == 0, done.err
        taken.append(written(small.folder / "data"))
    # The weights, and the heads of the files, are the same in both.
    ratio = (estimated[1] - estimated[0]) / (taken[1] - taken[0])
    assert 0.9 < ratio < 2, (estimated, taken)


@pytest.mark.parametrize(("height", "width"), [(64, 32), (128, 64)])
def test_what_a_picture_of_the_benchmark_takes_on_the_disk(height: int, width: int) -> None:
    settings = SyntheticSettings(2, 0, 2, 2, 2, 2, height_px=height, width_px=width)
    benchmark = Benchmark(load_body("open"), settings, 3)
    sizes = [len(png(benchmark.render(shot).image)) for shot in benchmark.shots[:6]]
    taken = sum(sizes) / len(sizes) / (height * width)
    assert 0.7 < needs._BYTES_OF_IMAGE_PER_PIXEL / taken < 1.6, taken


STEP = """\
import re, sys, torch
from genreid.models.initialisation import build_encoder
from tests.genreid.models.small import encoder_settings
torch.set_num_threads(1)
encoder = build_encoder(encoder_settings(), 0).train()
encoder(torch.randn(int(sys.argv[1]), 3, 128, 64)).embedding.sum().backward()
# Not getrusage, whose figure begins with that of the process that started this one.
print(1024 * int(re.search("VmHWM:[^0-9]*([0-9]+) kB", open("/proc/self/status").read())[1]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is counted as Linux counts it")
def test_what_a_step_of_the_warm_up_takes_of_memory() -> None:
    """By the system's count of a process that does one, with a small batch and with a large one."""
    batches = 64, 512
    taken, estimated = [], []
    for batch in batches:
        done = subprocess.check_output([sys.executable, "-c", STEP, str(batch)], cwd=ROOT, text=True)
        taken.append(int(done))
        estimated.append(estimate_needs(workload(training_px=(128, 64), warm_up_batch=batch)).warm_up)
    ratio = (estimated[1] - estimated[0]) / (taken[1] - taken[0])
    assert 0.6 < ratio < 1.7, (estimated, taken)
