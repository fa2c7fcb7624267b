"""Files of boxes, the frames they lie in, and crops by slices written out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
import torch

from genreid.data.transforms import normalise, resize
from genreid.deployment.boxed import BoxedFrames, boxes_schema, cut, embed_boxes, read_embedded
from genreid.deployment.boxes import read_boxes
from genreid.deployment.frames import FolderFrames, NoPixels, VideoFrames, open_frames
from genreid.deployment.gallery import Gallery, GalleryInfo
from genreid.deployment.looking import Looker
from genreid.errors import GenreidError
from genreid.models.initialisation import build_encoder
from tests.genreid.models.small import ENCODER

SIZE = 32, 16
TALL, WIDE = 60, 80
MOT = """1,-1,10,5,20,40,0.9,-1,-1,-1
3,7,-4,20.4,12,30.2,-0.5,-1,-1,-1

1,-1,200,5,20,40,0.8,-1,-1,-1
1,-1,10,5,0,40,0.8,-1,-1,-1
9,-1,10,5,20,40,0.8,-1,-1,-1
2,-1,1,1,9,9,0.7,-1,-1,-1
1,-1,10,5,20,40,0.4,-1,-1,-1
"""


def picture(number: int) -> np.ndarray:
    """(60, 80, 3) RGB, smooth, so that a video's compression changes it little."""
    rng = np.random.default_rng(number)
    return cv2.resize(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8), (WIDE, TALL))


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """Three frames, the second of which cannot be read, and det.txt beside them."""
    folder = tmp_path / "img1"
    folder.mkdir()
    for number in (1, 3):
        cv2.imwrite(str(folder / f"{number:06d}.png"), picture(number)[:, :, ::-1])
    (folder / "000002.png").write_bytes(b"no image")
    (tmp_path / "det.txt").write_text(MOT)
    return tmp_path


def boxed(place: Path, text: str | dict | list, frames: Path | None = None) -> BoxedFrames:
    file = place / "boxes"
    file.write_text(text if isinstance(text, str) else json.dumps(text))
    return BoxedFrames(read_boxes(file), open_frames(frames or place / "img1"))


def embedded(found: BoxedFrames, batch_size: int = 3) -> pa.Table:
    info = GalleryInfo(str(found.folder), "joint.pt", "0" * 64, *SIZE, embedding_dim=64, views="image")
    looker = Looker(build_encoder(ENCODER, 0).eval(), "image", SIZE, torch.device("cpu"))
    table = pa.concat_tables(embed_boxes(looker, found, info, batch_size=batch_size, num_threads=2))
    assert table.schema == boxes_schema(info)
    return table


def test_mot_is_read_line_by_line(sequence: Path) -> None:
    found = read_boxes(sequence / "det.txt")
    assert found.frame == [1, 3, 1, 1, 9, 2, 1] and found.track == [None, 7] + [None] * 5
    np.testing.assert_array_equal(found.ltwh[1], [-4, 20.4, 12, 30.2])
    np.testing.assert_array_equal(found.score, [0.9, -0.5, 0.8, 0.8, 0.8, 0.7, 0.4])
    assert found.left_out == {}


def test_a_ground_truth_gives_the_pedestrians_that_are_judged(tmp_path: Path) -> None:
    file = tmp_path / "gt.txt"
    file.write_text("1,1,0,0,9,9,1,1,1\n1,2,0,0,9,9,0,1,1\n1,3,0,0,9,9,1,7,1\n2,1,0,0,9,9,1,1,0.3\n")
    found = read_boxes(file)
    assert (found.frame, found.track) == ([1, 2], [1, 1])
    assert found.left_out == {"flagged as not to be judged": 1, "of another class than pedestrian": 1}
    file.write_text("4,1,0,0,9,9\n")
    assert np.isnan(read_boxes(file).score).all()


