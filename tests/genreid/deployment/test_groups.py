from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from genreid.clustering.agglomeration import Links
from genreid.clustering.settings import PseudoLabelSettings
from genreid.deployment.gallery import Gallery
from genreid.deployment.gallery_table import GalleryInfo
from genreid.deployment.grouped import Grouped, People
from genreid.deployment.groups import LEAST, Likeness, confidences, group, questions
from genreid.errors import GenreidError

SETTINGS = PseudoLabelSettings(k1=8, k2=2, eps=0.5, min_samples=4, method="exact")


def persons(num: int, each: int, spread: float = 0.25, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows (N, 32) of so many persons, in no order, and whose they are."""
    rng = np.random.default_rng(seed)
    person = rng.permutation(np.repeat(np.arange(num), each))
    rows = rng.normal(size=(num, 32))[person] / np.sqrt(32) + spread * rng.normal(size=(len(person), 32)) / 4
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), person


def parts(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


def test_persons_are_told_apart() -> None:
    rows, person = persons(12, 8)
    assert parts(group(Likeness.of(rows, SETTINGS), 0.3).labels) == parts(person)


@pytest.mark.parametrize("each", [1, 2])
def test_few_images_of_each_are_kept_apart_by_the_cut(each: int) -> None:
    """Most of an image's k neighbours are strangers here, whom neighbours alone would take for one person."""
    rows, person = persons(6, each)
    likeness = Likeness.of(rows, SETTINGS)
    assert parts(group(likeness, 0.5).labels) == parts(person)
    assert len(parts(group(likeness, -1.0).labels)) < 6


def test_an_image_alone_is_a_person() -> None:
    rows, _ = persons(1, 1)
    assert group(Likeness.of(rows, SETTINGS), 0.5).labels.tolist() == [0]


def test_confidence_is_that_of_a_loop() -> None:
    rng = np.random.default_rng(1)
    likeness = np.triu(rng.uniform(0, 1, (14, 14)) * (rng.uniform(size=(14, 14)) < 0.6), 1)
    likeness += likeness.T
    labels = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 1, 0, 2, 4])
    found = confidences(csr_array(likeness), labels)
    for image in range(14):
        mean = {
            label: np.mean(
                [likeness[image, k] for k in range(14) if labels[k] == label and k != image] or [0]
            )
            for label in set(labels.tolist())
        }
        own = mean.pop(int(labels[image]))
        other = max(mean.values())
        expected = 1 - other if image == 13 else own / (own + other)
        assert found[image] == pytest.approx(expected), image


def test_what_is_least_certain_is_asked_first() -> None:
    rows, _ = persons(10, 6, spread=0.9, seed=3)
    likeness, links = Likeness.of(rows, SETTINGS), Links.none(60)
    grouping = group(likeness, 0.3)
    asked = questions(likeness, 0.3, grouping, rows, links, 40)
    assert {one.kind for one in asked} == {"merged", "apart"} and len(asked) <= 40
    off = [abs(one.likeness - LEAST) for one in asked]
    assert off == sorted(off)
    dense = likeness.above(0.3).toarray()
    for one in asked:
        assert one.cosine == pytest.approx(float(rows[one.one] @ rows[one.other]))
        same = grouping.labels[one.one] == grouping.labels[one.other]
        assert same == (one.kind == "merged")
        if not same:
            block = dense[np.ix_(*(grouping.labels == grouping.labels[at] for at in (one.one, one.other)))]
            assert one.likeness == pytest.approx(block.mean()) and one.likeness < LEAST
            assert dense[one.one, one.other] == block.max()


