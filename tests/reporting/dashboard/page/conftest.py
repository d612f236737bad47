"""The dashboard's page of a drawn document, in chromium."""

from __future__ import annotations

import pytest
from chromium_page import launched
from dashboard_maker import document
from dashboard_steps import check_window, open_page, open_window

from fonoteka.reporting.dashboard.page.render import render


@pytest.fixture(scope="package")
def drawn():
    return document()


@pytest.fixture(scope="package")
def address(drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("dashboard") / "index.html"
    path.write_text(render(drawn), encoding="utf-8", newline="\n")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def window(browser):
    """Return a window for all tests that need no other: a new one takes 0.7 s."""
    return open_window(browser)


@pytest.fixture
def load(window, address):
    """Return a function that opens the page with a state; errors of it fail the test."""

    def open_address(fragment="", url=address):
        return open_page(window, url, fragment)

    yield open_address
    check_window(window)


@pytest.fixture
def page(load):
    return load()


@pytest.fixture
def new_window(browser):
    """Return a function that opens another window, with options of it."""
    windows = []

    def create(**options):
        windows.append(open_window(browser, **options))
        return windows[-1]

    yield create
    for opened in windows:
        check_window(opened)
        opened.context.close()
