"""Licensed bodies in every layout they come in, and pickles that are no bodies."""

from __future__ import annotations

import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genreid.body.body import BodyParameters, load_body
from genreid.body.files import NAMES, read_body_file, write_body_file
from genreid.errors import GenreidError

from ..licensed import Arrays, smpl_arrays, write_packed, write_smpl_1_0, write_smpl_1_1


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return smpl_arrays(num_vertices=200)


def assert_same_body(path: Path, arrays: Arrays) -> None:
    read = read_body_file(path)
    for name in NAMES:
        expected = arrays[name][..., :10] if name == "shapedirs" else arrays[name].astype(np.float64)
        if name == "kintree_table":
            expected = np.concatenate([[-1], expected.ravel()[1:]]).reshape(2, 24)
        np.testing.assert_array_equal(read[name], expected.astype(read[name].dtype), err_msg=name)


def test_smpl_1_0_with_chumpys_objects(tmp_path: Path, arrays: Arrays) -> None:
    path = tmp_path / "basicModel_f_lbs_10_207_0_v1.0.0.pkl"
    write_smpl_1_0(path, arrays)
    names = {argument for code, argument, _ in pickletools.genops(path.read_bytes()) if code.name == "GLOBAL"}
    assert {
        "chumpy.ch Ch",
        "chumpy.reordering Select",
        "numpy.core.multiarray _reconstruct",
        "scipy.sparse.csc csc_matrix",
        "__builtin__ set",
    } <= names
    assert_same_body(path, arrays)


def test_smpl_1_1(tmp_path: Path, arrays: Arrays) -> None:
    path = tmp_path / "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl"
    write_smpl_1_1(path, arrays)
    assert_same_body(path, arrays)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_saved_again_by_python_3(tmp_path: Path, arrays: Arrays, protocol: int) -> None:
    path = tmp_path / "SMPL_MALE.pkl"
    path.write_bytes(pickle.dumps(arrays | {"scale": np.float64(2.0), "order": np.arange(3)}, protocol))
    assert_same_body(path, arrays)


@pytest.mark.parametrize("name", ["SMPL_NEUTRAL.npz", "SMPL_FEMALE.npz"])
def test_npz(tmp_path: Path, arrays: Arrays, name: str) -> None:
    np.savez(tmp_path / name, allow_pickle=True, gender=np.array("female"), **arrays)
    assert_same_body(tmp_path / name, arrays)


def test_all_layouts_of_one_body_are_one_body(tmp_path: Path, arrays: Arrays) -> None:
    write_smpl_1_0(tmp_path / "a.pkl", arrays)
    write_smpl_1_1(tmp_path / "b.pkl", arrays)
    write_packed(tmp_path / "c.pth", arrays)
    write_body_file(tmp_path / "d.npz", read_body_file(tmp_path / "a.pkl"))
    prints = {load_body(str(tmp_path / name)).fingerprint for name in ("a.pkl", "b.pkl", "c.pth", "d.npz")}
    assert len(prints) == 1


@pytest.mark.slow
def test_a_pose_moves_the_skin_of_a_licensed_body_as_its_file_says(tmp_path: Path) -> None:
    arrays = smpl_arrays()
    write_smpl_1_0(tmp_path / "smpl.pkl", arrays)
    pose = torch.zeros(1, 69)
    pose[0, 3 * 17 + 2] = 0.7  # the left elbow
    parameters = BodyParameters(torch.zeros(1, 3), pose, torch.full((1, 10), 0.3))
    licensed, open_body = (
        load_body(name).pose(parameters).vertices[0].numpy() for name in (str(tmp_path / "smpl.pkl"), "open")
    )
    cos, sin = np.cos(0.7) - 1, np.sin(0.7)
    feature = np.zeros((23, 3, 3))
    feature[17] = [[cos, -sin, 0], [sin, cos, 0], [0, 0, 0]]
    offset = arrays["posedirs"] @ feature.ravel()
    forearm = [18, 20, 22]  # below the elbow; the rest of the skin does not turn
    still = arrays["weights"][:, forearm].sum(1) == 0
    assert still.sum() > 5000
    np.testing.assert_allclose((licensed - open_body)[still], offset[still], atol=2e-6)


class _Command:
    """A pickle of it makes a file when it is loaded by pickle.load."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_runs_a_command_is_refused(tmp_path: Path, arrays: Arrays, protocol: int) -> None:
    mark = tmp_path / "it ran".replace(" ", "_")
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(arrays | {"J": _Command(mark)}, protocol))
    with pytest.raises(GenreidError, match=r"was not loaded: it asks for \w+\.system") as refused:
        load_body(str(path))
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    assert not mark.exists()
    pickle.loads(path.read_bytes())  # the same file in an ordinary loader
    assert mark.exists()


@pytest.mark.parametrize(
    ("program", "named"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy.core.multiarray\nfromfile\n(S'x'\ntR.", "fromfile"),
        (b"cscipy.sparse\nload_npz\n(S'x'\ntR.", "scipy.sparse.load_npz"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.os.system\x93.", "numpy.f2py.os.system"),
        (b"\x80\x04\x8c\x06chumpy\x8c\x0bos.system.x\x93.", "chumpy.os.system.x"),
        (b"ccopyreg\n_reconstructor\n(cbuiltins\nobject\ncbuiltins\nobject\nNtR.", "makes an object"),
        (b"Pelsewhere\n.", "outside itself"),
    ],
)
def test_names_that_no_body_needs_are_refused(tmp_path: Path, program: bytes, named: str) -> None:
    path = tmp_path / "body.pkl"
    path.write_bytes(program)
    with pytest.raises(GenreidError, match=named):
        read_body_file(path)


def test_chumpys_names_are_stand_ins_whatever_they_say(tmp_path: Path) -> None:
    path = tmp_path / "body.pkl"
    path.write_bytes(b"\x80\x02}U\nv_templatecchumpy\nsystem\n(U\x02lstRs.")
    with pytest.raises(GenreidError, match=r"an object of chumpy\.system; only values and selections"):
        read_body_file(path)


def test_damaged_pickles_and_packed_files(tmp_path: Path, arrays: Arrays) -> None:
    whole = pickle.dumps(arrays, 2)
    cases: dict[str, bytes] = {
        "cut.pkl": whole[: len(whole) // 2],
        "empty.pkl": b"",
        "list.pkl": pickle.dumps([1, 2]),
        "text.pkl": pickle.dumps(arrays | {"f": "none"}),
        "objects.pkl": pickle.dumps(arrays | {"f": np.array([None, 1], dtype=object)}, 2),
        "cut.pth": b"PK\x03\x04 no more",
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            GenreidError, match=r"is no (readable body|body as simple-romp packs it)"
        ) as error:
            read_body_file(tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)
    torch.save({"v_template": torch.zeros(4, 3)}, tmp_path / "part.pth")
    with pytest.raises(GenreidError, match="lacks shapedirs"):
        read_body_file(tmp_path / "part.pth")
