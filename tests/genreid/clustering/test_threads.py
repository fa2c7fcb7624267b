from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from genreid.clustering.threads import map_row_chunks


@pytest.fixture(params=[1, 2, 3])
def num_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("num_rows", [0, 1, 63, 64, 1000, 30_000])
@pytest.mark.parametrize("chunks_per_thread", [1, 4])
def test_chunks_are_all_rows_in_order(num_threads: int, num_rows: int, chunks_per_thread: int) -> None:
    chunks = map_row_chunks(np.arange, num_rows, chunks_per_thread=chunks_per_thread)
    together = np.concatenate(chunks) if chunks else np.empty(0)
    np.testing.assert_array_equal(together, np.arange(num_rows))


def test_torch_computes_alone_in_each_thread_and_as_before_elsewhere(num_threads: int) -> None:
    meet = threading.Barrier(num_threads, timeout=30)

    def work(start: int, stop: int) -> int:
        meet.wait()  # as many threads at a time as torch is set to
        return torch.get_num_threads()

    found = map_row_chunks(work, 4 * 64 * num_threads)
    assert set(found) == {1}
    assert torch.get_num_threads() == num_threads
    later: list[int] = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [num_threads]


def test_what_a_chunk_raises_reaches_the_caller(num_threads: int) -> None:
    def work(start: int, stop: int) -> None:
        if start:
            raise ValueError("a bad row")

    with pytest.raises(ValueError, match="a bad row"):
        map_row_chunks(work, 1000)
    assert len(map_row_chunks(lambda start, stop: start, 1000)) > 1


def _in_child(answer: multiprocessing.SimpleQueue[int]) -> None:
    answer.put(sum(map_row_chunks(lambda start, stop: stop - start, 1000)))


@pytest.mark.timeout(60)
def test_a_forked_process_has_threads_of_its_own(num_threads: int) -> None:
    """As workers that load data: threads do not survive a fork, and waiting for them would not end."""
    assert sum(map_row_chunks(lambda start, stop: stop - start, 1000)) == 1000
    context = multiprocessing.get_context("fork")
    answer = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(answer,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert answer.get() == 1000
