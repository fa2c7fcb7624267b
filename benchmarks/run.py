"""All benchmarks: `python -m benchmarks.run quick` (ten minutes) or `full` (what has no row yet).

Each row is written to docs/performance.csv as soon as it is measured; docs/performance.md and its picture are
made of that file. `quick` measures its rows anew. A dense matrix that does not fit into memory is left out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from benchmarks import clustering, database, feeding, joint_step, learning, rendering, report, retrieval
from benchmarks.measure import Row, available_gb, keep_row, read_rows, table
from benchmarks.processors import Processor
from genreid.clustering.settings import Method

MOST_EXACT = 126_000
"""Images up to which an approximate search is compared with the labels of the exact one."""

FIELD_BYTES_A_PAIR = 13
"""The dense loop holds three float32 matrices, and a little."""


@dataclass(frozen=True)
class Case:
    """name: as in the table's first two columns, roughly; measure: gives its rows."""

    name: str
    measure: Callable[[], list[Row]]
    quick: bool


def cases() -> list[Case]:
    """Everything, cheapest first within quick and full."""
    found = [
        Case("ranking", partial(_retrieval, "ranking", *retrieval.MARKET), True),
        *(Case(f"pseudo-labels {num}", partial(_labels, num), True) for num in (3_000, 6_000, 12_936)),
        Case("pseudo-labels flat", partial(_labels, 12_936, spectrum="flat", with_field=False), True),
        Case("joint step resnet18", partial(joint_step.compare, "resnet18"), True),
        *(Case(f"learning {name}", partial(_learning, name), True) for name in learning.NETWORKS),
        Case("feeding", feeding.compare, True),
        *(Case(f"rendering {kind}", partial(_rendering, kind), True) for kind in rendering.KINDS),
        Case("pseudo-labels 12936 avx2", partial(_labels, 12_936, processor="avx2"), True),
        Case("reranking", partial(_retrieval, "reranking", *retrieval.MARKET), True),
        Case("pseudo-labels 32621", partial(_labels, 32_621), True),
        *(
            Case(f"approximate {method} 32621", partial(_approximate, 32_621, 2048, method), False)
            for method in clustering.APPROXIMATE
        ),
        Case("joint step resnet50", partial(joint_step.compare, "resnet50"), False),
        Case("pseudo-labels 32621 avx2", partial(_labels, 32_621, processor="avx2"), False),
        Case("pseudo-labels 126000", partial(_labels, 126_000), False),
        *(
            Case(f"approximate {method} 126000", partial(_approximate, 126_000, 2048, method), False)
            for method in clustering.APPROXIMATE
        ),
        Case("features", partial(_retrieval, "features", *retrieval.MSMT17), False),
        *(
            Case(f"approximate {method} 1000000", partial(_approximate, 1_000_000, 256, method), False)
            for method in clustering.APPROXIMATE
        ),
        *(Case(f"database {kind}", partial(_database, kind), False) for kind in database.KINDS),
    ]
    return found


def _labels(
    num: int, *, spectrum: str = "falling", with_field: bool = True, processor: Processor = "own"
) -> list[Row]:
    needed_gb = FIELD_BYTES_A_PAIR * num**2 / 1024**3
    if with_field and needed_gb > available_gb() - 1:
        print(f"the dense loop at N = {num:,} needs {needed_gb:.0f} GB: left out", file=sys.stderr)
        with_field = False
    return [clustering.compare(num, spectrum=spectrum, with_field=with_field, processor=processor)]


def _approximate(num: int, width: int, method: Method) -> list[Row]:
    exact_labels = num <= MOST_EXACT
    return [clustering.compare_approximate(num, width, method, exact_labels=exact_labels)]


def _retrieval(kind: str, num_queries: int, num_gallery: int) -> list[Row]:
    with_field = kind != "features" or available_gb() > 16
    return [retrieval.compare(kind, num_queries, num_gallery, with_field=with_field)]


def _database(kind: str) -> list[Row]:
    return [database.compare(kind, *database.MILLION)]


def _learning(network: str) -> list[Row]:
    return [learning.compare(network)]


def _rendering(kind: str) -> list[Row]:
    return [rendering.compare(kind)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("extent", choices=("quick", "full"))
    parser.add_argument("--only", help="the case of this name")
    arguments = parser.parse_args()
    chosen = [case for case in cases() if not arguments.only or arguments.only == case.name]
    if arguments.extent == "quick":
        chosen = [case for case in chosen if case.quick or arguments.only]
    else:
        measured = {row.case for row in read_rows()}
        chosen = [case for case in chosen if case.name not in measured]
    for case in chosen:
        print(f"{case.name} …", file=sys.stderr, flush=True)
        for row in case.measure():
            keep_row(row, case.name)
            print(table([row]).splitlines()[-1], flush=True)
    report.write()
    print(table(read_rows()))


if __name__ == "__main__":
    main()
