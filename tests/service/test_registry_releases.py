"""A served package has the versions and stages that gto shows for its hash."""

import logging
import subprocess

from clones import GIT
from gto import api
from packaged_models import package

from fonoteka.core.files import sha256_file
from fonoteka.packaging import PACKAGE
from fonoteka.service.registry.card import card_of
from fonoteka.service.registry.catalogue import Catalogue

RECORD = "{0} {1}\n\nData-Revision: 1\nLicence: MIT; training data: CC0\nPackage: {2}"


def repository(root):
    """Make a project in git with dvc, and return its folder of models."""
    (root / ".dvc").mkdir()
    git(root, "init", "--quiet")
    (root / "README.md").write_text("a project")
    git(root, "add", "README.md")
    git(root, "commit", "--quiet", "-m", "one")
    return root / "data" / "models"


def git(root, *arguments):
    subprocess.run([*GIT, *arguments], cwd=root, check=True)


def tag(root, name, version, digest):
    git(root, "tag", "--annotate", f"{name}@{version}", "-m", RECORD.format(name, version, digest))


def releases(models):
    scan = Catalogue(models, require_gates=False).scan()
    return {name: card_of(model, (), None)["releases"] for name, model in scan.accepted.items()}


def test_a_package_has_the_version_and_stages_that_gto_shows(tmp_path, monkeypatch):
    models = repository(tmp_path)
    folder = package(models)
    package(models, "streaming", content="not released")
    tag(tmp_path, "whisper_ctc", "v1.0.0", sha256_file(folder / PACKAGE))
    git(tmp_path, "tag", "--annotate", "whisper_ctc#prod#1", "-m", "promoted")
    assert releases(models) == {
        "streaming": [],
        "whisper_ctc": [{"model": "whisper_ctc", "version": "v1.0.0", "stages": ["prod"]}],
    }
    shown = api.show(str(tmp_path), "whisper_ctc#prod")
    assert [version["version"] for version in shown] == ["v1.0.0"]


def test_another_build_of_a_released_model_has_no_version(tmp_path):
    models = repository(tmp_path)
    folder = package(models)
    tag(tmp_path, "whisper_ctc", "v1.0.0", sha256_file(folder / PACKAGE))
    package(models, content="two")
    assert releases(models) == {"whisper_ctc": []}


def test_without_git_or_tags_nothing_is_started(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError(arguments)

    package(tmp_path / "plain")
    models = repository(tmp_path)
    package(models)
    monkeypatch.setattr("fonoteka.service.registry.released._read", refuse)
    assert releases(models) == {"whisper_ctc": []}
    monkeypatch.setenv("PATH", "")
    assert releases(models) == {"whisper_ctc": []}
    assert releases(tmp_path / "plain") == {"whisper_ctc": []}


def test_tags_that_cannot_be_read_are_logged_and_the_model_is_served(tmp_path, monkeypatch, caplog):
    models = repository(tmp_path)
    folder = package(models)
    tag(tmp_path, "whisper_ctc", "v1.0.0", sha256_file(folder / PACKAGE))
    monkeypatch.setattr("sys.executable", "/bin/false")
    with caplog.at_level(logging.WARNING):
        assert releases(models) == {"whisper_ctc": []}
    assert "releases: not read: exit code 1" in caplog.text
