"""A headless Chromium of this system for tests of pages, and a watch over what a page does.

Playwright's loop is the thread's own while a browser is open, so tests that use one are plain
functions, and the browser is closed before a module with tests of other kinds begins.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

NEEDED = "TESTS_NEED_BROWSER"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever would look up a name finds none: what leaves the machine fails, and is seen as a
    # request.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


def chromium() -> str:
    """The path of a Chromium. Skips the test where there is none, and fails it where there must be
    one.
    """
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        words = f"no Chromium on this machine (looked for {', '.join(_NAMES)})"
        if os.environ.get(NEEDED):
            pytest.fail(f"{words}, and {NEEDED} is set")
        pytest.skip(words)
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """One browser; pages in it share nothing but the process."""
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A page, and what it asked for and complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def quiet(self, *origins: str) -> bool:
        """Whether it said nothing, and asked for nothing but itself and these origins."""
        allowed = ("file:", "data:", "blob:", *origins)
        strange = [url for url in self.requests if not url.startswith(allowed)]
        assert self.complaints == []
        assert strange == []
        return True

    def heard(self, dialog: Dialog) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, address: str) -> Page:
        """Go there and wait until the page lives."""
        self.page.goto("about:blank")
        self.page.goto(address, wait_until="commit")
        self.page.wait_for_selector("html[data-ready]", state="attached")
        return self.page


@contextmanager
def watched_page(browser: Browser, **options: Any) -> Iterator[Watched]:
    """A fresh page of its own context; `options` are Playwright's for the context."""
    context = browser.new_context(**options)
    page = context.new_page()
    watched = Watched(page)
    page.set_default_timeout(10_000)
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("console", lambda message: watched.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: watched.complaints.append(f"error: {error}"))
    # Playwright closes a dialog that nobody listens to, so an `alert` shows as a complaint only if
    # it is heard.
    page.on("dialog", watched.heard)
    try:
        yield watched
    finally:
        context.close()


def address_of(file: Path, place: str = "") -> str:
    return f"{file.absolute().as_uri()}{place}"
