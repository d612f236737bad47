"""Harvested clips reach data/raw by the importer, are short, and a kill changes nothing."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import soundfile
from command_line import exit_code
from dvc_yaml import TOP
from harvest_cases import LIMITS, harvest
from harvest_server import cut, file, serving, status, talk

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import own_terms
from fonoteka.corpus.corpus import read_card, read_clips
from fonoteka.erasure.rewrite import all_files
from fonoteka.harvest import command, harvester, merge_corpus
from fonoteka.harvest.command import HarvestSources
from fonoteka.harvest.harvest_state import locked
from fonoteka.harvest.item import Outcome
from fonoteka.harvest.ledger import Ledger

CORPUS, LEDGER = Path("data/raw/talks"), Path("data/harvest/talks.jsonl")
TERMS = {"licence": "CC BY 4.0", "evidence": "a letter of 3 May"}
LONG = talk(times=5)  # 16.8 s


def take(server, *paths, **terms):
    return harvest(server, HarvestSources([server.url + p for p in paths]), **TERMS | terms)


def contents(folder=CORPUS):
    """Return the bytes of all files of a corpus, without the port of the server."""
    return {name: (folder / name).read_bytes() for name in all_files(folder)}


def test_a_long_recording_is_cut_at_pauses_into_clips_of_one_session():
    with serving({"/long.wav": file(LONG)}) as server:
        report = take(server, "/long.wav", max_s=6.0)
        clips, terms = read_clips(CORPUS), own_terms(CORPUS)
        assert {t.source for t in terms.values()} == {f"{server.url}/long.wav"}
    seconds = [soundfile.info(CORPUS / clip.path).duration for clip in clips]
    assert report.items[0].clips == len(clips) >= 4
    assert max(seconds) <= 6.0
    assert len({clip.session for clip in clips}) == 1
    assert len(terms) == len(clips)
    whole_s = (len(LONG) - 44) / (2 * 22_050)
    assert 0.9 * whole_s < sum(seconds) <= whole_s + 0.01  # espeak's pauses are short


def test_a_clip_has_the_samples_of_its_time():
    with serving({"/long.wav": file(LONG)}) as server:
        take(server, "/long.wav", max_s=6.0)
    Path("long.wav").write_bytes(LONG)
    whole, rate = soundfile.read("long.wav", dtype="int16")
    for clip in read_clips(CORPUS):
        samples, _ = soundfile.read(CORPUS / clip.path, dtype="int16")
        start = round(int(Path(clip.path).stem.split("-")[0]) / 1000 * rate)
        near = range(max(0, start - rate // 1000), start + rate // 1000)  # names have 1 ms
        assert any((whole[n : n + len(samples)] == samples).all() for n in near)


def test_the_transcript_of_a_long_recording_is_left_out_and_the_report_says_so():
    with serving({"/long.wav": file(LONG)}) as server:
        Path("a.csv").write_text(f"url,licence,text\n{server.url}/long.wav,CC0 1.0,whole text\n")
        report = harvest(server, HarvestSources(lists=["a.csv"]), max_s=6.0)
    assert "its text is of the whole" in report.items[0].detail
    assert {clip.text for clip in read_clips(CORPUS)} == {""}


def test_a_second_harvest_extends_the_corpus_and_keeps_its_clips():
    sounds = {f"/{n}.wav": file(talk(f"This is number {n} for you.")) for n in ("one", "two")}
    with serving(sounds) as server:
        take(server, "/one.wav")
        before = contents()
        take(server, "/one.wav", "/two.wav", licence="CC0 1.0", accept_changes=True)
        (second,) = take(server, "/two.wav", licence="CC0 1.0").items
    after = contents()
    sound = {name for name in before if name.endswith(".wav")}
    assert {name: after[name] for name in sound} == {name: before[name] for name in sound}
    assert len(read_clips(CORPUS)) == 2
    assert read_card(CORPUS).licence == "CC BY 4.0 or CC0 1.0"
    assert second.outcome is Outcome.HERE


def test_a_folder_that_was_not_harvested_is_left_alone():
    CORPUS.mkdir(parents=True)
    with serving() as server, pytest.raises(UserError, match="was not harvested"):
        take(server, "/a.wav")


def test_a_corpus_that_is_not_pulled_is_fetched_first():
    CORPUS.parent.mkdir(parents=True)
    Path("data/raw/talks.dvc").write_text("outs: []\n")
    with serving() as server, pytest.raises(UserError, match=r"dvc pull data/raw/talks\.dvc"):
        take(server, "/a.wav")


def test_a_ledger_whose_corpus_was_removed_is_not_trusted():
    with serving({"/a.wav": file(talk())}) as server:
        take(server, "/a.wav")
        shutil.rmtree(CORPUS)
        with pytest.raises(UserError, match=r"names 1 recordings of it; restore it, or remove"):
            take(server, "/a.wav")
        LEDGER.unlink()
        assert take(server, "/a.wav").imported == 1


def test_of_two_harvests_at_once_the_second_ends_with_one_sentence(capsys):
    with locked("talks"):
        code = exit_code("harvest", "run", "http://127.0.0.1/a.wav", "--name", "talks", "--no-dvc")
    lines = capsys.readouterr().err.splitlines()
    assert (code, len(lines)) == (1, 1)
    assert "another harvest into talks is running" in lines[0]


def test_a_cut_connection_is_resumed_where_it_stopped():
    body = talk()
    with serving({"/a.wav": cut(body, 50_000)}) as server:
        report = take(server, "/a.wav")
        ranges = [span for method, _, span in server.media() if method == "GET"]
        assert server.sent["/a.wav"] < len(body) + 50_000
    assert report.items[0].outcome is Outcome.DOWNLOADED
    start = int(ranges[1].removeprefix("bytes=").rstrip("-"))
    assert (ranges[0], len(ranges)) == ("", 2)
    assert 0 < start <= 50_000
    (clip,) = CORPUS.rglob("*.wav")
    assert clip.read_bytes() == body


def test_a_file_that_changes_while_it_is_resumed_is_read_from_its_start():
    other = talk("It is another file now, and it is longer than it was before.")
    with serving({"/a.wav": cut(talk(), 50_000, then=other)}) as server:
        take(server, "/a.wav")
    (clip,) = CORPUS.rglob("*.wav")
    assert clip.read_bytes() == other


def test_a_part_without_a_validator_is_not_resumed():
    body, sent = talk(), []

    def route(exchange):
        sent.append(exchange.headers.get("Range", ""))
        if len(sent) == 1:
            exchange.answer(200, body[:9000], Content_Type="audio/wav",
                            Content_Length=str(len(body)))  # fmt: skip
            exchange.close_connection = True
            return
        exchange.answer(200, body, Content_Type="audio/wav")

    with serving({"/a.wav": route}) as server:
        take(server, "/a.wav")
    assert sent == ["", ""]
    (clip,) = CORPUS.rglob("*.wav")
    assert clip.read_bytes() == body


def slow(body, reached, position):
    """Serve a file that stops at `position` until the client is gone; the next is whole."""
    whole, first = file(body), [1]

    def route(exchange):
        if exchange.command == "GET" and first:
            first.pop()
            send = exchange.send

            def send_start(data):
                send(data[:position])
                exchange.wfile.flush()
                reached.set()
                exchange.connection.recv(1)  # returns when the client is killed
                exchange.close_connection = True

            exchange.send = send_start
        whole(exchange)

    return route


def test_a_harvest_that_is_killed_continues_with_the_same_result():
    names = ("one", "two", "three")
    texts = {f"/{name}.wav": talk(f"Here is talk {name} for all of you.") for name in names}
    reached = threading.Event()
    with serving({path: file(body) for path, body in texts.items()}) as server:
        server.routes["/two.wav"] = slow(texts["/two.wav"], reached, 40_000)
        words = [server.url + path for path in texts]
        options = ["--name", "talks", "--licence", "CC BY 4.0", "--evidence", "a letter of 3 May",
                   "--language", "en", "--delay-s", "0", "--allow-private", "--no-dvc"]  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-m", "fonoteka", "harvest", "run", *words, *options],
            stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(TOP)},
        ) as process:  # fmt: skip
            killed_at(process, reached)
        assert not CORPUS.exists()
        server.forget_counts()
        report = take(server, *texts)
        assert server.sent["/one.wav"] == 0
        assert server.sent["/two.wav"] == len(texts["/two.wav"]) - 40_000
        resumed = contents()
        outcomes = [line.outcome for line in report.items]
        assert outcomes == [Outcome.HERE, Outcome.DOWNLOADED, Outcome.DOWNLOADED]
        Path("other").mkdir()
        os.chdir("other")
        take(server, *texts)
        assert contents() == resumed


def killed_at(process, reached, size=40_000):
    """Kill a harvest when the part of its second recording has a size."""
    try:
        assert reached.wait(600)
        parts, end = Path("data/harvest/talks/parts"), time.monotonic() + 600
        while size not in [path.stat().st_size for path in parts.glob("*.part")]:
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)


def killed(*_arguments):
    raise InterruptedError("as if killed")


def between_renames(patch):
    """Stop after the old corpus was moved away; a killed process does not tidy up either."""
    rename = Path.rename

    def first_only(path, target):
        if path.name == ".talks.after.part":
            patch.setattr(merge_corpus, "recover", lambda _folder: None)
            killed()
        return rename(path, target)

    patch.setattr(Path, "rename", first_only)


PLACES = {
    "before": lambda patch: patch.setattr(merge_corpus, "copy", killed),
    "between": between_renames,
    "after": lambda patch: patch.setattr(merge_corpus.shutil, "rmtree", rmtree_until_the_end()),
}


def rmtree_until_the_end():
    """Stop when the staged clips, which are in the corpus by then, would be removed."""
    rmtree = merge_corpus.shutil.rmtree

    def stopped(path, ignore_errors=False):
        if Path(path).name == "staged":
            killed()
        rmtree(path, ignore_errors)

    return stopped


@pytest.mark.parametrize("place", PLACES)
def test_an_import_that_is_interrupted_is_done_by_the_next_run(place):
    sounds = {f"/{n}.wav": file(talk(f"This is number {n} for you.")) for n in ("one", "two")}
    with serving(sounds) as server:
        take(server, "/one.wav")
        with pytest.MonkeyPatch.context() as patch:
            PLACES[place](patch)
            with pytest.raises(InterruptedError, match="as if killed"):
                take(server, "/two.wav")
        server.forget_counts()
        take(server, "/two.wav")
        assert server.sent.total() == 0
    assert len(read_clips(CORPUS)) == 2
    assert not [path for path in CORPUS.parent.iterdir() if path.name.startswith(".")]
    assert not Path("data/harvest/talks/staged").exists()


def test_a_line_of_the_ledger_that_a_kill_cut_is_left_out():
    with serving({"/a.wav": file(talk())}) as server:
        take(server, "/a.wav")
        whole = LEDGER.read_bytes()
        LEDGER.write_bytes(whole + b'{"url": "http://127.0.0.1/b.wav", "outc')
        Ledger(LEDGER)
    assert LEDGER.read_bytes() == whole


def test_a_download_that_the_ledger_does_not_know_yet_is_imported_and_not_repeated():
    # The kill came between the clips and their record.
    with serving({"/a.wav": file(talk()), "/b.wav": status(404)}) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "import_staged", lambda *_arguments: None)
            take(server, "/a.wav")
        LEDGER.write_text("")
        server.forget_counts()
        report = take(server, "/b.wav")
        assert server.sent["/a.wav"] == 0
        assert take(server, "/a.wav").items[0].outcome is Outcome.HERE
    assert (report.imported, len(read_clips(CORPUS))) == (1, 1)


def test_a_recording_that_was_not_cut_before_a_kill_is_not_downloaded_again():
    with serving({"/a.wav": file(talk())}) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(harvester, "stage_item", killed)
            with pytest.raises(InterruptedError, match="as if killed"):
                take(server, "/a.wav")
        server.forget_counts()
        assert take(server, "/a.wav").items[0].outcome is Outcome.DOWNLOADED
        assert server.sent.total() == 0
    assert list(Path("data/harvest/talks/parts").iterdir()) == []


def test_a_compressed_recording_is_imported_as_flac():
    Path("a.wav").write_bytes(talk())
    result = subprocess.run(["ffmpeg", "-v", "error", "-i", "a.wav", "a.m4a"], check=False)
    if result.returncode:
        pytest.skip("ffmpeg has no encoder of AAC")
    body = Path("a.m4a").read_bytes()
    with serving({"/a.wav": file(body, "audio/mp4")}) as server:
        report = take(server, "/a.wav")
    assert report.items[0].outcome is Outcome.DOWNLOADED
    (clip,) = read_clips(CORPUS)
    assert soundfile.info(CORPUS / clip.path).format == "FLAC"
    assert LIMITS.max_bytes > len(body)
