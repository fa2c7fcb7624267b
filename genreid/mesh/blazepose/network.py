"""BlazePose's network out of its `.tflite` file, run by LiteRT, or by OpenCV where LiteRT is not installed.

LiteRT takes a third of OpenCV's time. The two differ by a few thousandths of a pixel. Both are imported when
a network is opened.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from genreid.errors import GenreidError
from genreid.mesh.blazepose.landmarks import NUM_LANDMARKS, Landmarks
from genreid.mesh.blazepose.squares import INPUT_PX

Runner = Literal["litert", "opencv"]
Run = Callable[[np.ndarray], Sequence[np.ndarray]]
"""(1, 256, 256, 3) float32 in [0, 1] → the network's outputs in any order."""

_NUM_POINTS = 39  # 33 landmarks, and six that MediaPipe frames the next picture by
_HEAT_PX = 64


class PoseNetwork:
    """One picture at a time, on one thread: its answer depends on the picture alone."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def look(self, square: np.ndarray) -> Landmarks:
        """(256, 256, 3) uint8 RGB → the landmarks of one picture."""
        outputs = {output.size: output for output in self._run(_input(square))}
        points = outputs[5 * _NUM_POINTS].reshape(1, _NUM_POINTS, 5)[:, :NUM_LANDMARKS]
        world = outputs[3 * _NUM_POINTS].reshape(1, _NUM_POINTS, 3)[:, :NUM_LANDMARKS]
        heat = outputs[_NUM_POINTS * _HEAT_PX**2]
        last = heat.shape[3] == _NUM_POINTS  # OpenCV has the channels before the rows
        peak = heat.max(axis=(1, 2) if last else (2, 3))[:, :NUM_LANDMARKS]
        logits = outputs[INPUT_PX**2].reshape(1, INPUT_PX, INPUT_PX)
        return Landmarks(
            image=points[..., :2].copy(),
            world=world.copy(),
            visibility=sigmoid(points[..., 3]),
            peak=peak.copy(),
            presence=outputs[1].reshape(1).copy(),
            mask=sigmoid(logits),
        )


def available_runner() -> Runner:
    """The faster of the two that is installed."""
    return "litert" if importlib.util.find_spec("ai_edge_litert") else "opencv"


def open_network(path: Path, runner: Runner) -> PoseNetwork:
    """The network of a file. Raises GenreidError where the runner does not take it."""
    try:
        return PoseNetwork(_litert(path) if runner == "litert" else _opencv(path))
    except (ValueError, RuntimeError, ImportError, OSError, cv2.error) as error:
        why = str(error).strip().splitlines()[0]
        raise GenreidError(
            f"{path}: {runner} cannot run it ({why}): pip install -c constraints.txt ai-edge-litert, and see "
            "`genreid models`"
        ) from error


def _litert(path: Path) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    with _silent():
        network = Interpreter(model_path=str(path), num_threads=1)
        network.allocate_tensors()
    entry = network.get_input_details()[0]["index"]
    exits = [output["index"] for output in network.get_output_details()]

    def run(picture: np.ndarray) -> Sequence[np.ndarray]:
        network.set_tensor(entry, picture)
        network.invoke()
        return [network.get_tensor(number) for number in exits]

    return run


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep off the screen what LiteRT's own code writes to it: a line for every network."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _opencv(path: Path) -> Run:
    # The default engine of OpenCV 5 gives one output of the five.
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    engine: dict[str, Any] = {} if classic is None else {"engine": classic}
    network = cv2.dnn.readNetFromTFLite(str(path), **engine)
    names = network.getUnconnectedOutLayersNames()

    def run(picture: np.ndarray) -> Sequence[np.ndarray]:
        network.setInput(np.ascontiguousarray(picture.transpose(0, 3, 1, 2)))
        return [np.asarray(output) for output in network.forward(names)]

    return run


def _input(square: np.ndarray) -> np.ndarray:
    return square[None].astype(np.float32) / np.float32(255)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logits → chances, float32."""
    return (1 / (1 + np.exp(-logits.clip(-80, 80)))).astype(np.float32)
