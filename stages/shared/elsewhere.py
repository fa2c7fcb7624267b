"""A file of weights that another program wrote, as an encoder: its layout, and what the file does not say.

What the file does not say, the layout's defaults do, or a file beside it: `vit.pth.yaml` beside `vit.pth`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreid.mistaken import mistaken_for
from pipeline.artifacts import hash_path
from pipeline.digest import has_digest
from pipeline.errors import PipelineError
from pipeline.params import Params, load_params, nearest, section

if TYPE_CHECKING:
    from genreid.models.imported.layouts import Imported

_REMEDY = (
    'take a checkpoint of this program, or a file of weights of one in docs/using_a_model.md, "Encoders from '
    'elsewhere"'
)
_CONFIG = "config.json"
"""How timm and its hub say of which network a file beside it is."""


@dataclass(frozen=True)
class Elsewhere:
    """An encoder of another program. fingerprint: of its weights, and of all that was said of them."""

    imported: Imported
    layout: str
    fingerprint: str
    facts: Mapping[str, Any]

    @property
    def description(self) -> str:
        """In a few words, for people."""
        from genreid.models.imported.layouts import LAYOUTS

        built = self.imported.built
        mean, std = (
            " ".join(f"{one:g}" for one in dict.fromkeys(values)) for values in (built.mean, built.std)
        )
        said = {"feature": "the embedding is from {} the neck", "architecture": "network {}"}
        more = [text.format(self.facts[name]) for name, text in said.items() if name in self.facts]
        parts = [f"pictures of {self.imported.prepared.size} px less {mean}, divided by {std}", *more]
        return f"of {LAYOUTS[self.layout].program} (layout {self.layout}); {'; '.join(parts)}"


def is_from_elsewhere(path: Path) -> bool:
    """Whether a file was not written by this program."""
    return path.is_file() and not has_digest(path)


def open_elsewhere(path: Path) -> Elsewhere:
    """The encoder in a file of another program.

    Raises GenreidError or PipelineError, in one line, where it cannot be read safely, is of no known layout,
    or is not whole.
    """
    if what := mistaken_for(path):
        raise PipelineError(f"{path} is {what}")
    if not path.is_file():
        raise PipelineError(f"{path}: no such file; {_REMEDY}")

    from genreid.models.imported.layouts import build_imported, read_state, recognise

    notes, of_timm = _notes_beside(path), _config_beside(path)
    state = read_state(path, _REMEDY)
    if "layout" in notes.values:
        layout = _known_layout(notes)
    elif of_timm:
        layout = "timm"
    else:
        help_of_timm = f"of timm's, write `layout: timm` and `architecture: NAME` into {notes.path.name}"
        layout = recognise(state, str(path), f"{_REMEDY}; {help_of_timm}")
    facts = _facts(notes, layout, of_timm)
    imported = build_imported(state, layout, facts, str(path), f"{_REMEDY}, or say more in {notes.path.name}")
    said = vars(facts)
    digest = hashlib.sha256(f"{hash_path(path)} {layout} {json.dumps(said)}".encode()).hexdigest()
    return Elsewhere(imported, layout, digest, said)


def _notes_beside(path: Path) -> Params:
    """What the user says of the file; nothing where there is no such file of notes."""
    notes = path.with_name(f"{path.name}.yaml")
    return load_params(notes) if notes.is_file() else Params(notes, {}, {})


def _config_beside(path: Path) -> dict[str, Any]:
    """What timm says of a file in its folder: architecture, and size, mean and deviation of the pictures."""
    config = path.with_name(_CONFIG)
    try:
        content = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        if not isinstance(content.get("architecture"), str):
            return {}
        pictures = content.get("pretrained_cfg", {})
        _, height_px, width_px = pictures.get("input_size", (3, None, None))
        found = {"height_px": height_px, "width_px": width_px}
        return {
            "architecture": content["architecture"],
            **found,
            **{name: pictures.get(name) for name in ("mean", "std")},
        }
    except (OSError, ValueError, AttributeError, TypeError):
        raise PipelineError(f"{config}: it is not as timm writes it; mend it, or take it away") from None


def _known_layout(notes: Params) -> str:
    from genreid.models.imported.layouts import LAYOUTS

    layout = notes.values["layout"]
    if layout not in LAYOUTS:
        known = ", ".join(LAYOUTS)
        raise PipelineError(
            f"{notes.place('layout')}: expected one of {known}, got {layout!r}{nearest(str(layout), LAYOUTS)}"
        )
    return str(layout)


def _facts(notes: Params, layout: str, of_timm: Mapping[str, Any]) -> Any:
    """The layout's defaults, with what timm's file and the user's notes say in their place, checked."""
    from genreid.models.imported.layouts import LAYOUTS

    said = {name: value for name, value in notes.values.items() if name != "layout"}
    values = {**LAYOUTS[layout].defaults, **(of_timm if layout == "timm" else {}), **said}
    lines = {f"{layout}.{name}": line for name, line in notes.lines.items()}
    return section(Params(notes.path, {layout: values}, lines), layout, LAYOUTS[layout].facts)
