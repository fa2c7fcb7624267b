"""Pages in a real browser, for tests of what a reader sees."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def open_browser() -> Callable[[], Any]:
    """Chromium, as the system has it; skips where it or what drives it is missing."""
    pytest.importorskip("axe_playwright_python", reason="the extra `browser` is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here: install the system's package `chromium`")

    @contextmanager
    def running():  # type: ignore[no-untyped-def]
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            yield chromium
            chromium.close()

    return running


def opened(page: Any, path: Path, wait_ms: int = 0) -> tuple[list[str], list[str]]:
    """Open a file: what the console says then, and the addresses that are asked for."""
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_timeout(wait_ms)
    return said, asked


def require_accessible(page: Any, path: Path) -> None:
    """Nothing serious is found by axe-core."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], f"{path}: {json.dumps(serious)[:2000]}"
