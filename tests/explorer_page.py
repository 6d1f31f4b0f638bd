"""The explorer in a headless Chromium, for the tests that read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "explorer"


def chromium() -> str:
    """The path of Chromium; the test is skipped by name where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    pytest.skip("Chromium is not installed")


@pytest.fixture(name="browser", scope="module")
def browser_fixture() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture(name="visit")
def visit_fixture(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens the page from its file; at the end, nothing may stand in the console."""
    said: list[str] = []
    contexts = []

    def opened(hash_: str = "", folder: Path = FOLDER, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((folder / "index.html").as_uri() + hash_)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not said
