"""What a server may do to a harvest has a line in the report, and leaves no file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from command_line import exit_code
from dvc_yaml import TOP
from harvest_cases import CASES, LIMITS, harvest, page, routes
from harvest_server import busy, file, serving, status, talk

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import read_clips
from fonoteka.harvest import download
from fonoteka.harvest.address import is_public
from fonoteka.harvest.command import HarvestOptions, HarvestSources, run
from fonoteka.harvest.harvester import HarvestTerms
from fonoteka.harvest.item import Outcome, key_of
from fonoteka.harvest.ledger import Ledger
from fonoteka.harvest.limits import HarvestLimits

CORPUS = Path("data/raw/talks")
GIVEN = {"licence": "CC0 1.0", "evidence": "a letter"}
TERMS = HarvestTerms("CC0 1.0", "a letter", language="en")
DOWNLOADS = [path for path, _, outcome in CASES if outcome == "downloaded"]


def urls(server, *paths, limits=LIMITS, terms=TERMS, allow_private=True):
    sources = HarvestSources([server.url + path for path in paths])
    options = HarvestOptions("talks", terms, allow_private=allow_private, dvc=False)
    return run(sources, options, limits)


def recordings():
    """Return the files that hold sound, anywhere below data."""
    return [path for path in Path("data").rglob("*") if path.suffix in (".wav", ".flac", ".part")]


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def harvested(tmp_path_factory):
    """Two runs against the server with all cases: reports, and what the server sent."""
    folder = tmp_path_factory.mktemp("harvest")
    with pytest.MonkeyPatch.context() as patch, serving(routes()) as server:
        patch.chdir(folder)
        first = harvest(server)
        files = contents(folder / CORPUS)
        server.forget_counts()
        second = harvest(server)
        yield first, second, dict(server.sent), server.url, folder, files


def test_each_case_has_its_outcome_in_the_report(harvested):
    first, _, _, url, _, _ = harvested
    result = [(line.url.removeprefix(url), str(line.outcome)) for line in first.items]
    assert result == [(path, outcome) for path, _, outcome in CASES]


def test_every_reason_is_stated(harvested):
    first, second, *_ = harvested
    assert all(line.detail for line in (*first.items, *second.items))


def test_the_counts_add_up_to_the_items(harvested):
    first, *_ = harvested
    assert sum(first.counts().values()) == len(first.items) == len(CASES)
    assert f"items      {len(CASES)}: 5 downloaded" in first.totals()


def test_what_was_refused_leaves_no_file(harvested):
    *_, url, folder, _ = harvested
    keys = {key_of(url + path) for path in DOWNLOADS}
    clips = {path.parent.name for path in (folder / CORPUS).rglob("*.*") if path.suffix != ".csv"}
    assert clips - {"talks"} == keys
    state = folder / "data/harvest/talks"
    assert {p.name for p in state.iterdir()} == {"lock", "pages", "parts", "report.txt"}
    assert not any((state / "parts").iterdir())


def test_a_second_harvest_downloads_0_bytes_and_changes_nothing(harvested):
    _, second, sent, _, folder, files = harvested
    assert {path: count for path, count in sent.items() if count} == {}
    assert second.recording_bytes == second.page_bytes == second.imported == 0
    assert contents(folder / CORPUS) == files


def test_the_page_of_the_reports_is_that_of_this_code():
    assert (TOP / "reports/bench/harvest.md").read_text(encoding="utf-8") == page()


def test_a_listed_name_never_becomes_a_path(harvested):
    *_, folder, _ = harvested
    assert {path.name for path in folder.iterdir()} == {"data"}


def test_a_private_address_is_refused_unless_it_is_allowed():
    with serving({"/a.wav": file(talk())}) as server:
        report = urls(server, "/a.wav", allow_private=False)
        assert server.requests == []
    assert report.items[0].outcome is Outcome.PRIVATE
    assert not is_public("169.254.169.254")


def test_a_redirect_to_a_private_address_is_refused(monkeypatch):
    # Only the first host is public here, as if a feed led into the local network.
    monkeypatch.setattr(
        "fonoteka.harvest.address.is_public", lambda address: address == "127.0.0.1"
    )
    with serving({"/a.wav": status(302, Location="http://127.0.0.2:9/secret.wav")}) as server:
        report = urls(server, "/a.wav", allow_private=False)
    assert report.items[0].outcome is Outcome.PRIVATE
    assert "127.0.0.2" in report.items[0].detail


def test_a_redirect_into_a_folder_that_robots_may_not_read_is_refused():
    robots = file(b"User-agent: fonoteka-harvest\nDisallow: /private/\n", "text/plain")
    moved = status(302, Location="/private/b.wav")
    with serving({"/robots.txt": robots, "/a.wav": moved}) as server:
        report = urls(server, "/a.wav")
        assert [path for _, path, _ in server.media()] == ["/a.wav"]
    assert report.items[0].outcome is Outcome.ROBOTS


def test_a_server_whose_rules_cannot_be_read_is_left_alone():
    with serving({"/robots.txt": status(500), "/a.wav": file(talk())}) as server:
        report = urls(server, "/a.wav")
        assert server.media() == []
    assert report.items[0].outcome is Outcome.ROBOTS


def test_a_crawl_delay_that_is_too_long_refuses_the_items():
    robots = file(b"User-agent: *\nCrawl-delay: 3600\n", "text/plain")
    with serving({"/robots.txt": robots, "/a.wav": file(talk())}) as server:
        report = urls(server, "/a.wav")
    assert report.items[0].outcome is Outcome.BUSY


def test_a_busy_host_is_not_asked_for_its_other_items():
    waits = status(503, Retry_After="600")
    with serving({"/a.wav": waits, "/b.wav": file(talk())}) as server:
        report = urls(server, "/a.wav", "/b.wav")
        assert [path for _, path, _ in server.media()] == ["/a.wav"]
    assert [line.outcome for line in report.items] == [Outcome.BUSY] * 2


def test_a_wait_ends_after_the_retries():
    with serving({"/a.wav": busy(file(talk()), times=9, status=503)}) as server:
        report = urls(server, "/a.wav")
        assert len(server.media()) == LIMITS.retries + 1
    assert report.items[0].outcome is Outcome.BUSY


def test_limits_of_number_and_of_size_leave_the_rest_for_the_next_run():
    paths = [f"/{name}.wav" for name in "abc"]
    sounds = {path: file(talk(f"This is the letter {path[1]}, my friend.")) for path in paths}
    with serving(sounds) as server:
        single = HarvestLimits(delay_s=0, max_items=1, bytes_per_s=1e9)
        outcomes = [line.outcome for line in urls(server, *paths, limits=single).items]
        assert outcomes == [Outcome.DOWNLOADED, Outcome.LIMIT, Outcome.LIMIT]
        small = HarvestLimits(delay_s=0, max_total_bytes=1000, bytes_per_s=1e9)
        outcomes = [line.outcome for line in urls(server, *paths, limits=small).items]
        assert outcomes == [Outcome.HERE, Outcome.LIMIT, Outcome.LIMIT]
        outcomes = [line.outcome for line in urls(server, *paths).items]
        assert outcomes == [Outcome.HERE, Outcome.DOWNLOADED, Outcome.DOWNLOADED]
    assert len(read_clips(CORPUS)) == 3


def test_a_recording_is_downloaded_no_faster_than_the_limit():
    slow = HarvestLimits(delay_s=0, bytes_per_s=len(talk()) / 0.5)
    with serving({"/a.wav": file(talk())}) as server:
        begin = time.monotonic()
        urls(server, "/a.wav", limits=slow)
        assert time.monotonic() - begin >= 0.45  # 0.5 s, less the clock's grain


def test_a_server_that_sends_too_slowly_is_left(monkeypatch):
    monkeypatch.setattr(download, "_PATIENCE_S", 0.1)
    body = talk()

    def route(exchange):
        exchange.answer(200, body[:100], Content_Type="audio/wav", Content_Length=str(len(body)))
        for _ in range(100):
            time.sleep(0.02)
            exchange.send(b"0")

    with serving({"/a.wav": route}) as server:
        (line,) = urls(server, "/a.wav").items
    assert line.outcome is Outcome.NETWORK
    assert " bytes in " in line.detail


def test_a_file_that_changed_at_its_source_is_kept_as_it_was():
    with serving({"/a.wav": file(talk())}) as server:
        urls(server, "/a.wav")
        before = [clip.read_bytes() for clip in CORPUS.rglob("*.wav")]
        server.routes["/a.wav"] = file(talk("Here is another talk of today."))
        server.forget_counts()
        report = urls(server, "/a.wav")
        assert server.sent.total() == 0
    assert report.items[0].outcome is Outcome.CHANGED
    assert [clip.read_bytes() for clip in CORPUS.rglob("*.wav")] == before


def test_a_licence_that_changed_before_the_download_refuses_the_item_until_it_is_accepted():
    manifest = "url,licence\n/a.wav,{}\n".format
    lists = {"/a.wav": status(404), "/list.csv": file(manifest("CC BY 4.0").encode(), "text/csv")}
    with serving(lists) as server:
        harvest(server)
        server.routes["/a.wav"] = file(talk())
        server.routes["/list.csv"] = file(manifest("CC0 1.0").encode(), "text/csv")
        for _ in range(2):  # the first licence is remembered over refusals
            (line,) = harvest(server).items
            assert line.outcome is Outcome.CHANGED_LICENCE
            assert "'CC BY 4.0'" in line.detail
            assert recordings() == []
        (line,) = harvest(server, accept_changes=True).items
        assert line.outcome is Outcome.DOWNLOADED


def test_an_item_without_a_language_is_refused():
    with serving({"/a.wav": file(talk())}) as server:
        report = urls(server, "/a.wav", terms=HarvestTerms("CC0 1.0", "a letter"))
        Path("a.csv").write_text(f"url,language\n{server.url}/a.wav,de\n")
        german = harvest(server, HarvestSources(lists=["a.csv"]), language="", **GIVEN)
        assert server.media() == []
    assert report.items[0].outcome is Outcome.NO_LANGUAGE
    assert german.items[0].detail == "'de' is not known; give --language"


def test_a_licence_of_the_command_line_needs_evidence():
    with pytest.raises(UserError, match="--licence needs --evidence"):
        run(HarvestSources(["http://h/a.wav"]), HarvestOptions("x", HarvestTerms("CC0")), LIMITS)


def test_a_source_that_cannot_be_read_fails_the_command(capsys):
    with serving() as server:
        words = ("--feed", f"{server.url}/none.xml", "--allow-private", "--no-dvc")
        assert exit_code("harvest", "run", "--name", "talks", *words) == 1
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


def test_the_evidence_says_what_was_seen_and_where_the_licence_is_stated(harvested):
    *_, url, folder, _ = harvested
    record = Ledger(folder / "data/harvest/talks.jsonl").held(f"{url}/talks/moved.wav")
    assert record["final_url"] == f"{url}/talks/target.wav"
    assert record["licence_place"] == f"{url}/list.csv, line 6"
    assert record["headers"]["etag"]
    assert (len(record["sha256"]), record["robots"]) == (64, "allowed")


@pytest.mark.parametrize(
    "limits", [{"max_bytes": 0}, {"delay_s": -1.0}, {"retries": 0}], ids=["bytes", "delay", "tries"]
)
def test_an_impossible_limit_is_refused(limits):
    with pytest.raises(UserError, match="expected more than 0"):
        HarvestLimits(**limits)
