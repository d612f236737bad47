"""The routes of the page: its files alone, with headers that browsers enforce."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlsplit

import pytest
from page_server import running_service

from fonoteka.service.page_files import page_files

POLICY = "Content-Security-Policy"


@pytest.fixture(scope="module")
def server():
    with running_service() as service:
        yield service


@pytest.fixture
def ask(server):
    """Return a function that sends a request exactly as it is written."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=30)

    def send(path, method="GET", **headers):
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        return response, response.read()

    yield send
    connection.close()


def test_the_page_and_its_files_are_served_with_their_types(ask):
    paths = {"/": "index.html"} | {f"/page/{name}": name for name in page_files()}
    assert {"/page/page.js", "/page/style.css", "/page/capture.js"} < {*paths}
    for path, name in paths.items():
        response, body = ask(path)
        assert response.status == 200
        assert body == page_files()[name].content
        assert response.headers["Content-Type"] == page_files()[name].media_type
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_each_file_that_the_page_names_is_served(ask):
    texts = [file.content.decode() for file in page_files().values()]
    named = {
        name for text in texts for name in re.findall(r'"(?:\./|page/)?([\w-]+\.(?:js|css))"', text)
    }
    assert named == {*page_files()} - {"index.html"}


def test_the_policy_admits_this_origin_alone_and_no_inline_script(ask):
    response, body = ask("/")
    directives = dict(part.split(" ", 1) for part in response.headers[POLICY].split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    assert "unsafe" not in response.headers[POLICY]
    assert "*" not in response.headers[POLICY]
    assert not re.search(rb"<style|<script(?! type=.module. src=)| on\w+=| style=", body)


def test_no_file_of_the_page_names_another_host():
    for name, file in page_files().items():
        addresses = set(re.findall(rb"(?:https?:)?//[\w.-]+\.\w+", file.content))
        assert addresses <= {b"http://www.w3.org"}, name  # the name of SVG in the icon


def test_the_scripts_write_no_html():
    sinks = rb"innerHTML|outerHTML|insertAdjacent|document\.write|eval\("
    for name, file in page_files().items():
        assert not re.search(sinks, file.content), name


def test_an_unchanged_file_is_not_sent_again(ask):
    response, body = ask("/page/page.js")
    tag = response.headers["ETag"]
    assert response.headers["Cache-Control"] == "no-cache"
    for sent in (tag, f'"other", {tag}', f"W/{tag}"):
        response, again = ask("/page/page.js", If_None_Match=sent)
        assert (response.status, again) == (304, b"")
        assert response.headers["ETag"] == tag
    response, again = ask("/page/page.js", If_None_Match='"other"')
    assert (response.status, again) == (200, body)


def test_a_head_request_gets_the_headers_alone(ask):
    response, body = ask("/", method="HEAD")
    assert (response.status, body) == (200, b"")
    assert int(response.headers["Content-Length"]) == len(page_files()["index.html"].content)


@pytest.mark.parametrize(
    "path",
    [
        "/page/other.js",
        "/page/..%2fpage_files.py",
        "/page/%2e%2e%2fsettings.py",
        "/page/../../settings.py",
        "/page//etc/passwd",
        "/page/page.js%00.css",
        "/page/",
        "/page/PAGE.JS",
    ],
)
def test_no_other_file_can_be_reached(ask, path):
    response, body = ask(path)
    assert response.status == 404
    assert b"import" not in body