def test_coco_gives_persons_by_their_frames_names(tmp_path: Path) -> None:
    box = {"image_id": 5, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5, "track_id": 8}
    whole = {
        "images": [{"id": 5, "file_name": "seq/000003.png"}],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}],
        "annotations": [box, box | {"category_id": 1}, box | {"iscrowd": 1}],
    }
    (tmp_path / "boxes.json").write_text(json.dumps(whole))
    found = read_boxes(tmp_path / "boxes.json")
    assert (found.frame, found.track, found.score.tolist()) == (["seq/000003.png"], [8], [0.5])
    assert found.left_out == {"of another category than person": 1, "of a crowd": 1}
    (tmp_path / "boxes.json").write_text(json.dumps([box, {"image_id": "a.jpg", "bbox": [0, 0, 1, 1]}]))
    bare = read_boxes(tmp_path / "boxes.json")
    assert bare.frame == [5, "a.jpg"] and np.isnan(bare.score[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no box of a person (it is empty)"),
        ("1,1,0,0,9,9,0,1,1\n", "holds no box of a person (1 flagged as not to be judged)"),
        ("1,-1,3\n", "line 1: expected numbers with commas between"),
        ("1,-1,0,0,9,9\n\nframe;id\n", "line 3: expected numbers with commas between"),
        ("1,-1,0,0,nan,9\n", "found '1,-1,0,0,nan,9'"),
        ("1.5,-1,0,0,9,9\n", "line 1: expected"),
        ('{"images": []}', "has no list `annotations`"),
        ("[{]", "no readable JSON"),
        ('[{"image_id": 1, "bbox": [1, 2, 3]}]', "box 0 (from 0): expected a `bbox` of four numbers"),
        ('[{"bbox": [1, 2, 3, 4]}]', "box 0 (from 0): expected an `image_id`"),
        ("[3]", "box 0 (from 0): expected a `bbox`"),
        (
            '{"images": [{"id": 1, "file_name": ""}],'
            ' "annotations": [{"image_id": 2, "bbox": [1, 1, 1, 1]}]}',
            "`images` has no image of its `image_id` 2",
        ),
        ('{"images": [{"id": 1}], "annotations": []}', "has no `id` or no `file_name`"),
    ],
)
def test_wrong_files_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "boxes").write_text(text)
    with pytest.raises(GenreidError) as error:
        read_boxes(tmp_path / "boxes")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "boxes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(GenreidError, match="boxes is no text"):
        read_boxes(tmp_path / "boxes")
    with pytest.raises(GenreidError, match="none: No such file"):
        read_boxes(tmp_path / "none")
    with pytest.raises(GenreidError, match="is a folder; name a file of boxes"):
        read_boxes(tmp_path)


def test_every_box_is_a_row_and_the_crops_are_slices(sequence: Path) -> None:
    table = embedded(boxed(sequence, MOT))
    rows = table.drop(["embedding"]).to_pandas()
    # frame after frame, in a frame as in the file, frames that are not there last
    assert list(rows.status) == ["ok", "outside", "empty", "repeated", "unreadable", "ok", "no frame"]
    assert rows.frame.fillna(-1).tolist() == [1, 1, 1, 1, 2, 3, -1]
    assert rows.path[0] == "000001.png#xywh=10,5,20,40" and rows.path[5] == "000003.png#xywh=-4,20.4,12,30.2"
    assert rows.detail[1] == "nothing of it is in the frame of 80 × 60 pixels"
    assert rows.detail[6].endswith("img1 has no frame 9") and rows.detail[4] == "not a readable image"
    assert rows.track.fillna(-1).tolist() == [-1] * 5 + [7, -1]
    np.testing.assert_array_equal(np.stack(rows.box)[5], [-4, 20.4, 12, 30.2])
    np.testing.assert_allclose(rows.score, [0.9, 0.8, 0.8, 0.4, 0.7, -0.5, 0.8])
    encoder = build_encoder(ENCODER, 0).eval()
    crops = {0: picture(1)[5:45, 10:30], 5: picture(3)[20:51, 0:8]}
    for row, crop in crops.items():
        assert (rows.height[row], rows.width[row]) == crop.shape[:2]
        with torch.no_grad():
            expected = encoder(normalise(resize(crop, *SIZE)[None])).embedding[0].numpy()
        np.testing.assert_allclose(table["embedding"][row].as_py(), expected, atol=1e-6)
        np.testing.assert_array_equal(read_embedded(sequence / "img1", rows.path[row]), crop)
    assert table["embedding"].null_count == 5
    assert Gallery.from_table(table, "here").path == [rows.path[0], rows.path[5]]
    assert (
        embedded(boxed(sequence, MOT), batch_size=100).drop(["embedding"]).equals(table.drop(["embedding"]))
    )


