"""A Chromium for all tests here, and the shippers that its pages are of."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.states import Stage, all_well
from tests.browser.visit import WIDE, Visit
from tests.e2e.stack import Shipper

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Root has no sandbox to go into, as in a container; the rest keeps it from calling home.
_ARGUMENTS = [
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Names of web pages that were rebound to this machine.
    "--host-resolver-rules=MAP *.example 127.0.0.1",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.fail("no Chromium here: install Debian's package chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Where a test starts shippers of its own."""
    with contextlib.ExitStack() as stack:
        yield Stage(tmp_path, stack)


@pytest.fixture(scope="session")
def well(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipper]:
    """A shipper that has delivered all, for the tests that only look."""
    with contextlib.ExitStack() as stack:
        yield all_well(Stage(tmp_path_factory.mktemp("well"), stack))


@pytest.fixture
def look(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """``look(url)``: open a page in a browser context that ends with the test."""
    with contextlib.ExitStack() as stack:

        def open_page(url: str, **context: Any) -> Visit:
            made = browser.new_context(viewport=WIDE, **context)
            stack.callback(made.close)
            return Visit(made.new_page(), url)

        yield open_page
