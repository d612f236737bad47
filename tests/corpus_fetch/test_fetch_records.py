"""What was fetched is recorded, is not fetched twice, and has to be the same each time."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from public_corpora import common_voice, fsdd
from toy import run_dvc

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.fetch_record import read_record

RAW, POINTER = Path("data/raw"), Path("data/raw/fsdd.dvc")
STORE = Path("data/downloads/fsdd@26eb9aaf76e81b692f806f9140c2d2777410d7a1")


@pytest.fixture
def tracked(fetch, tmp_path):
    """Fetch in a project of DVC."""
    (tmp_path / ".git").mkdir()
    run_dvc("init", "-q", "--no-scm", folder=tmp_path)
    return lambda *words: fetch(*words, dvc=True)


@pytest.mark.dvc
def test_the_pointer_has_the_hash_of_each_file(server, tracked):
    tracked("fsdd")
    document = yaml.safe_load(POINTER.read_text())
    assert document["outs"][0]["path"] == "fsdd"
    data = server.files["digits.zip"]
    assert document["meta"]["fetch"]["files"] == {
        "digits.zip": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    }
    assert read_record(POINTER).revision == "26eb9aaf76e81b692f806f9140c2d2777410d7a1"


@pytest.mark.dvc
def test_a_colleagues_fetch_is_compared_with_the_pointer(server, tracked):
    tracked("fsdd")
    before = POINTER.read_bytes()
    shutil.rmtree(RAW / "fsdd")
    shutil.rmtree("data/downloads")
    tracked("fsdd")
    assert POINTER.read_bytes() == before
    shutil.rmtree(RAW / "fsdd")
    server.files["digits.zip"] = fsdd("another-top")
    with pytest.raises(UserError, match=r"fsdd.dvc: has (bytes|sha256) .* the file was replaced"):
        tracked("fsdd")


def test_a_second_fetch_downloads_nothing(server, fetch, capsys):
    fetch("fsdd")
    server.sent, server.requests = 0, []
    fetch("fsdd")
    assert (server.sent, server.requests) == (0, [])
    assert "nothing to download" in capsys.readouterr().out


def test_only_the_parts_that_are_missing_are_downloaded(server, fetch):
    fetch("librispeech", "--split", "dev-clean")
    server.requests = []
    fetch("librispeech")
    assert [r for r in server.requests if r.startswith("GET")] == ["GET /test-clean.tar.gz"]


def test_downloads_are_removed_unless_they_are_to_stay(fetch):
    fetch("fsdd")
    assert not STORE.exists()
    shutil.rmtree(RAW / "fsdd")
    fetch("fsdd", "--keep-downloads")
    assert (STORE / "digits.zip").is_file()


def test_kept_downloads_are_checked_and_not_downloaded_again(server, fetch):
    fetch("fsdd", "--keep-downloads")
    shutil.rmtree(RAW / "fsdd")
    server.sent = 0
    fetch("fsdd", "--keep-downloads")
    assert server.sent == 0
    shutil.rmtree(RAW / "fsdd")
    (STORE / "digits.zip").write_bytes(b"x" * len(server.files["digits.zip"]))
    with pytest.raises(UserError, match=r"sha256 .* has .*: nothing was imported"):
        fetch("fsdd")
    assert not (STORE / "digits.zip").exists()


def test_other_bytes_of_the_same_size_are_refused(server, fetch):
    fetch("fsdd")
    shutil.rmtree(RAW / "fsdd")
    server.files["digits.zip"] = fsdd("free-spoken-digit-dataset-2")
    with pytest.raises(UserError, match=r"sha256 .* has .*: nothing was imported"):
        fetch("fsdd")
    assert not (RAW / "fsdd").exists()


def test_a_hash_of_the_catalogue_is_checked_on_the_first_fetch(fetch):
    catalogue = Path("catalogue.yaml")
    text = catalogue.read_text(encoding="utf-8")
    wrong = f"name: digits.zip\n    md5: '{'0' * 32}'"
    catalogue.write_text(text.replace("name: digits.zip", wrong), encoding="utf-8")
    with pytest.raises(UserError, match=r"md5 .* has 0{32}"):
        fetch("fsdd")


def test_small_files_of_a_hub_are_compared_with_their_hash_in_git(server, fetch, monkeypatch):
    files = next(iter(server.hub.values()))
    table = files["data/hr_hr/dev.tsv"]
    original = server.file_at
    # The hub lists the table as it was, and sends another one of the same size.
    monkeypatch.setattr(
        server, "file_at",
        lambda path: b"x" * len(table) if path.endswith("dev.tsv") else original(path),
    )  # fmt: skip
    with pytest.raises(UserError, match=r"blob .* has .*: nothing was imported"):
        fetch("fleurs", "--languages", "hr", "--split", "dev")


def test_other_languages_of_a_fetched_folder_are_refused(fetch):
    fetch("fleurs", "--languages", "hr", "--split", "dev")
    with pytest.raises(UserError, match=r"was fetched as fleurs@a+, hr, dev, and now .* hr sr"):
        fetch("fleurs", "--languages", "hr,sr", "--split", "dev")


def test_a_folder_that_was_not_fetched_is_not_touched(fetch):
    (RAW / "fsdd").mkdir(parents=True)
    with pytest.raises(UserError, match="is there already and was not fetched"):
        fetch("fsdd")


def test_one_folder_for_several_parts_is_refused(fetch):
    with pytest.raises(UserError, match=r"choose one of .* with --split"):
        fetch("librispeech", "--into", "data/raw/mine")


def test_a_damaged_record_is_one_sentence(fetch):
    fetch("fsdd")
    Path("data/downloads/records/fsdd.json").write_text('{"corpus": "fsdd"}')
    with pytest.raises(UserError, match="the record of the fetch is not valid"):
        fetch("fsdd")


def test_two_fetches_at_once_do_not_mix(fetch):
    STORE.mkdir(parents=True)
    with FileLock(STORE / "lock"), pytest.raises(UserError, match=r"another fetch .* is running"):
        fetch("fsdd")


def test_an_archive_of_the_users_is_compared_with_the_one_before(fetch, tmp_path):
    archive = tmp_path / "sr.tar.gz"
    archive.write_bytes(common_voice())
    words = ("common-voice", "--languages", "sr", "--archive", archive)
    fetch(*words)
    shutil.rmtree(RAW / "common-voice-sr-validated")
    archive.write_bytes(common_voice() + b"\0")
    with pytest.raises(UserError, match=r"has bytes \d+ of archive, .* the file was replaced"):
        fetch(*words)
    assert archive.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("gigaspeech",), "'gigaspeech' is not in the catalogue; expected one of"),
        (("fleurs", "--languages", "mk"), "fleurs has no language 'mk'; expected one of"),
        (("fleurs", "--split", "all"), "fleurs has no part 'all'; expected one of"),
        (("common-voice",), "download the archive of a language yourself"),
        (("common-voice", "--archive", "none.tar.gz"), "none.tar.gz: no such file"),
        (("common-voice", "--archive", "catalogue.yaml"), "an archive has one language"),
        (("fsdd", "--archive", "catalogue.yaml"), "fsdd is downloaded; leave the option out"),
        (("fsdd", "--into", "data/raw/a b"), "expected letters, digits, - and _ only"),
    ],
    ids=["name", "language", "part", "no-archive", "no-file", "languages", "archive", "into"],
)
def test_a_wrong_word_is_one_sentence(fetch, words, sentence):
    with pytest.raises(UserError, match=sentence):
        fetch(*words)
