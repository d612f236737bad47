"""/docs shows the routes without a request to another host."""

from __future__ import annotations

import pytest
from chromium_page import CHROMIUM, wait
from recording_service import recording_service

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


def test_the_page_of_the_api_lists_the_routes_and_calls_no_other_host(browser, tmp_path):
    with recording_service(tmp_path, lambda job: []) as service:
        page = browser.new_page()
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{service.url}/docs")
        wait(page, "document.querySelectorAll('.opblock').length > 10")
        assert "/v1/audio/transcriptions" in page.inner_text("body")
        assert [url for url in requests if not url.startswith((service.url, "data:"))] == []
        page.close()
