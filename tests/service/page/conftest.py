"""A fake service, and chromium with a recording of tones as its microphone."""

from __future__ import annotations

import pytest
from page_server import FakeService, running_service
from page_steps import chromium, close_page, open_page
from tone_reader import write_tones

TONES = ((440, 1.0), (0, 0.6), (880, 1.0), (0, 0.6), (660, 0.5), (1320, 0.5), (0, 0.6))


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("page") / "glas.wav", TONES)


@pytest.fixture(scope="module")
def browser(recording):
    with chromium(recording) as started:
        yield started


@pytest.fixture(scope="module")
def server():
    with running_service() as started:
        yield started


@pytest.fixture
def service(server):
    """Return the fake service as it is at its start."""
    url, fresh = server.url, FakeService()
    vars(server).update(vars(fresh), url=url)
    return server


@pytest.fixture
def load(browser, service):
    """Return a function that opens the page; what each page must not do is checked at the end."""
    pages = []

    def open_window(**options):
        pages.append(open_page(browser, service.url, **options))
        return pages[-1]

    yield open_window
    for page in pages:
        close_page(page, service.url)


@pytest.fixture
def page(load):
    return load()
