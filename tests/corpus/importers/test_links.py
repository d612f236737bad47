"""A folder that is not read, for a link or for want of permission, is always named."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from command_line import run_fonoteka
from layout_maker import ADDED, LEAVE_OUT, write_audio, write_lines

from fonoteka.corpus.corpus import read_clips
from fonoteka.corpus.importers.layouts.base import scan
from fonoteka.corpus.importers.layouts.folder_walk import list_folder

OPTIONS = ("--language", "hr", "--pattern", "{speaker}/{}")


def speaker(folder: Path, text: str = "da") -> Path:
    write_lines(write_audio(folder / "0.wav", 0, seconds=0.1).with_suffix(".txt"), text)
    return folder


@pytest.fixture
def folder(folder):
    speaker(folder / "ana")
    return folder


def broken(folder):
    (folder / "ivo").symlink_to(folder.parent / "gone")
    return r"ivo is a link to '.*gone', which is not there; restore that or remove the link"


def elsewhere(folder):
    (folder / "ivo").symlink_to(speaker(folder.parent / "other disk/ivo"))
    return (
        r"ivo is a link to the folder '.*other disk/ivo', out of .*from, and is not followed; put"
    )


def relative(folder):
    speaker(folder.parent / "ivo")
    (folder / "ivo").symlink_to("../ivo")
    return r"from/ivo is a link to the folder '.*/ivo', out of"


def above(folder):
    (folder / "ivo").symlink_to("..")
    return r"ivo is a link to the folder '.*', out of .*from"


def hidden(folder):
    speaker(folder / ".store/ivo")
    (folder / "ivo").symlink_to(".store/ivo")
    return r"ivo is a link to the folder '.*from/\.store/ivo', hidden there, and is not followed"


def through_another(folder):
    (folder / "one").symlink_to(speaker(folder.parent / "elsewhere"))
    shutil.rmtree(folder.parent / "elsewhere")
    return r"one is a link to '.*elsewhere', which is not there"


def round_in_a_circle(folder):
    (folder / "a.wav").symlink_to("b.wav")
    (folder / "b.wav").symlink_to("a.wav")
    return r"a\.wav is a link to 'b\.wav', which is not there"


def deep_down(folder):
    (folder / "ana/more").symlink_to(speaker(folder.parent / "elsewhere"))
    return r"ana/more is a link to the folder '.*elsewhere', out of"


def a_file(folder):
    write_audio(folder.parent / "1.wav", 1)
    (folder / "ana/1.wav").symlink_to(folder.parent / "1.wav")
    return r"'ana/1\.wav' is a link out of"


def lost_audio(folder):
    (folder / "ana/1.wav").symlink_to(".git/annex/objects/1.wav")
    return r"ana/1\.wav is a link to '\.git/annex/objects/1\.wav', which is not there"


@pytest.mark.parametrize("make", [broken, elsewhere, relative, above, hidden, through_another,
                                  round_in_a_circle, deep_down, a_file, lost_audio])  # fmt: skip
def test_what_a_link_would_lose_is_named_and_the_rest_can_be_added(make, folder, command, capsys):
    sentence = make(folder)
    with pytest.raises(ValueError, match=sentence):
        command(*ADDED, *OPTIONS)
    assert not (folder.parent / "data").exists()
    command(*OPTIONS, kind="look")
    assert f"1: {folder}" in capsys.readouterr().out or make in (a_file, round_in_a_circle)
    assert [clip.path for clip in read_clips(command(*ADDED, *OPTIONS, LEAVE_OUT))] == ["ana/0.wav"]


@pytest.mark.parametrize("target", [".", "ana", "ana/../ana"])
def test_a_link_to_what_is_read_anyway_is_noted(target, folder, command, capsys):
    (folder / "round").symlink_to(target)
    assert [clip.path for clip in read_clips(command(*ADDED, *OPTIONS))] == ["ana/0.wav"]
    note = "links      1 not followed, round: their files are read under their own names\n"
    assert note in capsys.readouterr().out


def test_links_to_files_of_the_folder_are_files(folder):
    (folder / "ivo").mkdir()
    (folder / "ivo/0.wav").symlink_to("../ana/0.wav")
    assert scan(folder).files == ("ana/0.txt", "ana/0.wav", "ivo/0.wav")
    assert scan(folder).refused == ()


def test_a_folder_that_is_a_link_itself_is_read(folder, monkeypatch, capsys):
    link = folder.parent / "link"
    link.symlink_to(folder)
    run_fonoteka("corpus", "look", str(link), *OPTIONS)
    assert "speakers   1: ana" in capsys.readouterr().out


def test_a_linked_folder_with_all_transcripts_is_named(folder, command):
    shutil.move(folder / "ana", folder.parent / "ana")
    (folder / "ana").symlink_to(folder.parent / "ana")
    with pytest.raises(
        ValueError, match=r"contains no transcripts .*; .*ana is a link to the folder"
    ):
        command(*OPTIONS, kind="look")


def test_folders_and_files_without_permission_are_named(folder, command, monkeypatch):
    speaker(folder / "ivo")
    listed, allowed = os.scandir, os.access

    def scandir(path):
        if Path(path).name == "ivo":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(ValueError, match=r"from/ivo: folder cannot be read: Permission denied"):
        command(*ADDED, *OPTIONS)
    monkeypatch.undo()
    monkeypatch.setattr("os.access", lambda path, mode: "ivo" not in str(path)
                        and allowed(path, mode))  # fmt: skip
    listing = list_folder(folder)
    assert [kind for kind, _ in listing.problems] == ["no access"] * 2
    assert "ivo/0.txt: file cannot be read: no permission" in listing.problems[0][1]
    assert listing.files == ["ana/0.txt", "ana/0.wav"]


def test_hidden_files_are_left_out(tmp_path):
    for name in ("b/c.wav", "a.wav", ".DS_Store", ".git/x.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".away").symlink_to(tmp_path.parent)
    assert vars(list_folder(tmp_path)) == {
        "files": ["a.wav", "b/c.wav"], "special_files": [], "problems": [], "duplicate_links": []
    }  # fmt: skip
