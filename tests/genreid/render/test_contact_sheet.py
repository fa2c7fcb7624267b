from __future__ import annotations

import numpy as np

from genreid.render.contact_sheet import MOST_ROWS, cells_by_identity, contact_sheet


def test_contact_sheet_places_pictures() -> None:
    red, blue = (np.full((64, 32, 3), rgb, np.uint8) for rgb in ((255, 0, 0), (0, 0, 255)))
    sheet = contact_sheet([[red, None], [blue, red]], cell_height_px=64, gap_px=4)
    assert sheet.shape == (2 * 68 + 4, 2 * 36 + 4, 3)
    assert (sheet[4:68, 4:36] == (255, 0, 0)).all()
    assert (sheet[4:68, 40:72] == 250).all()
    assert (sheet[72:136, 4:36] == (0, 0, 255)).all()


def test_a_row_a_person_and_a_column_a_camera() -> None:
    """Person 7 is seen by cameras 1 and 4, 3 by 2 alone; junk and distractors by all."""
    person_id, camera_id = [-1, 7, 7, 0, 7, 3, 3, 0], [9, 4, 4, 1, 1, 2, 2, 9]
    assert cells_by_identity(person_id, camera_id) == [[None, 5, None], [4, None, 1]]
    assert cells_by_identity([0, -1], [1, 2]) == []


def test_persons_that_most_cameras_see_come_on_the_sheet() -> None:
    """Of one person more than there is room for, person 5 has a camera less."""
    persons = range(1, MOST_ROWS + 2)
    seen = [(person, camera) for person in persons for camera in (1, 2) if (person, camera) != (5, 2)]
    cells = cells_by_identity(*zip(*seen, strict=True))
    assert [[seen[cell] for cell in row if cell is not None] for row in cells] == [
        [(person, 1), (person, 2)] for person in persons if person != 5
    ]


def test_a_sheet_has_no_more_cameras_than_there_is_room_for() -> None:
    assert cells_by_identity([1] * 20, range(30, 10, -1)) == [list(range(19, 3, -1))]
