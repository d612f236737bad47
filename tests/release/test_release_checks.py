"""The checks of a release without a repository: what differs, what counts, who has a stage."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.diff.gate import CODES, FAIL, PASS
from fonoteka.release import examine, promote, tags
from fonoteka.release.objection import Objections
from fonoteka.release.record import ReleaseRecord
from fonoteka.release.tags import ReleasedVersion

RECORD = ReleaseRecord({"one.per": "0.07"}, "d" * 12, "CC0", "a" * 64)


@pytest.mark.parametrize("part", ["data", "licence", "package"])
def test_a_record_differs_by_any_of_its_parts(part):
    other = replace(RECORD, **{part: "another"})
    assert promote._differences(RECORD, RECORD) == []
    assert promote._differences(other, RECORD) == [part]


def test_a_record_differs_by_a_number_of_either_side():
    other = replace(RECORD, numbers={"one.per": "0.07", "one.ece": "0.1"})
    assert promote._differences(RECORD, other) == promote._differences(other, RECORD) == ["one.ece"]


@pytest.mark.parametrize("verdicts", [(FAIL, UNDECIDED), (UNDECIDED, FAIL)])
def test_the_exit_code_is_that_of_the_worst_objection(verdicts):
    objections = Objections()
    assert objections.code == CODES[PASS] == 0
    for number, verdict in enumerate(verdicts):
        objections.add(f"reason {number}", verdict)
    assert objections.code == CODES[UNDECIDED] == 2


def test_the_data_revision_is_of_the_folder_and_not_of_those_with_a_longer_name(
    tmp_path, monkeypatch
):
    def revision(**md5s):
        outs = [{"path": path, "md5": md5} for path, md5 in md5s.items()]
        entry = {"stages": {"one": {"cmd": "true", "outs": outs}}}
        (tmp_path / "dvc.lock").write_text(yaml.safe_dump(entry), encoding="utf-8")
        return examine._data_revision("data")

    monkeypatch.chdir(tmp_path)
    alone = revision(**{"data/splits": "1"})
    assert revision(**{"data/splits": "1", "database": "2"}) == alone
    assert revision(**{"data/splits": "3"}) != alone
    with pytest.raises(UserError, match=r"dvc\.lock has no output in data, so the release would"):
        revision(database="2")


class ToyTags:
    """Tags of one stage: the greatest version that was assigned and not removed has it."""

    def __init__(self, *versions, assigned):
        self.versions, self.assigned = versions, {*assigned}

    def released(self, name):
        holder = max(self.assigned, default="")
        return [version_of(name, v, ("prod",) if v == holder else ()) for v in self.versions]

    def assign(self, name, version, stage, message):
        self.assigned.add(version)
        return f"{name}#{stage}"

    def unassign(self, name, version, stage, message):
        self.assigned.discard(version)
        return f"{name}#{stage}!"


def version_of(name, version, stages=()):
    return ReleasedVersion(name, version, f"{name}@{version}", "", "", "", "", stages, active=True)


def test_a_return_to_an_older_version_removes_the_stage_from_all_greater_ones(monkeypatch):
    toy = ToyTags("v1.2.0", "v1.1.0", "v1.0.0", assigned=("v1.2.0", "v1.1.0"))
    for name in ("released", "assign", "unassign"):
        monkeypatch.setattr(tags, name, getattr(toy, name))
    written = promote._assign(version_of("one", "v1.0.0"), "prod", "text")
    assert written == ["one#prod!", "one#prod!", "one#prod"]
    assert promote._holders("one", "prod") == [version_of("one", "v1.0.0", ("prod",))]
