"""The folder of uploads is private, belongs to one service, and is emptied at its start."""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile

import pytest
from filelock import FileLock

from fonoteka.core.errors import UserError
from fonoteka.service.uploads.folder import SpoolFile, UploadFolder


def test_files_of_an_earlier_run_are_deleted_and_others_are_not(tmp_path):
    tmp_path.chmod(0o700)
    left = tmp_path / f"upload-{'x' * 22}"
    left.write_bytes(b"sound")
    (tmp_path / "thesis.pdf").write_bytes(b"mine")
    folder = UploadFolder(tmp_path)
    assert not left.exists()
    folder.close()
    assert (tmp_path / "thesis.pdf").exists()


def test_the_folder_and_its_files_are_private(tmp_path):
    folder = UploadFolder(tmp_path / "new" / "uploads")
    spool = SpoolFile(path := folder.new_path())
    asyncio.run(spool.write(bytearray(b"ab")))
    asyncio.run(spool.write(bytearray(b"c"), last=True))
    assert (path.read_bytes(), spool.size) == (b"abc", 3)
    modes = [stat.S_IMODE(p.stat().st_mode) for p in (folder.path, path)]
    assert modes == [0o700, 0o600]
    folder.close()


def test_a_folder_that_others_can_read_is_refused_and_left_as_it_is(tmp_path):
    tmp_path.chmod(0o755)
    with pytest.raises(UserError, match="name a private folder"):
        UploadFolder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_folder_serves_one_service_at_a_time(tmp_path):
    folder = UploadFolder(tmp_path / "uploads")
    with pytest.raises(UserError, match="another service uses"):
        UploadFolder(tmp_path / "uploads")
    folder.close()
    UploadFolder(tmp_path / "uploads").close()


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UserError, match="not a folder of uploads"):
        UploadFolder(tmp_path / "a")


def test_the_folders_of_dead_services_are_deleted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, live, young = (
        tmp_path / f"fonoteka-uploads-{name}" for name in ("dead", "live", "young")
    )
    for path in (dead, live, young):
        path.mkdir()
        (path / f"upload-{'x' * 22}").write_bytes(b"")
    with FileLock(live / ".lock"):
        for path in (dead, live):
            os.utime(path, (0, 0))
        folder = UploadFolder(None)
    assert {*tmp_path.iterdir()} == {live, young, folder.path}
    folder.close()
    assert {*tmp_path.iterdir()} == {live, young}


def test_a_folder_that_was_removed_while_serving_is_made_again(tmp_path):
    folder = UploadFolder(tmp_path / "uploads")
    (folder.path / ".lock").unlink()
    folder.path.rmdir()
    assert folder.files() == []
    spool = SpoolFile(path := folder.new_path())
    asyncio.run(spool.write(bytearray(b"ab"), last=True))
    assert path.read_bytes() == b"ab"
    folder.close()


def test_a_discarded_file_takes_no_more_bytes(tmp_path):
    spool = SpoolFile(tmp_path / "a")
    asyncio.run(spool.write(bytearray(b"ab")))
    spool.discard()
    asyncio.run(spool.write(bytearray(b"cd")))
    assert not (tmp_path / "a").exists()
