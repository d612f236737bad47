"""Feeds, lists, files and yt-dlp give items with their licences; all else is refused."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from harvest_cases import LIMITS, harvest
from harvest_server import file, serving, status, talk

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import own_terms
from fonoteka.corpus.corpus import read_clips
from fonoteka.harvest.command import HarvestSources
from fonoteka.harvest.item import Outcome
from fonoteka.harvest.ledger import Ledger

CORPUS = Path("data/raw/talks")
FEED = """<?xml version="1.0"?>
<rss version="2.0" xmlns:cc="http://backend.userland.com/creativeCommonsRssModule"
  xmlns:atom="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0">
<channel><title>Morning talk</title><language>en-GB</language>
<copyright>(c) 2026 Radio</copyright>{shared}
<item><title>one</title><cc:license>https://creativecommons.org/licenses/by/4.0/</cc:license>
  <enclosure url="/one.wav" length="1" type="audio/wav"/></item>
<item><title>two</title><podcast:license>cc-by-sa-4.0</podcast:license>
  <enclosure url="two.wav" length="1" type="audio/wav"/></item>
<item><title>three</title><enclosure url="three.wav" length="1" type="audio/wav"/></item>
<item><title>no sound</title></item>
</channel></rss>
"""
SHARED = '<atom:link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"/>'
SOUNDS = {
    f"/{name}.wav": file(talk(f"This is number {name} of the morning talk."))
    for name in ("one", "two", "three")
}


def feed(shared=""):
    return file(FEED.format(shared=shared).encode(), "application/rss+xml")


def from_feed(server, **terms):
    return harvest(server, HarvestSources(feeds=[f"{server.url}/feed.xml"]), **terms)


def outcomes(report):
    return [str(line.outcome) for line in report.items]


def test_a_podcast_is_harvested_with_the_licence_of_each_item():
    with serving({"/feed.xml": feed(), **SOUNDS}) as server:
        report = from_feed(server, language="")
        url = server.url
    assert outcomes(report) == ["downloaded", "downloaded", "no licence"]
    licences = {terms.source: terms.licence for terms in own_terms(CORPUS).values()}
    assert licences == {f"{url}/one.wav": "CC BY 4.0", f"{url}/two.wav": "CC BY-SA 4.0"}
    assert {(c.speaker, c.language) for c in read_clips(CORPUS)} == {("Morning talk", "en")}


def test_the_licence_of_a_feed_is_that_of_items_without_their_own():
    with serving({"/feed.xml": feed(SHARED), **SOUNDS}) as server:
        assert outcomes(from_feed(server)) == ["downloaded"] * 3
        record = Ledger(Path("data/harvest/talks.jsonl")).held(f"{server.url}/three.wav")
    assert (record["licence"], record["title"]) == ("CC0 1.0", "three")
    assert record["licence_place"].endswith("/feed.xml, channel")


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (status(404), "HTTP error: 404"),
        (file(b"<p>hello", "text/html"), "wrong type"),
        (file(FEED.encode(), "application/rss+xml", **{"tdm-reservation": "1"}), "reserved"),
        (file(b"<a>" * 9_000_000, "application/rss+xml"), "too large"),
    ],
    ids=["missing", "page", "reserved", "27-megabytes"],
)
def test_a_feed_that_cannot_be_used_is_one_sentence(answer, outcome):
    with serving({"/feed.xml": answer}) as server, pytest.raises(UserError, match=outcome):
        from_feed(server)


def test_entities_of_a_hostile_feed_are_not_expanded():
    doctype = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    text = FEED.replace("?>\n", f"?>\n{doctype}\n", 1).replace("Morning talk", "x&a;")
    with serving({"/feed.xml": file(text.encode(), "text/xml"), **SOUNDS}) as server:
        from_feed(server)
    assert not any("root" in clip.speaker for clip in read_clips(CORPUS))


def test_an_index_lists_the_recordings_of_its_folder_and_below():
    page = b"""<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">
      <a href="../">up</a> <a href="one.wav">1</a> <a href="/two.wav">elsewhere</a>
      <a href="more/three.wav#t=1">3</a> <a href="notes.txt">no sound</a> <a href="one.wav">1</a>"""
    sounds = {
        f"/d/{'more/' * (n == 'three')}{n}.wav": SOUNDS[f"/{n}.wav"] for n in ("one", "three")
    }
    with serving({"/d/": file(page, "text/html"), **sounds}) as server:
        report = harvest(server, HarvestSources(lists=[f"{server.url}/d/"]))
        paths = [line.url.removeprefix(server.url) for line in report.items]
    assert (paths, outcomes(report)) == (["/d/one.wav", "/d/more/three.wav"], ["downloaded"] * 2)


def test_an_index_with_a_reserving_meta_element_is_refused():
    page = b'<meta name="TDM-Reservation" content="1"><a href="one.wav">1</a>'
    with serving({"/d/": file(page, "text/html"), **SOUNDS}) as server:
        with pytest.raises(UserError, match=r"reserved \(TDM\): the meta element"):
            harvest(server, HarvestSources(lists=[f"{server.url}/d/"]))
        assert server.media() == []


def test_a_manifest_here_gives_text_speaker_and_language():
    with serving(SOUNDS) as server:
        Path("list.csv").write_text(
            "url,license,text,speaker,language,evidence\n"
            f'{server.url}/one.wav,CC0 1.0,"This is number one, friends.",Ana,eng,letter 7\n'
        )
        report = harvest(server, HarvestSources(lists=["list.csv"]), language="")
        record = Ledger(Path("data/harvest/talks.jsonl")).held(f"{server.url}/one.wav")
    assert outcomes(report) == ["downloaded"]
    (clip,) = read_clips(CORPUS)
    assert (clip.text, clip.speaker) == ("This is number one, friends.", "Ana")
    assert record["licence_place"] == "list.csv, line 2, which names letter 7"


def test_lines_of_a_file_have_an_address_and_perhaps_a_licence():
    with serving(SOUNDS) as server:
        Path("urls.txt").write_text(
            f"# two talks\n{server.url}/one.wav\tCC BY 4.0\n\n{server.url}/two.wav\n"
        )
        report = harvest(server, HarvestSources(files=[Path("urls.txt")]))
    assert outcomes(report) == ["downloaded", "no licence"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"address\nx\n", "column 'url' is missing"),
        ("a.csv", b"url,licence,license\nx,y,z\n", "in both spellings"),
        ("a.csv", b"url,licence\nx,y,z\n", "3 values where the header has 2"),
        ("a.txt", b"\xff\xfe", "not UTF-8"),
    ],
    ids=["no-url", "twice", "ragged", "not-text"],
)
def test_a_wrong_manifest_is_one_sentence(name, content, sentence):
    Path(name).write_bytes(content)
    with serving() as server, pytest.raises(UserError, match=sentence):
        harvest(server, HarvestSources(lists=[name]))


PROGRAM = """#!{python}
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
with open(os.environ["FAKE_CALLS"], "a") as calls:
    calls.write(json.dumps(words) + "\\n")
