"""A stage is assigned after stricter gates, and gto and dvc agree on which version has it."""

from __future__ import annotations

import json
import time

import pytest
from clones import flip
from forks import python
from gto import api

from fonoteka.release import tags

pytestmark = [
    pytest.mark.dvc,
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),  # dvc's use of pygtrie
]


SHOW = "import sys; from gto.cli import app; sys.argv[1:] = ['show', 'one#staging', '--ref']; app()"


@pytest.fixture
def two_versions(project_with_versions):
    return project_with_versions


def version_in(stage):
    """Return the version that gto shows for a stage of `one`, and the one that dvc would fetch."""
    from dvc.repo import Repo

    shown = api.show(".", f"one#{stage}")
    with Repo(".") as repo:
        commit = repo.artifacts.get_rev("one", stage=stage)
    versions = {each.commit: each.version for each in tags.released("one")}
    assert len(shown) == 1
    return shown[0]["version"], versions[commit]


def test_a_stage_is_a_tag_with_the_limits_that_were_passed(two_versions, call):
    code, out, err = call("promote", "one", "v1.1.0", "prod", "-m", "approved")
    assert code == 0, err
    assert "git push origin 'one#prod#1'" in out
    assert "one#prod#1" in two_versions.tags
    message = two_versions.git("for-each-ref", "--format=%(contents)", "refs/tags/one#prod#1")
    assert message.strip() == ("one v1.1.0 -> prod\n\napproved\n\none.per 0.068 (limit 0.08)")
    assert version_in("prod") == ("v1.1.0", "v1.1.0")
    code, _, err = call("promote", "one", "v1.1.0", "prod")
    assert (code, "one v1.1.0 has stage prod already" in err) == (1, True)


def test_gto_prints_the_reference_of_a_stage(two_versions, call):
    assert call("promote", "one", "v1.0.0", "staging")[0] == 0
    done = python("-c", SHOW, folder=two_versions.folder)
    assert (done.returncode, done.stdout.strip()) == (0, "one@v1.0.0"), done.stderr


def test_limits_of_the_stage_are_stricter_than_the_gate(project, call):
    project.build(per=0.085)
    assert call("release", "one", "v1.0.0")[0] == 0
    assert call("promote", "one", "v1.0.0", "staging")[0] == 0
    code, _, err = call("promote", "one", "v1.0.0", "prod")
    assert code == 1
    assert "one.per: 0.085 is above its limit 0.08" in err
    assert "one#prod#" not in " ".join(project.tags)


def test_limits_of_a_stage_are_those_of_today(two_versions, call):
    two_versions.set("release", stages={"prod": {"one": {"one.per": 0.01}}})
    code, _, err = call("promote", "one", "v1.1.0", "prod")
    assert (code, "0.068 is above its limit 0.01" in err) == (1, True)
    two_versions.set("release", stages={"prod": {"one": {"one.wer": 0.01}}})
    code, _, err = call("promote", "one", "v1.1.0", "prod")
    assert (code, "a limit of one.wer, which section gate does not have" in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("one", "v3.0.0", "prod"), "one has no version v3.0.0, only v1.1.0, v1.0.0"),
        (("one", "v1.0.0", "live"), "has no stage 'live'; use one of prod, staging"),
        (("two", "v1.0.0", "prod"), "release.stages.prod of params.yaml does not list two"),
        (("one", "v1.0.0", "prod", "--unassign"), "one v1.0.0 does not have stage prod"),
    ],
)
def test_a_wrong_version_or_stage_is_refused(arguments, reason, two_versions, call):
    before = two_versions.tags
    code, _, err = call("promote", *arguments)
    assert code == 2
    assert reason in err
    assert two_versions.tags == before


def test_a_message_that_is_not_text_changes_no_stage(two_versions, call):
    assert call("promote", "one", "v1.1.0", "prod")[0] == 0
    before = two_versions.tags
    # v1.1.0 would lose the stage before the tag with the message is written.
    for arguments in (("promote", "one", "v1.0.0", "prod"), ("release", "one", "v1.2.0")):
        code, _, err = call(*arguments, "--message", "\udcff")
        assert (code, "--message '\\udcff': expected text in UTF-8" in err) == (2, True)
    assert two_versions.tags == before


def test_a_dry_run_of_a_promotion_writes_nothing(two_versions, call):
    before = two_versions.tags
    assert call("promote", "one", "v1.1.0", "prod", "--dry-run")[0] == 0
    assert two_versions.tags == before


