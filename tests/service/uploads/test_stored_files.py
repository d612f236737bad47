"""Stored files: bounded in size and time, and reached by their random ids alone."""

from __future__ import annotations

import pytest

from fonoteka.service.api_errors import ApiError
from fonoteka.service.context import UploadedFile
from fonoteka.service.uploads.stored_files import StoredFiles


class Shelf:
    """Files of a megabyte at most, for 100 s, with a clock that stands still."""

    def __init__(self, folder):
        self.now, self.deleted, self.folder = 1000.0, [], folder
        self.files = StoredFiles(self.deleted.append, 100, 1 << 20, lambda: self.now)

    def add(self, name="a", size=1 << 18, seconds=None):
        return self.files.add(UploadedFile(self.folder / name, name, size), "user_data", seconds)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


def test_a_file_expires_after_its_time(shelf):
    first, second = shelf.add("a", seconds=10), shelf.add("b", seconds=1e9)
    assert (first.created_s, first.expires_s, second.expires_s) == (1000, 1010, 1100)
    shelf.now = 1010
    assert shelf.files.all() == [second]
    assert shelf.deleted == [shelf.folder / "a"]
    with pytest.raises(ApiError, match="may have expired"):
        shelf.files.get(first.file_id)


def test_all_files_together_are_bounded(shelf):
    stored = [shelf.add() for _ in range(4)]
    with pytest.raises(ApiError, match="would exceed 1 MiB; delete files") as raised:
        shelf.add(size=1)
    assert raised.value.status == 413
    shelf.files.discard(stored[0].file_id)
    shelf.add(size=1)


def test_the_number_of_empty_files_is_bounded(shelf):
    for _ in range(16):
        shelf.add(size=0)
    with pytest.raises(ApiError, match="would exceed"):
        shelf.add(size=0)


def test_a_discarded_file_is_deleted_and_gone(shelf):
    stored = shelf.add()
    assert shelf.files.has(stored.upload.path)
    shelf.files.discard(stored.file_id)
    assert shelf.deleted == [stored.upload.path]
    assert not shelf.files.has(stored.upload.path)
    with pytest.raises(ApiError, match="no stored file"):
        shelf.files.discard(stored.file_id)


def test_an_id_never_becomes_a_path(shelf):
    shelf.add()
    ids = ["", "../../etc/passwd", "file-../../../../../../etc/pa", "a", "file-\n", "š" * 9999]
    for file_id in (*ids, "file-" + "x" * 24):
        with pytest.raises(ApiError, match="no stored file") as raised:
            shelf.files.get(file_id)
        assert raised.value.status == 404
        assert len(raised.value.message) < 400
    assert shelf.deleted == []


def test_ids_are_not_guessed(shelf):
    ids = {shelf.add(size=0).file_id for _ in range(10)}
    assert len(ids) == 10
    assert all(len(file_id) == 29 for file_id in ids)  # 144 random bits
