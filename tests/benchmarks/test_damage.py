"""The campaign counts what readers let pass, and leaves every file as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.damage import campaign, damaged, failures
from benchmarks.damage_project import Kind
from pipeline.artifacts import read_json_artifact, write_json_artifact


def test_damage_is_small_drawn_and_the_same_again() -> None:
    content = bytes(range(256)) * 4
    harmed = [damaged(content, np.random.default_rng(seed)) for seed in range(60)]
    assert harmed == [damaged(content, np.random.default_rng(seed)) for seed in range(60)]
    longer = [one for one in harmed if len(one) != len(content)]
    assert 5 < len(longer) < 55 and all(0 < len(one) - len(content) <= 16 for one in longer)
    changed = [sum(a != b for a, b in zip(one, content, strict=True)) for one in harmed if one not in longer]
    assert changed.count(1) > 5 and 1 < max(changed) <= 64


def test_a_reader_without_a_check_and_one_that_breaks_are_told(tmp_path: Path) -> None:
    def breaks(path: Path) -> str:
        content = path.read_bytes()
        if content != whole:
            raise IndexError("of a reader")
        return "fine"

    kinds = []
    readers = {"checked": lambda path: read_json_artifact(path, "never"), "naive": Path.read_bytes}
    for name, reader in {**readers, "breaks": breaks}.items():
        path = tmp_path / f"{name}.json"
        write_json_artifact(path, {"joint": {"mAP": 50.0}})
        kinds.append(Kind(name, path, reader, ()))
    whole = kinds[0].path.read_bytes()
    table = campaign(kinds, tmp_path, 90, 0, 0)
    assert table["checked"] == {"refused": 30}
    assert set(table["naive"]) <= {"other result", "unchanged"} and table["naive"]["other result"] > 25
    assert [line.partition(":")[0] for line in failures(kinds, table)] == ["naive", "breaks"]
    assert all(kind.path.read_bytes() == whole for kind in kinds)
    used = [Kind(kind.name, kind.path, kind.read, (), ours=False) for kind in kinds]
    assert [line.partition(":")[0] for line in failures(used, table)] == ["breaks"]