def test_what_has_been_answered_is_not_asked_again() -> None:
    rows, _ = persons(10, 6, spread=0.9, seed=3)
    likeness, links = Likeness.of(rows, SETTINGS), Links.none(60)
    before = questions(likeness, 0.3, group(likeness, 0.3), rows, links, 40)
    first = next(one for one in before if one.kind == "apart")
    merged = next(one for one in before if one.kind == "merged")
    answered = Links(np.array([[first.one, first.other]]), np.array([[merged.other, merged.one]]), links.name)
    grouping = group(likeness, 0.3, answered)
    assert grouping.labels[first.one] == grouping.labels[first.other]
    assert grouping.labels[merged.one] != grouping.labels[merged.other]
    after = {(one.one, one.other) for one in questions(likeness, 0.3, grouping, rows, answered, 40)}
    assert not after & {(first.one, first.other), (merged.one, merged.other)}


def test_an_answer_about_two_images_alone_is_not_asked_again() -> None:
    rows, _ = persons(1, 2)
    likeness, links = Likeness.of(rows, SETTINGS), Links.none(2)
    different = Links(links.same, np.array([[1, 0]]), links.name)
    grouping = group(likeness, 0.3, different)
    assert grouping.labels.tolist() == [0, 1]
    assert questions(likeness, 0.3, grouping, rows, links, 10)
    assert not questions(likeness, 0.3, grouping, rows, different, 10)


def gallery(path: list[str], rows: np.ndarray, fingerprint: str = "abc", views: str = "image") -> Gallery:
    info = GalleryInfo("crops", "joint.pt", fingerprint, 128, 64, rows.shape[1], views)  # type: ignore[arg-type]
    return Gallery(info, None, path, rows, pa.table({"path": path}))


def test_known_persons_give_their_names() -> None:
    rows, person = persons(6, 8)
    known = np.concatenate([np.flatnonzero(person == number)[:2] for number in (1, 4)])
    own = np.setdiff1d(np.arange(48), known)
    names = {1: "anna", 4: "bert"}
    people = People.of(
        gallery([f"{at}.png" for at in own], rows[own]),
        gallery([f"{names[person[at]]}/{at}.png" for at in known], rows[known]),
        "known.parquet",
        r"^(?P<person>[^/]+)/",
    )
    links = replace(Links.none(0), name=people.name)
    made = Grouped(people, Likeness.of(people.rows, SETTINGS), 0.3, links)
    assert parts(made.labels) == parts(person[own])
    assert made.person == [names.get(number) for number in person[own].tolist()]
    assert made.num_groups == 6 and set(made.images) == {6, 8}
    for question in made.questions(50):
        assert max(question.one, question.other) < len(own)


def test_galleries_that_cannot_be_compared_are_refused() -> None:
    rows, _ = persons(2, 2)
    own = gallery(list("abcd"), rows)
    for other, pattern, message in (
        (gallery(list("abcd"), rows, fingerprint="xyz"), "(?P<person>.)", "embedded with other weights"),
        (gallery(list("abcd"), rows, views="mirror"), "(?P<person>.)", "embedded with --views mirror"),
        (own, "(?P<person>", "no regular expression with a group"),
        (own, "(?P<name>.)", "no regular expression with a group"),
        (own, "(?P<person>x)", "finds nobody in a"),
    ):
        with pytest.raises(GenreidError, match=message):
            People.of(own, other, "known.parquet", pattern)


def test_every_pair_of_neighbours_is_there_twice() -> None:
    rows, _ = persons(5, 4)
    found = Likeness.of(rows, SETTINGS)
    pairs = dict(zip(zip(found.row.tolist(), found.column.tolist(), strict=True), found.jaccard, strict=True))
    assert pairs and all(pairs[j, i] == value for (i, j), value in pairs.items())
    for at, (i, j) in enumerate(pairs):
        assert found.cosine[at] == pytest.approx(rows[i] @ rows[j], abs=1e-6)
    kept = found.above(0.8).toarray()
    for i, j in combinations(range(20), 2):
        expected = pairs.get((i, j), 0) if rows[i] @ rows[j] >= 0.8 else 0
        assert kept[i, j] == kept[j, i] == expected
