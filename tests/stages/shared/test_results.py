from __future__ import annotations

import pytest
from rich.console import Console

from stages.shared.results import UNDEFINED, print_ranking


def test_the_summary_says_that_it_is_undefined(capsys: pytest.CaptureFixture[str]) -> None:
    print_ranking(Console(width=200), {UNDEFINED: "all images are of camera 1", "views": {}})
    assert capsys.readouterr().out == ("Retrieval: mAP and CMC are undefined: all images are of camera 1.\n")
