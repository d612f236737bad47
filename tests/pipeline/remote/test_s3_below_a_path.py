"""Data go to S3 buckets whose endpoint has a path, as those of a model hub, and come back.

The endpoint is `http://.../someone`: what is not requested below it is not found. The tests of
test_remotes.py run too.
"""

from __future__ import annotations

import re
import shutil

import pytest
import servers
from dvc_yaml import TOP
from forks import CLIENTS, ForkedClone, imported
from prefix_proxy import prefix_proxy
from test_remotes import (  # noqa: F401 - tests of the `story` of this module
    Story,
    origin,
    published,
    test_a_colleague_gets_all_with_the_run_cache_and_runs_nothing,
    test_all_is_sent_once,
    test_what_is_committed_holds_no_secret,
    transfer,
)
from toy import copied

pytestmark = pytest.mark.dvc

NAMESPACE = "/someone"


def documented(url, endpoint):
    """Return the options of the recipe in docs/hub.md, with the places of a test."""
    text = (TOP / "docs/hub.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"^python -m fonoteka remote (--url s3:.*)", text, re.MULTILINE)
    places = {"s3://BUCKET/dvc": url, "https://s3.hf.co/NAMESPACE": endpoint}
    return [places.get(option, option) for option in line.split()]


@pytest.fixture(scope="module")
def story(origin, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("below")
    imported(*CLIENTS["s3"])
    publisher = ForkedClone(copied(origin, folder / "fonoteka"))
    with servers.s3(folder) as bucket, prefix_proxy(bucket.options[1], NAMESPACE) as (url, paths):
        _, place, *options = documented(bucket.url, url)
        server = servers.Server(
            place, bucket.process, tuple(options), environment=bucket.environment
        )
        output = published(publisher, server, folder)
        yield Story(publisher, server, output, folder, range(13, 14), range(3, 4), stages=3)
        # The bucket is in the path, not in the name of the host, after the path of the endpoint.
        assert len(paths) > 20
        assert all(path.startswith(f"{NAMESPACE}/{servers.BUCKET}") for path in paths)


def test_a_wiped_cache_is_filled_again_with_the_same_files(story):
    top = story.publisher
    before = {
        path.relative_to(top.folder): path.read_bytes()
        for path in (top / "data").rglob("*")
        if path.is_file()
    }
    shutil.rmtree(top / ".dvc/cache")
    for name in ("raw/embedded", "splits", "models"):
        shutil.rmtree(top / "data" / name)
    assert transfer(top, "pull").startswith("pulled ")
    after = {
        path.relative_to(top.folder): path.read_bytes()
        for path in (top / "data").rglob("*")
        if path.is_file()
    }
    assert after == before
    assert len(after) > 10
    assert top.repro() == f"everything is up to date: {story.stages} stages\n"


def test_the_path_of_the_endpoint_is_in_the_committed_configuration(story):
    config = (story.publisher / ".dvc/config").read_text()
    assert f"endpointurl = {story.server.options[1]}" in config
    assert story.server.options[1].endswith(NAMESPACE)
