"""docs/params.md: every key in tables, a section a table."""

from __future__ import annotations

from collections.abc import Iterator

from tools.params_reference.comments import written
from tools.params_reference.keys import (
    Key,
    all_keys,
    followers,
    graph,
    run_again,
    sections,
    shared_sections,
)
from tools.params_reference.kinds import values

_HEAD = """# Settings

What [params.yaml](../params.yaml) may hold, key by key. [Recipes](../recipes) and `dvc exp run -S` set other values of the
same keys.

- **values** are what the reader takes. It refuses all else, and unknown keys, with the line and the remedy.
- **default** is the value in params.yaml: a few minutes on two cores, crops of 64×32.
- **paper** is the value of Chen et al. (TPAMI 2023); in `pretrain_encoder` that of ClusterContrast (Dai et al., 2022).
  – stands where there is none. [The method](method.md#constants) says why a default is another.
- A change of a key runs its section's stage again, and then the stages after it whose inputs come out otherwise.
  Comments and the order of keys run nothing again. Two sections belong to no stage: they hold what several stages must
  agree on.

Editors that know JSON Schema complete and check params.yaml by [params.schema.json](../params.schema.json). This page,
the schema and the comments of params.yaml are made by `python -m tools.params_reference`."""  # noqa: E501


_HEADER = ["key", "what it is", "unit", "values", "default", "paper"]


def page() -> str:
    found = all_keys()
    parts = [_HEAD, *_section("paths", found)]
    for name, about in shared_sections().items():
        parts += _shared_section(name, about, found)
    parts += [part for name in list(sections())[1:] for part in _section(name, found)]
    return "\n\n".join(parts) + "\n"


def _shared_section(name: str, about: str, found: list[Key]) -> Iterator[str]:
    yield f"## {name}"
    again = _stages(run_again(name))
    yield f"{about} Stages share it: a change runs {again} again, then what takes their results."
    mine = [key for key in found if key.name.startswith(f"{name}.")]
    yield _table(_HEADER, [_cells(key, name) for key in mine])


def _section(name: str, found: list[Key]) -> Iterator[str]:
    mine = [key for key in found if key.name.startswith(f"{name}.")]
    stage = name.replace("_", "-")
    yield f"## {name}"
    if stage in graph():
        after = ", ".join(f"`{one}`" for one in followers(stage))
        then = f", then what takes its results: {after}" if after else ""
        yield f"{graph()[stage]['desc']}. A change runs `{stage}` again{then}."
        yield _table(_HEADER, [_cells(key, name, stage) for key in mine])
    else:
        yield "Where each artifact is, relative to the project."
        header = ["key", "what it is", "default", "runs again"]
        rows = [[_name(key, name), key.text.whole, _code(key), _stages(run_again(key.name))] for key in mine]
        yield _table(header, rows)


def _cells(key: Key, section: str, stage: str | None = None) -> list[str]:
    others = [] if stage is None else [one for one in run_again(key.name) if one != stage]
    more = f" Runs {_stages(others)} again too." if others else ""
    if key.kind.part is not None:
        found = values(key.kind) if key.kind.is_optional else ""
        return [_name(key, section), key.text.whole + more, "", found, "`null`" if found else "", ""]
    paper = "–" if key.paper is None else f"`{written(key.paper)}`"
    return [_name(key, section), key.text.whole + more, key.text.unit, values(key.kind), _code(key), paper]


def _name(key: Key, section: str) -> str:
    return f"`{key.name.removeprefix(section + '.')}`"


def _code(key: Key) -> str:
    return f"`{written(key.default)}`" if key.is_there else ""


def _stages(names: list[str]) -> str:
    return "all" if len(names) == len(graph()) else ", ".join(f"`{name}`" for name in names)


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
