"""The body that `prepare_data.body` names, wherever its file is."""

from __future__ import annotations

from pathlib import Path

from genreid.body.body import Body, load_body
from genreid.body.files import read_body_file, write_body_file
from pipeline.artifacts import atomic_write, hash_path
from stages.shared.paths import project_path

CONVERTED_FOLDER = Path(".genreid") / "bodies"
_CONVERSION = "1"  # a change makes the files converted so far stale


def body_source(root: Path, name: str) -> str:
    """What `load_body` takes for the param `prepare_data.body`: "open", or a file.

    A licensed pickle is read once and kept as .npz inside the project's hidden folder, by its content.
    Raises GenreidError where the file is missing or is no body.
    """
    if name == "open":
        return name
    path = project_path(root, name)
    if path.suffix != ".pkl" or not path.is_file():
        return str(path)
    converted = root / CONVERTED_FOLDER / f"{hash_path(path)[:16]}-{_CONVERSION}.npz"
    if not converted.exists():
        arrays = read_body_file(path)
        with atomic_write(converted) as temporary:
            write_body_file(temporary, arrays)
    return str(converted)


def open_body(root: Path, name: str) -> Body:
    """The body of the param `prepare_data.body`. Raises GenreidError where there is none."""
    return load_body(body_source(root, name))
