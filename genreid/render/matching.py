"""What rotated views have in common with their image's own, as two more columns of the view shards.

Written only where it is wanted (`render_views.matches`): it takes several times the room of the views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from torch import Tensor

from genreid.body.body import Body, BodyParameters
from genreid.render.backend import Renderer
from genreid.render.correspondence import BodyView, Correspondence, encode_source
from genreid.render.views import MATCH_COLUMNS, encode_png, turned_bodies


def match_views(
    body: Body,
    parameters: BodyParameters,
    camera: Tensor,
    height_px: np.ndarray,
    width_px: np.ndarray,
    yaws_deg: Sequence[int],
    renderer: Renderer,
) -> list[list[Correspondence]]:
    """What every view has in common with its image's own; arguments as for `views.render_views`.

    Returns:
        for each person one correspondence a viewpoint, in the order of `yaws_deg`.
    """
    if len(camera) == 0:
        return []

    def look(yaw_deg: int) -> list[BodyView]:
        turned = next(turned_bodies(body, parameters, (yaw_deg,)))
        return renderer.look(turned, camera, body.faces, height_px, width_px)

    own = look(0)
    by_yaw = [
        [Correspondence.between(one, other, body.faces) for one, other in zip(look(yaw), own, strict=True)]
        for yaw in yaws_deg
    ]
    return [list(matches) for matches in zip(*by_yaw, strict=True)]


def with_matches(
    table: pa.Table, matches: Mapping[str, Sequence[Correspondence]], yaws_deg: Sequence[int]
) -> pa.Table:
    """A table of `views.view_table` with the columns MATCH_COLUMNS.

    matches: by image_id, in the order of `yaws_deg`.
    """
    place = {yaw_deg: number for number, yaw_deg in enumerate(yaws_deg)}
    rows = [
        matches[image_id][place[yaw_deg]]
        for image_id, yaw_deg in zip(table["image_id"].to_pylist(), table["yaw_deg"].to_pylist(), strict=True)
    ]
    encoded = (
        [encode_source(row.source) for row in rows],
        [encode_png(row.shared.astype(np.uint8) * 255) for row in rows],
    )
    for name, pngs in zip(MATCH_COLUMNS, encoded, strict=True):
        table = table.append_column(pa.field(name, pa.binary(), nullable=False), pa.array(pngs, pa.binary()))
    return table