def test_edges_are_rounded_and_cut_at_the_frame() -> None:
    image = picture(1)
    np.testing.assert_array_equal(cut(image, (10.4, 5.6, 20.2, 1e12)), image[6:60, 10:31])
    np.testing.assert_array_equal(cut(image, (-1e12, -1e12, 2e12, 2e12)), image)
    assert isinstance(cut(image, (80, 0, 5, 5)), NoPixels) and isinstance(
        cut(image, (0, 0, 0.4, 5)), NoPixels
    )
    part = cut(image, (0, 0, 4, 4))
    assert isinstance(part, np.ndarray) and part.base is None, "a crop keeps no frame in memory"


def test_a_video_is_as_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 5, (WIDE, TALL))
    for number in range(1, 5):
        writer.write(picture(number)[:, :, ::-1])
    writer.release()
    found = boxed(tmp_path, "4,1,10,5,20,40,1\n2,-1,0,0,30,30,1\n6,-1,0,0,9,9,1\n0,-1,0,0,9,9,1\n", path)
    rows = list(found.rows(1))
    assert [(row.frame, row.status) for row in rows] == [
        (2, "ok"),
        (4, "ok"),
        (6, "no frame"),
        (None, "no frame"),
    ]
    assert rows[2].detail == "the video ends after frame 4, or cannot be read any further"
    assert rows[1].name == "clip.avi#frame=4&xywh=10,5,20,40"
    for row, crop in zip(rows, (picture(2)[:30, :30], picture(4)[5:45, 10:30]), strict=False):
        assert row.crop is not None and np.abs(row.crop.astype(int) - crop).mean() < 4
        np.testing.assert_array_equal(read_embedded(tmp_path, row.name), row.crop)
    with pytest.raises(GenreidError, match=r"boxes: no video that OpenCV can read"):
        VideoFrames(tmp_path / "boxes")
    with pytest.raises(GenreidError, match="no such folder and no such video"):
        open_frames(tmp_path / "none.mp4")


def test_frames_are_found_by_number_and_by_name(sequence: Path) -> None:
    frames = FolderFrames(sequence / "img1")
    assert [frames.position(one) for one in (1, 3, 4, "000003.png", "seq/000003.png", "3.png")] == [
        0,
        2,
        None,
        2,
        2,
        None,
    ]
    with pytest.raises(GenreidError, match="has a box: the file's first names frame 70"):
        boxed(sequence, "70,-1,0,0,9,9\n")
    other = sequence / "img1" / "other"
    other.mkdir()
    (other / "frame1_left.png").write_bytes(b"")
    with pytest.raises(GenreidError, match=r"has 2 images of number 1, 000001.png and other/frame1_left.png"):
        FolderFrames(sequence / "img1").position(1)
    (sequence / "letters").mkdir()
    (sequence / "letters" / "a.png").write_bytes(b"")
    with pytest.raises(GenreidError, match=r"have none in their names, such as a\.png"):
        FolderFrames(sequence / "letters").position(1)


def test_memory_holds_a_few_frames_only(sequence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are read at most as far ahead as there are threads."""
    read: list[str] = []

    def counted(path: Path, _root: Path) -> np.ndarray:
        read.append(path.name)
        return picture(1)

    monkeypatch.setattr("genreid.deployment.frames.read_image", counted)
    for number in range(4, 40):
        (sequence / "img1" / f"{number:06d}.png").write_bytes(b"")
    lines = "".join(f"{number},-1,0,0,9,9\n" for number in range(1, 40))
    rows = boxed(sequence, lines).rows(num_threads=2)
    for done in range(1, 40):
        next(rows)
        assert len(read) <= done + 2
    assert Counter(read).most_common(1)[0][1] == 1
