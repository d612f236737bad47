"""A consumer outside the repository fetches a version by name and verifies it, offline."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from clones import flip
from command_line import exit_code
from release_maker import ReleaseProject
from toy import call_dvc, keep_apart, run_dvc

from fonoteka.core.files import sha256_file
from fonoteka.release.record import parse_record

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]


@pytest.fixture
def hub(project_with_versions, tmp_path, call):
    """Publish the tags to a bare repository and the data to a remote, and delete the project."""
    project, hub = project_with_versions, tmp_path / "hub.git"
    project.dvc("remote", "modify", "--quiet", "storage", "url", str(tmp_path / "store"))
    # The versions are older than this commit, and name the remote relative to the project.
    project.build(per=0.066)
    project.git("init", "--quiet", "--bare", str(hub))
    project.git("remote", "add", "origin", str(hub))
    project.dvc("push", "--quiet")
    assert call("release", "one", "v1.2.0", "--require-pushed")[0] == 0
    assert call("promote", "one", "v1.2.0", "prod", "--require-pushed")[0] == 0
    for reference in ("HEAD", "one@v1.2.0", "one#prod#1"):
        project.git("push", "--quiet", "origin", reference)
    return hub


@pytest.fixture
def consumer(hub, tmp_path, monkeypatch):
    """Leave the project and its cache, and enter an empty folder."""
    keep_apart(monkeypatch, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / "project")
    folder = tmp_path / "consumer"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_one_command_fetches_a_version_and_another_verifies_it(hub, consumer, capsys):
    message = ReleaseProject(hub).git("for-each-ref", "--format=%(contents)", "refs/tags/one@*")
    record = parse_record(message)
    assert record.numbers == {"one.per": "0.066"}
    for selected in (("--rev", "v1.2.0"), ("--stage", "prod"), ()):
        folder = consumer / "-".join(("fetched", *selected))
        run_dvc("artifacts", "get", str(hub), "one", *selected, "--out", str(folder))
        names = sorted(path.name for path in folder.iterdir())
        assert names == ["README.md", "model.onnx", "package.json"]
        assert record.package == sha256_file(folder / "package.json")
        assert exit_code("check-package", folder, "--sha256", record.package) == 0
        assert "2 files are those that were packaged" in capsys.readouterr().out
    # A file that changes after the fetch does not verify.
    flip(folder / "model.onnx")
    assert exit_code("check-package", folder) == 1
    assert "model.onnx: its SHA-256 is" in capsys.readouterr().err


def test_a_version_that_was_not_published_is_not_fetched(hub, consumer):
    done = call_dvc("artifacts", "get", str(hub), "one", "--rev", "v1.1.0", "--out", "one")
    assert done.returncode != 0
    assert not Path("one").exists()


def test_the_list_of_releases_has_the_commands_that_fetch_them(hub, call):
    code, out, _ = call("releases", "one")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    versions = [line[:3] for line in lines if line[:1] == ["one"]]
    assert versions == [["one", "v1.2.0", "prod"], ["one", "v1.1.0", "-"], ["one", "v1.0.0", "-"]]
    assert ["number", "v1.2.0", "v1.1.0", "v1.0.0"] in lines
    assert ["one.per", "0.066", "0.068", "0.07"] in lines
    assert ["dvc", "artifacts", "get", str(hub), "one", "--rev", "v1.2.0"] in lines
    assert ["dvc", "artifacts", "get", str(hub), "one", "--stage", "prod"] in lines
    first = json.loads(call("releases", "--json")[1])[0]
    assert (first["name"], first["version"], first["stages"]) == ("one", "v1.2.0", ["prod"])
    assert first["record"]["licence"] == "Apache-2.0; training data: CC0"
    assert first["tagger"] == "Ana <ana@example.org>"
    code, _, err = call("releases", "two")
    assert (code, "two has no version" in err) == (1, True)


def test_a_project_in_a_larger_repository_has_its_folder_in_the_tag(
    built_project, tmp_path, monkeypatch, call
):
    top = tmp_path / "top"
    shutil.copytree(built_project, top / "speech", symlinks=True,
                    ignore=shutil.ignore_patterns(".git"))  # fmt: skip
    outer = ReleaseProject(top)
    outer.git("init", "--quiet")
    outer.git("config", "user.name", "Ana")
    outer.git("config", "user.email", "ana@example.org")
    inner = ReleaseProject(top / "speech")
    outer.commit("all")
    keep_apart(monkeypatch, tmp_path)
    monkeypatch.chdir(inner.folder)
    code, _, err = call("release", "one", "v1.0.0")
    assert code == 0, err
    assert outer.tags == ["speech=one@v1.0.0"]
    assert call("promote", "one", "v1.0.0", "prod")[0] == 0
    assert "speech=one#prod#1" in outer.tags
    code, out, _ = call("releases")
    assert "dvc artifacts get URL speech:one --rev v1.0.0" in out
    inner.dvc("push", "--quiet")
    run_dvc("artifacts", "get", str(top), "speech:one", "--rev", "v1.0.0", "--out",
            str(tmp_path / "fetched"), folder=tmp_path)  # fmt: skip
    assert (tmp_path / "fetched/package.json").is_file()
