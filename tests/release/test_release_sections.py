"""The models, numbers and stages of this project fit each other."""

from __future__ import annotations

import pytest
import yaml
from dvc_yaml import TOP, pipeline

from fonoteka.core.params import load
from fonoteka.pipeline.diff.gate import GateParams
from fonoteka.release.release_params import ReleaseParams, stricter

PARAMS = load("release", ReleaseParams, TOP / "params.yaml")
GATE = load("gate", GateParams, TOP / "params.yaml")
ARTIFACTS = yaml.safe_load((TOP / "dvc.yaml").read_text(encoding="utf-8"))["artifacts"]
OUTPUTS = {
    path if isinstance(path, str) else next(iter(path))
    for stage in pipeline().values()
    for path in stage.get("outs", [])
}


def test_every_gated_package_is_an_artifact_and_no_other():
    assert {artifact["path"] for artifact in ARTIFACTS.values()} == {*GATE.packages}
    assert {artifact["type"] for artifact in ARTIFACTS.values()} == {"model"}
    assert all(artifact["desc"] and artifact["labels"] for artifact in ARTIFACTS.values())


@pytest.mark.parametrize("name", sorted(ARTIFACTS))
def test_an_artifact_is_written_by_stages_and_has_numbers(name):
    path = ARTIFACTS[name]["path"]
    assert any(f"{output}/".startswith(f"{path}/") for output in OUTPUTS)
    assert PARAMS.specs(name, GATE.numbers)


@pytest.mark.parametrize("stage", sorted(PARAMS.stages))
def test_limits_of_a_stage_are_of_numbers_of_the_model_and_stricter(stage):
    for name, limits in PARAMS.stages[stage].items():
        specs = PARAMS.specs(name, GATE.numbers)
        strict = stricter(specs, limits)
        assert all(strict[number].limit == limit for number, limit in limits.items()), name
    assert {*PARAMS.stages[stage]} <= {*ARTIFACTS}


def test_words_in_prod_have_a_limit_for_each_language():
    limits = PARAMS.limits("whisper", "prod")
    assert all(limits[f"words.{language}"] <= 0.20 for language in ("bs", "en", "hr", "sr"))
