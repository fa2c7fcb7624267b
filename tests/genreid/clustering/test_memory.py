from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from genreid.clustering.memory import (
    ClusterMemory,
    InstanceMemory,
    Members,
    cluster_means,
    sample_negatives,
    sample_positives,
)
from genreid.errors import GenreidError
from genreid.seeding import torch_rng

LABELS = torch.tensor([2, 0, -1, 1, 0, 2, 2, -1, 0, 3])


def unit(num: int, width: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(num, width, generator=torch_rng(seed)), dim=1)


def test_update_by_hand() -> None:
    memory = InstanceMemory(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    memory.update(torch.tensor([0]), torch.tensor([[0.0, 1.0]]), keep_old=0.2)
    # 0.2·(1, 0) + 0.8·(0, 1), of length √0.68.
    torch.testing.assert_close(memory.rows, torch.tensor([[0.2425356, 0.9701425], [0.0, 1.0]]))


@pytest.mark.parametrize("keep_old", [0.0, 0.1, 0.9, 1.0])
def test_update_goes_through_the_batch_in_order(keep_old: float) -> None:
    rows, new = unit(6, 5, 1), unit(9, 5, 2)
    index = torch.tensor([3, 1, 3, 3, 0, 1, 5, 3, 0])
    memory = ClusterMemory(rows)
    memory.update(index, new, keep_old=keep_old)
    expected = rows.double().numpy().copy()
    for i, embedding in zip(index.tolist(), new.double().numpy(), strict=True):
        mixed = keep_old * expected[i] + (1 - keep_old) * embedding
        expected[i] = mixed / np.linalg.norm(mixed)
    np.testing.assert_allclose(memory.rows.numpy(), expected, atol=1e-6)


def test_update_holds_no_gradient_and_takes_half_precision() -> None:
    memory = InstanceMemory(unit(4, 3, 3))
    embedding = unit(2, 3, 4).requires_grad_()
    memory.update(torch.tensor([1, 1]), embedding.bfloat16(), keep_old=0.5)
    assert not memory.rows.requires_grad
    assert memory.rows.dtype == torch.float32


def test_update_of_nothing_and_an_impossible_share() -> None:
    memory = InstanceMemory(unit(4, 3, 5))
    before = memory.rows.clone()
    memory.update(torch.zeros(0, dtype=torch.long), torch.zeros(0, 3), keep_old=0.2)
    torch.testing.assert_close(memory.rows, before, rtol=0, atol=0)
    with pytest.raises(GenreidError, match=r"keep_old is 1\.2"):
        memory.update(torch.tensor([0]), unit(1, 3, 6), keep_old=1.2)


def test_a_memory_copies_and_normalises_what_it_starts_from() -> None:
    start = 3 * unit(4, 3, 7)
    memory = InstanceMemory(start)
    torch.testing.assert_close(memory.rows.norm(dim=1), torch.ones(4))
    memory.update(torch.tensor([0]), unit(1, 3, 8), keep_old=0.0)
    torch.testing.assert_close(start.norm(dim=1), torch.full((4,), 3.0))
    with pytest.raises(GenreidError, match=r"\(0, 3\)"):
        InstanceMemory(torch.zeros(0, 3))


def test_a_memory_around_rows_works_on_them() -> None:
    rows = unit(4, 3, 9)
    memory = ClusterMemory.around(rows)
    memory.update(torch.tensor([2]), torch.tensor([[0.0, 0.0, 1.0]]), keep_old=0.0)
    assert rows[2].tolist() == [0.0, 0.0, 1.0]


def test_prototypes_are_normalised_means_of_the_members() -> None:
    rows = unit(10, 6, 10)
    found = InstanceMemory(rows).prototypes(LABELS)
    for label in range(4):
        mean = rows.double()[label == LABELS].mean(0)
        np.testing.assert_allclose(found[label].numpy(), (mean / mean.norm()).numpy(), atol=1e-6)
    assert found.shape == (4, 6)


def test_means_do_not_depend_on_the_number_of_threads() -> None:
    rows, labels = unit(3000, 64, 11), torch.randint(-1, 20, (3000,), generator=torch_rng(12))
    num_threads = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(cluster_means(rows, labels))
    finally:
        torch.set_num_threads(num_threads)
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])


def test_means_of_nothing() -> None:
    with pytest.raises(GenreidError, match="no image has a pseudo-label"):
        cluster_means(unit(3, 2, 13), torch.full((3,), -1))


