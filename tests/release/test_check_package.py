"""A package that was fetched is compared with its manifest and with the hash of its release."""

from __future__ import annotations

import pytest
from clones import flip
from command_line import exit_code

from fonoteka.core.files import sha256_file, write_json
from fonoteka.packaging import PACKAGE, record


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"weights" * 100)
    write_json(tmp_path / PACKAGE, {"files": record(tmp_path, ["model.onnx"])})
    return tmp_path


def test_an_intact_package_passes_and_its_hash_is_printed(folder, capsys):
    digest = sha256_file(folder / PACKAGE)
    assert exit_code("check-package", folder, "--sha256", digest.upper()) == 0
    output = capsys.readouterr().out
    assert "1 files are those that were packaged" in output
    assert digest in output


def test_a_flipped_bit_is_an_error(folder, capsys):
    flip(folder / "model.onnx")
    assert exit_code("check-package", folder) == 1
    assert "model.onnx: its SHA-256 is" in capsys.readouterr().err


@pytest.mark.parametrize("digits", [64, 12, 1])
def test_another_package_than_the_released_one_is_an_error(folder, capsys, digits):
    # The first digits of the hash are not enough: other packages have them too.
    digest = "0" * 64 if digits == 64 else sha256_file(folder / PACKAGE)[:digits]
    assert exit_code("check-package", folder, "--sha256", digest) == 1
    assert "so this is another package" in capsys.readouterr().err


def test_a_folder_that_does_not_exist_is_an_error(tmp_path, capsys):
    assert exit_code("check-package", tmp_path / "none") == 1
    assert "no such folder; fetch the package with dvc artifacts get" in capsys.readouterr().err