base = words[-1].partition("/watch")[0]
if "--simulate" in words:
    for name, licence in (("a", "Creative Commons Attribution license"), ("b", None)):
        print(json.dumps({{"id": name, "webpage_url": f"{{base}}/watch/{{name}}", "title": name,
                          "license": licence, "language": "en", "uploader": "Ana"}}))
    sys.exit()
option = dict(zip(words, words[1:]))
archive, name = Path(option["--download-archive"]), words[-1].rpartition("/")[2]
if archive.exists() and f"fake {{name}}" in archive.read_text():
    sys.exit()
folder = Path(option["--paths"])
(folder / f"{{name}}.wav").write_bytes(Path(os.environ["FAKE_SOUND"]).read_bytes())
(folder / f"{{name}}.info.json").write_text("{{}}")
archive.open("a").write(f"fake {{name}}\\n")
"""


@pytest.fixture
def calls(monkeypatch):
    """Put a fake yt-dlp on PATH; return a function that reads its calls."""
    program, log = Path("bin/yt-dlp"), Path("calls.jsonl").absolute()
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    Path("sound.wav").write_bytes(talk())
    monkeypatch.setenv("PATH", f"{program.parent.absolute()}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CALLS", str(log))
    monkeypatch.setenv("FAKE_SOUND", str(Path("sound.wav").absolute()))
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


def test_yt_dlp_lists_first_and_downloads_what_has_a_licence_by_its_conventions(calls):
    with serving() as server:
        sources = HarvestSources(yt_dlp=[f"{server.url}/watch"])
        report = harvest(server, sources, accepted=("Creative Commons*",))
        again = harvest(server, sources, accepted=("Creative Commons*",))
    assert outcomes(report) == ["downloaded", "no licence"]
    assert outcomes(again) == ["already there", "no licence"]
    first, download, second = calls()
    assert "--simulate" in first
    assert "--simulate" in second
    for word in ("--download-archive", "--sleep-interval", "--sleep-requests", "--write-info-json"):
        assert word in download
    assert download[download.index("--match-filters") + 1] == "license*=Creative Commons"
    assert {clip.speaker for clip in read_clips(CORPUS)} == {"Ana"}


def test_yt_dlp_is_not_asked_for_a_page_that_robots_may_not_read(calls):
    robots = file(b"User-agent: *\nDisallow: /watch\n", "text/plain")
    refused = pytest.raises(UserError, match="refused by robots")
    with serving({"/robots.txt": robots}) as server, refused:
        harvest(server, HarvestSources(yt_dlp=[f"{server.url}/watch"]))
    assert not Path("calls.jsonl").exists()


def test_yt_dlp_that_is_not_installed_is_one_sentence(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with serving() as server, pytest.raises(UserError, match="yt-dlp is not installed"):
        harvest(server, HarvestSources(yt_dlp=[f"{server.url}/watch"]))


def test_without_any_source_the_command_says_what_to_give():
    with serving() as server, pytest.raises(UserError, match="nothing to harvest; give URLs"):
        harvest(server, HarvestSources(), LIMITS)


def test_an_item_of_two_sources_has_one_download():
    with serving({"/feed.xml": feed(SHARED), **SOUNDS}) as server:
        sources = HarvestSources([f"{server.url}/one.wav"], feeds=[f"{server.url}/feed.xml"])
        report = harvest(server, sources, licence="CC BY 4.0", evidence="a letter")
    assert report.items[1].outcome is Outcome.TWICE
