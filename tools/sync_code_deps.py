"""Writes into dvc.yaml which code each stage depends on: the files that its command imports, directly or not.

    python tools/sync_code_deps.py           rewrite the lists
    python tools/sync_code_deps.py --check   fail where they are out of date

A list written by hand is soon wrong, and a folder would make every stage depend on everything. The imports
are read, not run: those inside functions count, those for type checking do not. Files beside a module in a
folder `assets` belong to it.
"""

from __future__ import annotations

import ast
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import grimp
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("genreid", "pipeline", "stages")


def build_graph() -> grimp.ImportGraph:
    """Who imports whom in the project."""
    return grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)


def code_of(graph: grimp.ImportGraph, stage: str) -> list[str]:
    """The files that `stage` (as in dvc.yaml) imports, itself included; relative to the project, sorted."""
    module = f"stages.{stage.replace('-', '_')}"
    modules = {module} | graph.find_upstream_modules(module)
    packages = {name.rpartition(".")[0] for name in modules} | {name.split(".")[0] for name in modules}
    files = {file for name in modules | packages if name and (file := file_of(name)) is not None}
    assets = {asset for file in files for asset in file.parent.glob("assets/*") if asset.is_file()}
    return sorted(str(file.relative_to(ROOT)) for file in files | assets)


def file_of(module: str) -> Path | None:
    """The file of a module; None for a package that holds nothing but a docstring."""
    path = ROOT.joinpath(*module.split("."))
    if not path.is_dir():
        return path.with_suffix(".py")
    package = path / "__init__.py"
    return package if package.exists() and has_code(package) else None


def has_code(file: Path) -> bool:
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in body)


def is_data(dependency: Any) -> bool:
    return not isinstance(dependency, str) or dependency.startswith("${")


def synchronised(text: str) -> str:
    """The text of dvc.yaml with the code of every stage after its data."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load(text)
    graph = build_graph()
    for name, stage in document["stages"].items():
        data = [dependency for dependency in stage["deps"] if is_data(dependency)]
        stage["deps"].clear()
        stage["deps"].extend(data + code_of(graph, name))
        stage["deps"].fa.set_block_style()
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def main(arguments: list[str]) -> int:
    path = ROOT / "dvc.yaml"
    old = path.read_text(encoding="utf-8")
    new = synchronised(old)
    if new == old:
        return 0
    if "--check" in arguments:
        print(
            "dvc.yaml: the code of a stage is out of date; run `python tools/sync_code_deps.py`",
            file=sys.stderr,
        )
        return 1
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
