"""A mistake in the file of a sweep is one sentence that names the key and the remedy."""

from __future__ import annotations

import re

import pytest
import yaml
from dvc_yaml import TOP, params
from sweep_maker import KEYS, make_project

from fonoteka.core.errors import UserError
from fonoteka.sweep.mark import params_of, sha256_of
from fonoteka.sweep.ranges import ChoiceRange, FloatRange
from fonoteka.sweep.space import check_against, read_space, trial_params

X, DEPTH = KEYS["toy.x"], KEYS["toy.depth"]
WRONG = {
    "low above high": ({"keys": {"toy.x": X | {"low": 2.0}}}, "low 2.0 is not below high 1.0"),
    "logarithm of 0": ({"keys": {"toy.x": X | {"low": 0.0}}}, "low 0.0 has no logarithm"),
    "kind": ({"keys": {"toy.x": X | {"kind": "flaot"}}}, "kind 'flaot' is not one of categorical"),
    "key of a range": ({"keys": {"toy.x": X | {"step": 1}}}, "unknown ['step']"),
    "one choice": (
        {"keys": {"toy.kind": {"kind": "categorical", "choices": ["a"]}}},
        "expected two or more different choices, found ['a']",
    ),
    "no keys": ({"keys": {}}, "keys: nothing to search"),
    "section": ({"keys": {"toi.x": X}}, "params.yaml has no key 'toi'; did you mean 'toy'?"),
    "key": ({"fixed": {"toy.y": 1}}, "toy has no key 'y'; check its name"),
    "unlisted section": ({"fixed": {"other.kept": False}}, "add its section to sections, ['toy']"),
    "a section as key": ({"keys": {"toy": X}}, "toy is a section, not a value"),
    "kind of value": ({"keys": {"toy.depth": X}}, "its value in params.yaml is 7, which is not of"),
    "both": ({"fixed": {"toy.x": 1.0}}, "toy.x is in keys and in fixed; remove one of them"),
    "trials": ({"trials": 0}, "trials must be at least 1, found 0"),
    "type": ({"seed": "one"}, "seed: expected int, found 'one'"),
    "unknown": ({"sed": 1}, "missing [], unknown ['sed']"),
    "placeholder": ({"command": "a {target} {out}"}, "unknown placeholder {target}; expected one"),
    "no result": ({"command": "a {targets}"}, "{out} is missing; the training writes its result"),
    "quote": ({"command": "a 'b {out}"}, "No closing quotation; close each quote"),
    "brace": ({"command": "a {out} {"}, "write a brace twice"),
}  # fmt: skip


def checked(project):
    space = read_space(project / "space.yaml")
    return check_against(space, params_of(project / "params.yaml"), "space.yaml")


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_a_space_is_named(mistake, tmp_path):
    changes, message = WRONG[mistake]
    project = make_project(tmp_path / "project", **changes)
    with pytest.raises(UserError, match=re.escape(message)) as raised:
        checked(project)
    assert "space.yaml" in str(raised.value)


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file; name the file of a sweep"):
        read_space(tmp_path / "space.yaml")
    (tmp_path / "space.yaml").write_text("keys: [")
    with pytest.raises(UserError, match="not valid YAML"):
        read_space(tmp_path / "space.yaml")
    with pytest.raises(UserError, match="no such file or folder; run make repro first"):
        sha256_of(tmp_path / "data", "space.yaml")


def test_the_space_of_the_project_fits_its_params():
    space = read_space(TOP / "configs/sweep.yaml")
    today = check_against(space, params(), "configs/sweep.yaml")
    assert today["ctc.learning_rate"] == params()["ctc"]["learning_rate"]
    sections = trial_params(space, params(), {"ctc.epochs": 3})
    assert sections == {"compute": params()["compute"], "ctc": params()["ctc"] | {"epochs": 3}}


def test_a_float_has_three_digits_and_stays_in_its_range():
    narrow = FloatRange(0.12345, 0.12349, log=False)
    assert narrow.value(0.12346) == 0.12345
    assert FloatRange(0.0, 1.0, log=False).value(0.0123456) == 0.0123


def test_choices_may_be_lists():
    choices = ChoiceRange(([1, 2], [1, 4]))
    assert choices.value(choices.encoded([1, 4])) == [1, 4]
    assert choices.distribution().choices == ("[1, 2]", "[1, 4]")


def test_the_hash_of_a_folder_depends_on_names_and_contents(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/one").write_text("1")
    hashes = {sha256_of(tmp_path / "a", "here")}
    (tmp_path / "a/one").write_text("2")
    hashes.add(sha256_of(tmp_path / "a", "here"))
    (tmp_path / "a/one").rename(tmp_path / "a/two")
    hashes.add(sha256_of(tmp_path / "a", "here"))
    assert len(hashes) == 3


def test_a_small_float_is_one_in_the_params_of_a_training():
    # YAML 1.1 takes 1e-05 for a text, so the writer has to add a point.
    assert yaml.safe_load(yaml.safe_dump({"x": 1e-05})) == {"x": 1e-05}