def test_state_goes_on_to_the_last_bit() -> None:
    memory = InstanceMemory(unit(4, 3, 14))
    state = memory.state_dict()
    kept = state["rows"].clone()
    memory.update(torch.tensor([1]), unit(1, 3, 15), keep_old=0.2)
    assert torch.equal(state["rows"], kept)
    other = InstanceMemory.empty(4, 3, torch.device("cpu"))
    other.load_state_dict(state)
    assert torch.equal(other.rows, kept)
    with pytest.raises(GenreidError, match=r"\(4, 3\): expected \(5, 3\)"):
        InstanceMemory(unit(5, 3, 16)).load_state_dict(state)


def test_members_are_arranged_by_label_then_index() -> None:
    members = Members.of(LABELS.numpy())
    assert members.by_label.tolist() == [1, 4, 8, 3, 0, 5, 6, 9]
    assert members.start.tolist() == [0, 3, 4, 7, 8]
    assert members.place.tolist() == [4, 0, -1, 3, 1, 5, 6, -1, 2, 7]


def test_negatives_are_other_pseudo_identities_without_repetition() -> None:
    labels = torch.randint(-1, 12, (300,), generator=torch_rng(17))
    index = torch.nonzero(labels >= 0)[:40, 0]
    sample = sample_negatives(Members.of(labels), index, 50, generator=torch_rng(18))
    assert sample.index.shape == sample.mask.shape == (40, 50)
    assert sample.mask.all()
    drawn = labels[sample.index]
    assert (drawn >= 0).all()
    assert (drawn != labels[index][:, None]).all()
    assert all(len(set(row.tolist())) == 50 for row in sample.index)
    again = sample_negatives(Members.of(labels), index, 50, generator=torch_rng(18))
    assert torch.equal(sample.index, again.index)
    assert not torch.equal(sample.index[0].sort().values, sample.index[1].sort().values)


def test_negatives_are_drawn_uniformly() -> None:
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 3, -1])
    index = torch.zeros(40_000, dtype=torch.long)
    sample = sample_negatives(Members.of(labels), index, 2, generator=torch_rng(19))
    pairs = sample.index.sort(1).values
    counts = torch.bincount(pairs[:, 0] * 8 + pairs[:, 1])
    counts = counts[counts > 0].double()
    # All 10 pairs of the 5 negatives, each with probability 1/10 (standard deviation 60).
    assert len(counts) == 10
    assert ((counts - 4000).abs() < 300).all()


def test_fewer_negatives_than_asked_for() -> None:
    members = Members.of(LABELS)
    index = torch.tensor([0, 1, 9])
    for asked, columns in ((6, 6), (8, 8), (100, 8)):
        sample = sample_negatives(members, index, asked, generator=torch_rng(20))
        assert sample.index.shape == (3, columns)
        for row, mask, own in zip(sample.index, sample.mask, LABELS[index], strict=True):
            others = torch.nonzero((LABELS >= 0) & (own != LABELS))[:, 0].tolist()
            drawn = row[mask].tolist()
            assert set(drawn) <= set(others)
            assert len(set(drawn)) == len(drawn) == min(asked, len(others))


def test_all_images_of_one_pseudo_identity_have_no_negatives() -> None:
    members = Members.of(torch.zeros(6, dtype=torch.long))
    for asked in (3, 10):
        sample = sample_negatives(members, torch.arange(6), asked, generator=torch_rng(21))
        assert not sample.mask.any()


def test_positives_are_other_images_of_the_pseudo_identity() -> None:
    labels = torch.randint(-1, 30, (200,), generator=torch_rng(22))
    index = torch.nonzero(labels >= 0)[:, 0]
    alone = torch.bincount(labels[index])[labels[index]] == 1
    for draw in range(5):
        chosen = sample_positives(Members.of(labels), index, generator=torch_rng(23, draw))
        assert torch.equal(labels[chosen], labels[index])
        assert torch.equal(chosen == index, alone)


def test_positives_are_drawn_uniformly() -> None:
    index = torch.full((30_000,), 5)
    chosen = sample_positives(
        Members.of(torch.tensor([1, 0, 1, -1, 0, 1, 1, 2])), index, generator=torch_rng(24)
    )
    counts = torch.bincount(chosen, minlength=8)
    assert counts[[1, 3, 4, 5, 7]].sum() == 0
    assert ((counts[[0, 2, 6]] - 10_000).abs() < 400).all()


def test_an_image_that_is_alone_is_its_own_positive() -> None:
    members = Members.of(LABELS)
    assert sample_positives(members, torch.tensor([3, 9]), generator=torch_rng(25)).tolist() == [3, 9]


def test_an_outlier_in_a_batch_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="outlier"):
        sample_positives(Members.of(LABELS), torch.tensor([0, 2]), generator=torch_rng(26))
