"""An archive writes nothing outside its folder, and nothing but files."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest
from public_corpora import common_voice, fsdd, tar_gz, zip_of

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch import archives
from fonoteka.corpus_fetch.archives import extract
from fonoteka.corpus_fetch.file_hashes import git_tree


def every(name: PurePosixPath) -> str:
    return str(name)


def packed(tmp_path, data: bytes):
    path, out = tmp_path / "a.archive", tmp_path / "out"
    path.write_bytes(data)
    out.mkdir()
    return path, out


def link(kind: bytes, target: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        info = tarfile.TarInfo("data/clip.wav")
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return out.getvalue()


def zip_link() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("data/clip.wav")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


@pytest.mark.parametrize(
    "name", ["../clip.wav", "/clip.wav", "a/../../clip.wav", "a\\..\\clip.wav"],
    ids=["up", "absolute", "up-inside", "windows"],
)  # fmt: skip
@pytest.mark.parametrize("pack", [tar_gz, zip_of], ids=["tar", "zip"])
def test_a_member_outside_the_folder_is_refused(tmp_path, name, pack):
    path, out = packed(tmp_path, pack({name: b"x"}))
    with pytest.raises(UserError, match="lies outside the archive; nothing of it is used"):
        extract([path], out, every)
    assert not [*tmp_path.rglob("clip.wav"), *tmp_path.parent.glob("clip.wav")]


@pytest.mark.parametrize(
    "data",
    [
        link(tarfile.SYMTYPE, "/etc/passwd"), link(tarfile.LNKTYPE, "other"),
        link(tarfile.CHRTYPE, ""), link(tarfile.FIFOTYPE, ""), zip_link(),
    ],
    ids=["symlink", "hardlink", "device", "pipe", "zip-symlink"],
)  # fmt: skip
def test_a_link_or_a_device_is_refused(tmp_path, data):
    path, out = packed(tmp_path, data)
    with pytest.raises(UserError, match=r"'data/clip.wav' is a link or a device"):
        extract([path], out, every)
    assert not [*out.rglob("*.wav")]


@pytest.mark.parametrize("whole", [tar_gz, zip_of], ids=["tar", "zip"])
def test_a_damaged_archive_is_one_sentence(tmp_path, whole):
    data = whole({"a.wav": bytes(range(256)) * 400})
    path, out = packed(tmp_path, data[: len(data) // 2])
    with pytest.raises(UserError, match="damaged archive"):
        extract([path], out, every)


def test_a_member_that_unpacks_to_far_more_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SLACK", 1000)
    path, out = packed(tmp_path, tar_gz({"a.wav": b"\0" * 1_000_000}))
    with pytest.raises(UserError, match="unpacks to more than 60 times its size"):
        extract([path], out, every)


def test_two_members_of_one_name_are_refused(tmp_path):
    path, out = packed(tmp_path, tar_gz({"a/x.wav": b"1", "b/x.wav": b"2"}))
    with pytest.raises(UserError, match=r"contains 'x.wav' twice"):
        extract([path], out, lambda name: name.name)


def test_the_hash_of_a_folder_is_the_one_of_git(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("b.wav", "a.wav", "a-1.wav"):
        (folder / name).write_text(name)
    (folder / "b.wav").chmod(0o755)
    for words in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    tree = subprocess.run(
        ["git", "write-tree", "--prefix=recordings/"], cwd=tmp_path, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert git_tree(folder, {"b.wav"}) == tree.stdout.strip()
    assert git_tree(folder) != tree.stdout.strip()


def test_an_archive_of_another_revision_is_refused_by_the_hash_of_its_folder(
    server, fetch, tmp_path
):
    catalogue = tmp_path / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8")
    tree = f"name: digits.zip\n    tree: {{folder: recordings, sha1: '{'0' * 40}'}}"
    catalogue.write_text(text.replace("name: digits.zip", tree), encoding="utf-8")
    with pytest.raises(UserError, match=r"git's hash of recordings is .* it is another revision"):
        fetch("fsdd")
    assert not (tmp_path / "data/raw/fsdd").exists()


def test_an_archive_that_github_packs_again_is_the_same_corpus(server, fetch, tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    first = tmp_path / "digits.zip"
    first.write_bytes(fsdd())
    extract([first], folder, lambda name: "/".join(name.parts[1:]))
    catalogue = tmp_path / "catalogue.yaml"
    text = catalogue.read_text(encoding="utf-8")
    sha1 = git_tree(folder / "recordings")
    tree = f"name: digits.zip\n    tree: {{folder: recordings, sha1: '{sha1}'}}"
    catalogue.write_text(text.replace("name: digits.zip", tree), encoding="utf-8")
    fetch("fsdd")
    table = tmp_path / "data/raw/fsdd/metadata.csv"
    before = table.read_bytes()
    (tmp_path / "data/raw/fsdd").rename(tmp_path / "old")
    server.files["digits.zip"] = fsdd("another-name-of-the-folder")
    fetch("fsdd")
    assert table.read_bytes() == before


def test_an_archive_of_another_language_names_those_it_has(fetch, tmp_path):
    archive = tmp_path / "hr.tar.gz"
    archive.write_bytes(common_voice("hr"))
    with pytest.raises(UserError, match=r"no sr/validated.tsv; it has the languages .'hr'"):
        fetch("common-voice", "--languages", "sr", "--archive", archive)


def test_an_archive_without_recordings_is_refused(server, fetch):
    server.files["digits.zip"] = zip_of({"top/README.md": b"digits"})
    with pytest.raises(UserError, match="contains no folder recordings"):
        fetch("fsdd")


def test_a_table_that_fits_no_recording_is_refused(server, fetch):
    server.files["toy.part2.tgz"] = tar_gz({"audio/other.flac": b"x"})
    with pytest.raises(UserError, match="names none of the recordings of part2"):
        fetch("parlaspeech-hr")
