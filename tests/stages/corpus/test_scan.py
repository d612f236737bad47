"""Every file of a corpus is met once, and none outside it is opened."""

from __future__ import annotations

import os
import socket
import unicodedata

import pytest
from corpus_maker import make_corpus, tone, write_clip, write_rows
from inventory_maker import PARAMS, QUARANTINE, outputs, take

from fonoteka.tables import with_formula_marks
from stages.corpus.inventory.problems import PROBLEMS
from stages.corpus.inventory.stage import run

SECRET = "a file of another user"


@pytest.fixture
def folder(tmp_path):
    """A corpus of one clip, with a sound and a text outside of it."""
    write_clip(tmp_path / "outside.wav", tone(hz=333))
    (tmp_path / "secret.txt").write_text(SECRET)
    return make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])


def seen(folder, params=QUARANTINE):
    return take(folder.parent, params)


@pytest.mark.parametrize("target", ["outside.wav", "secret.txt", "raw", "gone.wav"])
def test_a_link_that_leads_out_is_a_row_and_is_not_followed(target, folder):
    (folder / "link.wav").symlink_to(folder.parents[1] / target)
    row = seen(folder)["mine/link.wav"]
    assert (row["problem"], row["sha256"]) == ("outside the corpus folder", "")
    assert row["bytes"] == "0"


def test_a_link_to_a_folder_outside_hides_what_the_table_names_there(folder):
    (folder / "more").symlink_to(folder.parents[1])
    write_rows(folder, ["a.wav,da,ana,hr", "more/outside.wav,ne,ana,hr"])
    rows = seen(folder)
    assert rows["mine/more/outside.wav"]["problem"] == "outside the corpus folder"
    assert rows["mine/more"]["problem"] == "outside the corpus folder"


@pytest.mark.parametrize("path", ["../outside.wav", "x/../../../outside.wav", "/etc/passwd"])
def test_a_row_of_the_table_that_leads_out_is_a_row_with_that_problem(path, folder):
    write_rows(folder, ["a.wav,da,ana,hr", f"{path},ne,ana,hr"])
    rows = seen(folder, PARAMS)
    assert rows.pop("mine/a.wav")["problem"] == ""
    assert [row["problem"] for row in rows.values()] == ["outside the corpus folder"]


def test_links_inside_the_corpus_are_read_and_circles_are_not_walked(folder):
    (folder / "b.wav").symlink_to("a.wav")
    (folder / "again").symlink_to(".")
    rows = seen(folder)
    assert rows["mine/b.wav"]["pcm_sha256"] == rows["mine/a.wav"]["pcm_sha256"]
    assert rows["mine/again"]["detail"].startswith("a link to")
    assert len(rows) == 3


def test_a_link_to_dvcs_cache_is_the_corpuss_own_file(folder):
    """DVC puts such links in place of files where cache.type is symlink."""
    cached = folder.parents[1] / "cache/files/md5/ab" / ("c" * 30)
    cached.parent.mkdir(parents=True)
    (folder / "a.wav").rename(cached)
    (folder / "a.wav").symlink_to(cached)
    assert seen(folder)["mine/a.wav"]["problem"] == ""


def test_pipes_and_sockets_are_rows_and_are_not_opened(folder, monkeypatch):
    os.mkfifo(folder / "pipe.wav")
    monkeypatch.chdir(folder)  # a socket's path may have 100 characters
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.wav")
        rows = seen(folder)
    for name in ("pipe", "socket"):
        assert rows[f"mine/{name}.wav"]["problem"] == "not audio"


def test_names_that_are_one_on_other_systems_are_all_marked(folder):
    composed, decomposed = (unicodedata.normalize(form, "č.wav") for form in ("NFC", "NFD"))
    for number, name in enumerate(("A.WAV", composed, decomposed, "X/b.wav", "x/B.wav", "x/c.wav")):
        write_clip(folder / "new.wav", tone(hz=500 + 20 * number))
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "new.wav").rename(folder / name)
    problems = {path: row["problem"] for path, row in seen(folder).items()}
    assert problems.pop("mine/x/c.wav") == "no transcript"
    assert set(problems.values()) == {"name collision"}
    assert len(problems) == 6


def test_a_name_that_is_not_utf8_is_a_row(folder):
    os.link(folder / "a.wav", os.fsencode(folder) + b"/\xff.wav")
    row = seen(folder)["mine/\\xff.wav"]
    assert (row["problem"], row["detail"]) == ("unreadable", "its name is not UTF-8; rename it")


@pytest.mark.parametrize(
    "name",
    ["čšž ђљњ.wav", "new\nline.wav", "cr\rlf.wav", 'quo"te, comma;.wav', "=1+1.wav", "'.wav"],
)
def test_any_other_name_is_read_and_written_unchanged(name, folder):
    (folder / "a.wav").rename(folder / name)
    write_rows(folder, [])
    row = seen(folder)[f"mine/{name}"]
    assert (row["problem"], row["sha256"] != "") == ("no transcript", True)


@pytest.mark.parametrize("text", ["=1+1", "+385 1", "-da", "@ne", "=HYPERLINK(x);=y", "da;-ne"])
def test_a_transcript_like_a_formula_survives_and_no_spreadsheet_runs_it(text, folder):
    write_rows(folder, [f'a.wav,"{text}",ana,hr'])
    assert seen(folder)["mine/a.wav"]["text"] == text
    written = (folder.parents[1] / "inventory.csv").read_text(encoding="utf-8")
    assert f",{text}," not in written
    assert f",{with_formula_marks(text)}," in written
    assert with_formula_marks(text).count("'") == 1 + (text.count(";=") > 0)


def test_every_problem_says_what_to_do():
    assert all(len(advice) > 20 for advice in PROBLEMS.values())
    assert len(PROBLEMS) == 16


def test_the_order_of_creation_and_the_number_of_workers_change_no_byte(tmp_path):
    written = set()
    for turn in range(2):
        names = sorted((f"{n}.wav" for n in range(9)), reverse=bool(turn))
        make_corpus(tmp_path / f"{turn}", [])
        for name in names:
            write_clip(tmp_path / f"{turn}" / "mine" / name, tone(hz=200 + 20 * int(name[0])))
            (tmp_path / f"{turn}" / "mine" / f"{name}.txt").write_text(name)
        run(tmp_path / f"{turn}", outputs(tmp_path), QUARANTINE, 1 + 2 * turn)
        written.add((tmp_path / "inventory.csv").read_bytes())
    assert len(written) == 1
