"""A download continues where it was cut, and what a server does wrong is one sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from public_corpora import REVISION

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch import planned_fetch
from fonoteka.corpus_fetch.download import part_of

ZIP, DEV = "digits.zip", "/datasets/google/fleurs/resolve/" + REVISION + "/data/hr_hr/dev.tsv"
INFO = f"/api/datasets/google/fleurs/paths-info/{REVISION}"
STORE = Path("data/downloads/fsdd@26eb9aaf76e81b692f806f9140c2d2777410d7a1")


def gets(server):
    return [request for request in server.requests if request.startswith("GET ")]


def test_a_cut_connection_continues_with_the_missing_bytes(server, fetch):
    server.cut_after = [100, 50]
    fetch("fsdd")
    size = len(server.files[ZIP])
    assert server.ranges == ["", "bytes=100-", "bytes=150-"]
    assert server.sent == size


def test_the_next_run_continues_what_a_run_left(server, fetch):
    server.cut_after = [100] + [0] * 5
    with pytest.raises(UserError, match=r"the connection was cut after 100 bytes .* it continues"):
        fetch("fsdd")
    assert part_of(STORE / ZIP).stat().st_size == 100
    fetch("fsdd")
    assert server.ranges[-1] == "bytes=100-"
    assert server.sent == len(server.files[ZIP])


def test_a_file_that_changed_since_it_was_cut_is_fetched_from_its_start(server, fetch):
    server.cut_after = [100] + [0] * 5
    with pytest.raises(UserError, match="the connection was cut"):
        fetch("fsdd")
    server.files[ZIP] += b"\0" * 5  # zipfile accepts bytes after the archive as a comment's
    server.sent = 0
    fetch("fsdd")
    assert server.sent == len(server.files[ZIP])


def test_a_server_without_ranges_sends_the_file_again(server, fetch):
    server.cut_after, server.without_ranges = [100], True
    fetch("fsdd")
    assert server.sent == 100 + len(server.files[ZIP])


def test_an_archive_of_unstated_size_is_complete_when_the_server_ends_it(server, fetch, tmp_path):
    server.without_sizes = True
    fetch("fsdd")
    assert (tmp_path / "data/raw/fsdd/metadata.csv").exists()


def test_a_file_that_became_shorter_is_fetched_from_its_start(server, fetch):
    whole = server.files[ZIP]
    server.files[ZIP] = whole + b"\0" * 900
    server.cut_after = [len(whole) + 10] + [0] * 5
    with pytest.raises(UserError, match="the connection was cut"):
        fetch("fsdd")
    server.files[ZIP] = whole
    fetch("fsdd")
    assert not part_of(STORE / ZIP).exists()


def test_a_busy_server_is_asked_again_after_the_time_it_names(server, fetch, tmp_path):
    path = f"/{ZIP}"
    server.statuses[path] = [(200, {}), (503, {"Retry-After": "0"})]
    fetch("fsdd")
    assert (tmp_path / "data/raw/fsdd").is_dir()
    assert len(gets(server)) == 2


def test_a_server_that_asks_for_hours_is_not_waited_for(server, fetch):
    server.statuses[f"/{ZIP}"] = [(200, {}), (429, {"Retry-After": "7200"})]
    with pytest.raises(UserError, match="429: the server cannot answer now"):
        fetch("fsdd")
    assert len(gets(server)) == 1


def test_another_size_than_the_pinned_one_is_refused_before_the_download(server, fetch):
    server.sizes[f"/{ZIP}"] = 5000
    catalogue = Path("catalogue.yaml")
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace("name: digits.zip", "name: digits.zip\n    bytes: 4999"))
    with pytest.raises(UserError, match=r"the server states bytes 5000 for digits.zip"):
        fetch("fsdd")
    assert not gets(server)


def test_a_body_that_is_shorter_than_stated_is_a_cut_connection(server, fetch):
    server.sizes[f"/{ZIP}"] = len(server.files[ZIP]) + 7
    with pytest.raises(UserError, match=r"the connection was cut|the server has no byte"):
        fetch("fsdd")
    assert not (STORE / ZIP).exists()


def test_a_missing_file_names_the_page_of_the_corpus(server, fetch):
    del server.files[ZIP]
    with pytest.raises(UserError, match=r"404: .*github.com/Jakobovski.*--catalogue"):
        fetch("fsdd")


def test_a_file_that_the_data_set_lacks_is_named(server, fetch):
    del next(iter(server.hub.values()))["data/hr_hr/dev.tsv"]
    with pytest.raises(UserError, match=r"google/fleurs@a+: the hub has no data/hr_hr/dev.tsv"):
        fetch("fleurs", "--languages", "hr", "--split", "dev")


@pytest.mark.parametrize("path", [INFO, DEV], ids=["list", "file"])
@pytest.mark.parametrize("status", [401, 403])
def test_a_gated_data_set_says_what_to_accept_and_which_token_to_set(server, fetch, path, status):
    server.statuses[path] = [(status, {"X-Error-Code": "GatedRepo"})] * 3
    with pytest.raises(UserError, match=rf"{status}: .*accept its terms; then set HF_TOKEN"):
        fetch("fleurs", "--languages", "hr", "--split", "dev")
    assert not Path("data/raw").exists()


def test_a_token_is_sent_to_the_hub_alone(server, fetch, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    fetch("fleurs", "--languages", "hr", "--split", "dev")
    assert server.tokens == ["Bearer hf_reader"] * 3
    server.tokens.clear()
    fetch("fsdd")
    assert not server.tokens


@pytest.mark.parametrize("name", ["fleurs", "fsdd"], ids=["hub", "server"])
def test_without_a_network_one_sentence_says_so(server, fetch, name, monkeypatch):
    nowhere = "http://127.0.0.1:9"  # the port of `discard`, where nothing listens
    monkeypatch.setenv("HF_ENDPOINT", nowhere)
    catalogue = Path("catalogue.yaml")
    text = catalogue.read_text(encoding="utf-8").replace(server.url, f"{nowhere}/")
    catalogue.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"the server does not answer .*check the network"):
        fetch(name)


def test_a_redirect_in_a_circle_is_one_sentence(server, fetch):
    server.statuses[f"/{ZIP}"] = [(200, {})] + [(302, {"Location": f"/{ZIP}"})] * 30
    with pytest.raises(UserError, match="redirects in a circle"):
        fetch("fsdd")


def test_a_full_disk_is_one_sentence_and_keeps_what_arrived(server, fetch):
    # Writing to /dev/full fails with the error of a full disk.
    target = part_of(STORE / ZIP)
    target.parent.mkdir(parents=True)
    target.symlink_to("/dev/full")
    with pytest.raises(UserError, match="the disk is full; what arrived stays"):
        fetch("fsdd")


def test_too_little_space_is_refused_before_the_download(server, fetch, monkeypatch):
    usage = planned_fetch.shutil.disk_usage(".")
    few = usage._replace(free=(1 << 28) + 1000)
    monkeypatch.setattr(planned_fetch.shutil, "disk_usage", lambda _path: few)
    with pytest.raises(UserError, match=r"the fetch needs 268.* MB in all.* and 268.4 MB are free"):
        fetch("fsdd")
    assert not gets(server)


def test_a_dry_run_downloads_nothing_and_writes_nothing(server, fetch, capsys):
    fetch("fsdd", "--dry-run")
    assert re.search(r"file +digits.zip, .* kB", capsys.readouterr().out)
    assert not gets(server)
    assert not Path("data").exists()


def test_without_a_terminal_and_without_yes_nothing_is_downloaded(server, fetch):
    with pytest.raises(UserError, match=r"fsdd: .* kB would be downloaded; give --yes"):
        fetch("fsdd", asks=True)
    assert not gets(server)
