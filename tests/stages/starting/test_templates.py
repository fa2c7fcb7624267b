"""What a project begins with, from a clone and from a wheel."""

from __future__ import annotations

from pathlib import Path

from stages.starting.templates import of_clone, of_package, packed, templates

ROOT = Path(__file__).parents[3]


def test_a_clone_gives_the_repositorys_own_files() -> None:
    files = templates()
    assert {"dvc.yaml", "params.yaml", ".gitignore", ".dvcignore", ".dvc/config"} <= set(files)
    recipes = {f"recipes/{path.name}" for path in ROOT.glob("recipes/*.yaml")}
    assert recipes <= set(files) and "recipes/studies/smoke.yaml" in files
    assert not any(name.startswith("recipes/studies/2") for name in files)
    assert all(content == (ROOT / name).read_bytes() for name, content in files.items())


def test_what_was_packed_comes_out_under_its_own_names(tmp_path: Path) -> None:
    files = of_clone(ROOT)
    for name, content in files.items():
        path = tmp_path / packed(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert of_package(tmp_path) == files


def test_no_tool_takes_a_packed_file_for_its_own() -> None:
    packed_names = [packed(name) for name in of_clone(ROOT)]
    assert len(set(packed_names)) == len(packed_names)
    for name in packed_names:
        assert name.endswith(".template") and not any(part.startswith(".") for part in Path(name).parts)
