from __future__ import annotations

import numpy as np

from genreid.render.contact_sheet import contact_sheet


def test_contact_sheet_places_pictures() -> None:
    red, blue = (np.full((64, 32, 3), rgb, np.uint8) for rgb in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[red, None], [blue, red]], cell_height_px=64, gap_px=4)
    assert sheet.shape == (2 * 68 + 4, 2 * 36 + 4, 3)
    assert (sheet[4:68, 4:36] == (255, 0, 0)).all()
    assert (sheet[4:68, 40:72] == 250).all()
    assert (sheet[72:136, 4:36] == (0, 0, 255)).all()
