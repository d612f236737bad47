"""A version is tagged if everything at its commit is in order, and otherwise nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clones import flip

from fonoteka.core.files import sha256_file
from fonoteka.release.record import parse_record

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]

PACKAGE = Path("data/models/one/package.json")


def test_a_version_is_an_annotated_tag_whose_message_is_its_record(project, call):
    code, out, err = call("release", "one", "v1.0.0", "--message", "the first")
    assert code == 0, err
    assert project.tags == ["one@v1.0.0"]
    assert "git push origin 'one@v1.0.0'" in out
    assert project.git("cat-file", "-t", "one@v1.0.0").strip() == "tag"
    assert project.git("rev-parse", "one@v1.0.0^{}") == project.git("rev-parse", "HEAD")
    message = project.git("for-each-ref", "--format=%(contents)", "refs/tags").strip()
    title, text, record = message.split("\n\n")
    assert (title, text) == ("one v1.0.0", "the first")
    assert record.splitlines()[0] == "Number: one.per 0.07 (lower is better, limit 0.09)"
    parsed = parse_record(message)
    assert parsed.numbers == {"one.per": "0.07"}
    assert parsed.licence == "Apache-2.0; training data: CC0"
    assert parsed.package == sha256_file(PACKAGE)
    tagger = project.git("for-each-ref", "--format=%(taggername) %(taggeremail)", "refs/tags")
    assert tagger.strip() == "Ana <ana@example.org>"


def test_a_model_that_is_one_output_is_released_too(project, call):
    assert call("release", "two", "v0.1.0")[0] == 0
    assert project.tags == ["two@v0.1.0"]


def test_a_dry_run_prints_the_message_and_writes_nothing(project, call):
    code, out, _ = call("release", "one", "v1.0.0", "--dry-run")
    assert (code, project.tags) == (0, [])
    assert "Number: one.per 0.07 (lower is better, limit 0.09)" in out


def dirty(project):
    project.set("one", per=0.06)


def stale(project):
    project.set("one", per=0.06)
    project.commit()


def edited_metric(project):
    (project.folder / "reports/metrics/one.json").write_text(json.dumps({"per": 0.01}))
    project.commit()


def other_recordings(project):
    (project.folder / "data/raw/mine/c.txt").write_text("clip c\n")
    project.dvc("add", "--quiet", "data/raw/mine")
    project.commit()


def flipped_model(project):
    flip(project.cached("data/models/one/model.onnx"))


def flipped_manifest(project):
    flip(project.cached("data/models/one/package.json"))


def failed_gate(project):
    project.build(per=0.095)


def lowered_limit(project):
    project.set("gate", numbers={})
    project.commit()


def recordings_not_pulled(project):
    for path in (project.folder / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes() == b"clip a\n":
            path.unlink()


def removed_report(project):
    project.git("rm", "--quiet", "reports/metrics/one.json")
    project.commit()


def no_identity(project):
    project.git("config", "--unset", "user.email")
    project.git("config", "user.useConfigOnly", "true")


REFUSED = {
    dirty: (1, "1 tracked files are changed and not committed: params.yaml"),
    stale: (1, "dvc.lock: stage one is stale: params.yaml one.per: 0.07 -> 0.06; run make repro"),
    edited_metric: (1, "stage one is stale: reports/metrics/one.json: changed since its stage"),
    other_recordings: (1, "dvc.lock: stage split is stale: data/raw: changed"),
    flipped_model: (1, "data/models/one/model.onnx: damaged in the cache: dvc.lock records MD5"),
    flipped_manifest: (1, "data/models/one/package.json: damaged in the cache"),
    failed_gate: (1, "one.per: 0.095 is above its limit 0.09"),
    lowered_limit: (2, "gate.numbers is empty"),
    recordings_not_pulled: (2, "1 stages, the first split, cannot be compared, because the cache"),
    removed_report: (2, "reports/metrics/one.json is not in git"),
    no_identity: (1, "git does not have your name and address"),
}


@pytest.mark.parametrize("spoil", REFUSED, ids=lambda spoil: spoil.__name__)
def test_a_spoilt_project_is_refused_and_nothing_is_written(spoil, project, call, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    spoil(project)
    cached = project.cached("data/models/one/model.onnx")
    before = cached.read_bytes(), project.git("status", "--porcelain")
    code, _, err = call("release", "one", "v1.0.0")
    expected, reason = REFUSED[spoil]
    assert code == expected, err
    assert reason in err
    assert project.tags == []
    assert (cached.read_bytes(), project.git("status", "--porcelain")) == before


@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("three", "v1.0.0", "dvc.yaml declares no artifact 'three'; use one of one, two"),
        ("splits", "v1.0.0", "artifact splits has type 'dataset'"),
        ("one", "1.0.0", "version '1.0.0' is not semantic; expected one such as v1.1.0"),
        ("one", "v1.0", "is not semantic"),
    ],
)
def test_a_wrong_name_or_version_is_refused(name, version, reason, project, call):
    code, _, err = call("release", name, version)
    assert code > 0
    assert reason in err
    assert project.tags == []


def test_all_reasons_are_listed_at_once(project, call):
    flipped_model(project)
    failed_gate(project)
    flip(project.cached("data/models/one/model.onnx"))
    dirty(project)
    code, _, err = call("release", "one", "1.0")
    assert code == 1
    for reason in ("not semantic", "not committed", "damaged in the cache", "above its limit"):
        assert reason in err
    assert err.count("\n  - ") == 4


def test_versions_increase_and_a_commit_has_one(project, call):
    assert call("release", "one", "v1.9.0")[0] == 0
    code, _, err = call("release", "one", "v1.10.0")
    assert code == 1
    assert "is v1.9.0 already, and gto allows one version per commit" in err
    project.build(per=0.069)
    code, _, err = call("release", "one", "v1.8.0")
    assert code == 1
    assert "version v1.8.0 is not greater than v1.9.0" in err
    code, _, err = call("release", "one", "v1.9.0")
    assert code == 1
    assert "tag one@v1.9.0 exists" in err
    assert call("release", "one", "v1.10.0")[0] == 0
    assert project.tags == ["one@v1.10.0", "one@v1.9.0"]


def test_a_number_worse_than_at_the_last_version_is_refused(project, call):
    assert call("release", "one", "v1.0.0")[0] == 0
    project.build(per=0.076)  # within the limit 0.09, but the tolerance is 0.005
    code, _, err = call("release", "one", "v1.1.0")
    assert code == 1
    assert "one.per: 0.076 is worse by 0.006 than 0.07 at the base" in err
    project.build(per=0.075)
    code, out, err = call("release", "one", "v1.1.0")
    assert code == 0, err
    assert "base: v1.0.0" in out
    message = project.git("for-each-ref", "--format=%(contents)", "refs/tags/one@v1.1.0")
    assert "Number: one.per 0.075 (lower is better, limit 0.09, v1.0.0 had 0.07)" in message


def test_an_older_commit_is_judged_by_its_own_files(project, call):
    good = project.git("rev-parse", "HEAD").strip()
    project.build(per=0.5)
    dirty(project)
    Path("data/models/one/model.onnx").unlink()
    code, _, err = call("release", "one", "v1.0.0", "--rev", good)
    assert code == 0, err
    assert project.git("rev-parse", "one@v1.0.0^{}").strip() == good
    code, _, err = call("release", "two", "v1.0.0", "--rev", "nothing")
    assert (code, "no such commit here" in err) == (2, True)


def test_an_intact_workspace_does_not_stand_in_for_the_cache(project, call):
    cached = project.cached("data/models/one/model.onnx")
    assert Path("data/models/one/model.onnx").is_file()
    cached.unlink()
    code, _, err = call("release", "one", "v1.0.0")
    assert code == 2
    assert "which is not in the cache, and 1 of 3 files are missing there; run fonoteka" in err
    assert project.tags == []


def test_a_package_that_lists_other_hashes_is_refused(project, call):
    # Consistent for dvc, but the manifest does not have the model's hash.
    make = Path("make.py").read_text().replace("len(data), ", "len(data) + 0, ")
    Path("make.py").write_text(make.replace("sha256(data)", "sha256(data + b'x')"))
    project.dvc("repro", "--quiet")
    project.commit()
    code, _, err = call("release", "one", "v1.0.0")
    assert code == 1
    assert "data/models/one/model.onnx: its SHA-256 is" in err


def test_a_package_that_no_remote_has_is_a_warning_or_refused(project, call):
    code, _, err = call("release", "one", "v1.0.0", "--require-pushed")
    assert code == 1
    assert "consumers cannot fetch data/models/one: 3 of its 3 objects are not in storage" in err
    assert project.tags == []
    project.dvc("push", "--quiet", "data/models/one/model.onnx")
    code, _, err = call("release", "one", "v1.0.0", "--dry-run")
    assert code == 0
    assert "warning: consumers cannot fetch data/models/one: 2 of its 3 objects" in err
    project.dvc("push", "--quiet")
    code, _, err = call("release", "one", "v1.0.0", "--require-pushed")
    assert (code, err) == (0, "")


def test_without_a_remote_there_is_a_warning(project, call):
    project.dvc("remote", "remove", "storage")
    project.commit()
    code, _, err = call("release", "one", "v1.0.0")
    assert code == 0
    assert "warning: consumers may not be able to fetch data/models/one: there is no remote" in err
