"""What is forgotten is gone from the corpus and from its evidence, and does not come back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command_line import exit_code, run_fonoteka
from dvc_yaml import TOP
from harvest_cases import harvest
from harvest_server import file, serving, status, talk
from toy import run_dvc

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import own_terms
from fonoteka.corpus.corpus import read_clips
from fonoteka.harvest import command
from fonoteka.harvest.command import HarvestSources
from fonoteka.harvest.forget import forget
from fonoteka.harvest.harvest_state import locked
from fonoteka.harvest.item import Outcome, key_of
from fonoteka.harvest.tombstones import Tombstones

CORPUS = Path("data/raw/talks")
SOUNDS = {f"/{n}.wav": file(talk(f"This is number {n} for all of you.")) for n in ("one", "two")}


def take(server, *paths, name="talks"):
    sources = HarvestSources([server.url + path for path in paths])
    return harvest(server, sources, name=name, licence="CC0 1.0", evidence="a letter")


def mentions(text):
    """Return the files below data that contain a text."""
    files = (path for path in Path("data").rglob("*") if path.is_file())
    return [path for path in files if text.encode() in path.read_bytes()]


def test_a_forgotten_address_is_removed_and_does_not_come_back():
    with serving(SOUNDS) as server:
        take(server, "/one.wav", "/two.wav")
        forget(f"{server.url}/one.wav")
        assert {t.source for t in own_terms(CORPUS).values()} == {f"{server.url}/two.wav"}
        assert mentions("/one.wav") == []
        assert not (CORPUS / key_of(f"{server.url}/one.wav")).exists()
        server.forget_counts()
        report = take(server, "/one.wav", "/two.wav")
        assert server.sent.total() == 0
    assert [line.outcome for line in report.items] == [Outcome.FORGOTTEN, Outcome.HERE]
    assert len(read_clips(CORPUS)) == 1


def test_a_forgotten_content_does_not_come_back_under_another_address():
    with serving({**SOUNDS, "/copy.wav": SOUNDS["/one.wav"]}) as server:
        take(server, "/one.wav", "/two.wav")
        forget(f"{server.url}/one.wav")
        assert take(server, "/copy.wav").items[0].outcome is Outcome.FORGOTTEN
        server.forget_counts()
        assert take(server, "/copy.wav").items[0].outcome is Outcome.FORGOTTEN
        assert server.sent.total() == 0
    assert mentions("/copy.wav") == []


def test_other_addresses_of_the_same_recording_are_forgotten_with_it():
    moved = status(302, Location="/two.wav")
    routes = {**SOUNDS, "/copy.wav": SOUNDS["/one.wav"], "/moved.wav": moved}
    with serving(routes) as server:
        take(server, "/one.wav", "/copy.wav", "/moved.wav")
        forget(f"{server.url}/copy.wav")  # a copy of the first
        forget(f"{server.url}/two.wav")  # the last address of another
        assert not CORPUS.exists()
        outcomes = [line.outcome for line in take(server, *routes).items]
    assert outcomes == [Outcome.FORGOTTEN] * 4


def test_an_address_that_was_never_harvested_is_kept_out():
    with serving(SOUNDS) as server:
        forget(f"{server.url}/one.wav#t=3")
        report = take(server, "/one.wav", "/two.wav")
    assert [line.outcome for line in report.items] == [Outcome.FORGOTTEN, Outcome.DOWNLOADED]


def test_every_corpus_of_an_address_forgets_it():
    with serving(SOUNDS) as server:
        for name in ("talks", "other"):
            take(server, "/one.wav", "/two.wav", name=name)
        forget(f"{server.url}/one.wav")
    for name in ("talks", "other"):
        assert len(read_clips(Path("data/raw", name))) == 1


def test_what_waits_for_its_import_is_forgotten_too(monkeypatch):
    with serving(SOUNDS) as server:
        with monkeypatch.context() as patch:
            patch.setattr(command, "import_staged", lambda *_arguments: None)
            take(server, "/one.wav", "/two.wav")
        forget(f"{server.url}/one.wav")
        take(server, "/two.wav")
        assert {t.source for t in own_terms(CORPUS).values()} == {f"{server.url}/two.wav"}


def test_a_dry_run_lists_and_changes_nothing(capsys):
    with serving(SOUNDS) as server:
        take(server, "/one.wav", "/two.wav")
        before = {path: path.read_bytes() for path in CORPUS.rglob("*") if path.is_file()}
        run_fonoteka("harvest", "forget", f"{server.url}/one.wav", "--dry-run")
    assert "recordings that would be removed: 1" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in before} == before
    assert not Path("data/forgotten.csv").exists()


def test_tombstones_name_no_address_and_survive_each_other():
    Tombstones().add(["http://h/a.wav"], [])
    Tombstones().add(["http://h/b.wav"], ["0" * 64])
    text = Path("data/forgotten.csv").read_text()
    assert "http" not in text
    tombstones = Tombstones()
    assert tombstones.has_url("http://h/a.wav")
    assert tombstones.has_url("http://h/b.wav")
    assert tombstones.has_content("0" * 64)
    assert not tombstones.has_url("http://h/c.wav")


def test_git_keeps_tombstones_and_pointers_and_ignores_what_was_harvested():
    paths = ["data/forgotten.csv", "data/harvest/talks.jsonl.dvc", "data/harvest/talks.jsonl",
             "data/harvest/talks/report.txt"]  # fmt: skip
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *paths], cwd=TOP, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.stdout.split() == paths[2:]


def test_forgetting_waits_for_no_harvest():
    with serving(SOUNDS) as server:
        take(server, "/one.wav")
        with locked("talks"), pytest.raises(UserError, match="another harvest into talks"):
            forget(f"{server.url}/one.wav")


def test_a_corpus_that_is_not_pulled_is_fetched_before_an_address_is_forgotten():
    with serving(SOUNDS) as server:
        take(server, "/one.wav")
        for pointer in ("data/raw/talks.dvc", "data/harvest/talks.jsonl.dvc"):
            Path(pointer).write_text("outs: []\n")
        for path in (CORPUS, Path("data/harvest/talks.jsonl")):
            aside = path.rename(path.with_name("aside"))
            with pytest.raises(UserError, match=f"dvc pull {path}.dvc"):
                forget(f"{server.url}/one.wav")
            aside.rename(path)


def test_what_is_not_an_address_cannot_be_forgotten(capsys):
    assert exit_code("harvest", "forget", "one.wav") == 1
    assert "expected http:// or https://" in capsys.readouterr().err


@pytest.mark.dvc
def test_dvc_tracks_the_corpus_and_the_ledger_through_harvests_and_forgetting(tmp_path):
    for name in (".gitignore", ".dvcignore"):
        (tmp_path / name).write_bytes((TOP / name).read_bytes())
    subprocess.run(["git", "init", "-q"], check=True)
    run_dvc("init", "-q", folder=tmp_path)
    words = ("--name", "talks", "--licence", "CC0", "--evidence", "x", "--language", "en")
    options = ("--delay-s", "0", "--allow-private")
    pointers = [Path("data/raw/talks.dvc"), Path("data/harvest/talks.jsonl.dvc")]
    versions = []
    with serving(SOUNDS) as server:
        for path in SOUNDS:
            run_fonoteka("harvest", "run", server.url + path, *words, *options)
            versions.append([pointer.read_text() for pointer in pointers])
        run_fonoteka("harvest", "forget", f"{server.url}/two.wav")
        versions.append([pointer.read_text() for pointer in pointers])
    first, second, third = versions
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert all(b != c for b, c in zip(second, third, strict=True))