def test_a_version_whose_package_was_damaged_is_refused(two_versions, call):
    flip(two_versions.cached("data/models/one/model.onnx"))
    code, _, err = call("promote", "one", "v1.1.0", "prod")
    assert (code, "damaged in the cache" in err) == (1, True)
    # The older version has other bytes, which are intact.
    assert call("promote", "one", "v1.0.0", "prod")[0] == 0


def test_a_tag_that_release_did_not_write_is_refused(project, call):
    project.git("tag", "--annotate", "one@v1.0.0", "--message", "by hand")
    code, _, err = call("promote", "one", "v1.0.0", "prod")
    assert (code, "one@v1.0.0 has no record" in err) == (1, True)
    assert project.tags == ["one@v1.0.0"]


@pytest.mark.parametrize(
    ("line", "forged", "part"),
    [
        ("Number: one.per 0.07", "Number: one.per 0.05", "one.per"),
        ("Licence: Apache-2.0", "Licence: MIT", "licence"),
        ("Data-Revision: ", "Data-Revision: 0", "data"),
        ("Package: ", "Package: 0", "package"),
    ],
)
def test_a_record_that_its_commit_does_not_have_is_refused(line, forged, part, project, call):
    assert call("release", "one", "v1.0.0")[0] == 0
    message = project.git("for-each-ref", "--format=%(contents)", "refs/tags")
    assert line in message
    project.git("tag", "--force", "--annotate", "one@v1.0.0", "one@v1.0.0^{}", "--message",
                message.replace(line, forged))  # fmt: skip
    code, _, err = call("promote", "one", "v1.0.0", "prod")
    assert (code, f"one@v1.0.0 states another {part} than its commit has" in err) == (1, True)


def test_gto_and_dvc_agree_after_each_change_of_a_stage(two_versions, call):
    assert call("promote", "one", "v1.0.0", "prod")[0] == 0
    assert version_in("prod") == ("v1.0.0", "v1.0.0")
    assert call("promote", "one", "v1.1.0", "prod")[0] == 0
    assert version_in("prod") == ("v1.1.0", "v1.1.0")
    # Back to the older version: gto alone would still show the greater one.
    assert call("promote", "one", "v1.0.0", "prod")[0] == 0
    assert version_in("prod") == ("v1.0.0", "v1.0.0")
    assert call("promote", "one", "v1.1.0", "prod")[0] == 0
    assert version_in("prod") == ("v1.1.0", "v1.1.0")
    # v1.0.0 was never removed from prod again, so it has the stage after v1.1.0 loses it.
    code, _, err = call("promote", "one", "v1.1.0", "prod", "--unassign")
    assert (code, err) == (0, "")
    assert version_in("prod") == ("v1.0.0", "v1.0.0")


def test_a_stage_without_a_version_is_reported_because_dvc_ignores_it(two_versions, call):
    assert call("promote", "one", "v1.1.0", "prod")[0] == 0
    code, _, err = call("promote", "one", "v1.1.0", "prod", "--unassign")
    assert code == 0
    assert "warning: no version has stage prod now, but dvc artifacts get --stage prod" in err
    assert api.show(".", "one#prod") == []
    # What the warning states of dvc: if this fails, dvc reads such tags, and the warning can go.
    from dvc.repo import Repo

    with Repo(".") as repo:
        assert repo.artifacts.get_rev("one", stage="prod") == tags.released("one")[0].commit


def test_a_deregistered_version_cannot_be_promoted_and_is_not_a_base(two_versions, call):
    time.sleep(1.1)  # gto orders tags by seconds
    api.deregister(".", "one", version="v1.1.0")
    code, _, err = call("promote", "one", "v1.1.0", "prod")
    assert (code, "was deregistered" in err) == (1, True)
    entries = json.loads(call("releases", "one", "--json")[1])
    assert [(entry["version"], entry["active"]) for entry in entries] == [
        ("v1.1.0", False), ("v1.0.0", True),
    ]  # fmt: skip
    two_versions.build(per=0.074)  # worse than v1.1.0 by more than the tolerance, not than v1.0.0
    assert call("release", "one", "v1.2.0")[0] == 0


def test_a_tag_of_the_future_is_refused(two_versions, call, monkeypatch):
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2090-01-01T00:00:00Z")
    two_versions.git("tag", "--annotate", "future", "--message", "wrong clock")
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    code, _, err = call("promote", "one", "v1.1.0", "prod")
    assert code == 2
    assert "the newest tag is of 2090-01-01T00:00:00+00:00, which is in the future" in err
