"""Chromium, as the tests of pages start it and wait for a page."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager

CHROMIUM = shutil.which("chromium")
WATCH_POLICY = """window.violations = [];
addEventListener('securitypolicyviolation', (event) => {
  violations.push(event.violatedDirective + ' ' + event.blockedURI);
});"""
LIMIT_S = 60  # two busy cores: a browser that is idle needs 2 s


@contextmanager
def launched(*arguments):
    """Start chromium, with further arguments, and close it afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *arguments],
        )
        yield browser
        browser.close()


def wait(page, condition, limit_s=LIMIT_S):
    """Wait until a condition is true; playwright's own waiting is against a page's policy."""
    last_s = time.monotonic() + limit_s
    while not page.evaluate(condition):
        assert time.monotonic() < last_s, f"{condition}\n{page.inner_text('body')}"
        page.wait_for_timeout(20)
