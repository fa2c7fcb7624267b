"""What a batch is contrasted with, in a bank of images and in one of clusters."""

from __future__ import annotations

import torch

from genreid.clustering.memory import ClusterMemory, InstanceMemory, Members
from genreid.losses.contrastive import MemoryRows
from genreid.training.targets import Targets

LABELS = torch.tensor([1, 0, 1, -1, 0, 1])
BATCH = torch.tensor([2, 4])


def negatives(rows: MemoryRows) -> list[set[int]]:
    """Of each image of the batch."""
    both = zip(rows.negatives, rows.negative_mask, strict=True)
    return [set(places[mask].tolist()) for places, mask in both]


def test_a_batch_is_drawn_to_another_image_of_its_pseudo_identity_and_from_all_of_others() -> None:
    """In a bank of images, with fewer of others than are asked for: only positives are left to chance."""
    bank = InstanceMemory(torch.eye(6))
    targets = Targets(Members.of(LABELS), bank.prototypes(LABELS), bank)
    generator = torch.Generator().manual_seed(0)
    drawn = [targets.draw(BATCH, 9, generator=generator) for _ in range(40)]
    assert all(
        rows.memory is bank.rows and rows.own is not None and rows.own.tolist() == [2, 4] for rows in drawn
    )
    assert {row for rows in drawn for row in zip([2, 4], rows.positive.tolist(), strict=True)} == {
        (2, 0),
        (2, 5),
        (4, 1),
    }
    assert negatives(drawn[0]) == [{1, 4}, {0, 2, 5}]


def test_in_a_bank_of_clusters_the_own_slot_stands_for_the_image() -> None:
    slots = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    labels = torch.tensor([2, 0, 1, -1, 0, 1])
    targets = Targets(Members.of(labels), slots.clone(), ClusterMemory(slots.clone()))
    rows = targets.draw(BATCH, 1, generator=torch.Generator())
    assert rows.own is None and rows.positive.tolist() == [1, 0]
    assert negatives(rows) == [{0, 2}, {1, 2}], "all of them, however few are asked for"
    targets.update(BATCH, torch.tensor([[0.0, 0, 1], [0, 0, 1]]), keep_old=0.6)
    # by hand: 0.6 of the old and 0.4 of the new, which stand at right angles
    old, new = 0.6 / 0.52**0.5, 0.4 / 0.52**0.5
    expected = torch.tensor([[old, 0, new], [0, old, new], [0, 0, 1]])
    torch.testing.assert_close(targets.bank.rows, expected)
