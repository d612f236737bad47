"""Only models whose numbers are within their limits are listed, with the numbers in their card."""

import json
import shutil

import pytest
import yaml
from packaged_models import entry, lock, number, package, project, write_gates

from fonoteka.core.files import write_json
from fonoteka.service.registry.card import card_of
from fonoteka.service.registry.catalogue import Catalogue

THREE = ("streaming", "whisper_ctc", "whisper_package/tuned")


def scan_of(models):
    return Catalogue(models, require_gates=True).scan()


def reason(models, name="whisper_ctc"):
    scan = scan_of(models)
    assert name not in scan.accepted
    return scan.refused[name]


@pytest.fixture
def models(tmp_path):
    """The folder of one model that passes its gates."""
    return project(tmp_path)


def test_models_of_each_kind_that_pass_are_listed_with_their_numbers(tmp_path):
    scan = scan_of(project(tmp_path, THREE))
    assert scan.refused == {}
    numbers = {name: model.numbers["per"] for name, model in scan.accepted.items()}
    assert {name: n.name for name, n in numbers.items()} == {
        "streaming": "streaming.per", "whisper": "words.per", "whisper_ctc": "whisper_ctc.per",
    }  # fmt: skip
    assert {(n.value, n.limit, n.direction) for n in numbers.values()} == {(0.05, 0.1, "lower")}


def test_a_card_has_each_number_with_its_value_and_limit(tmp_path):
    scan = scan_of(project(tmp_path, ("whisper_package/tuned",)))
    card = card_of(scan.accepted["whisper"], ["whisper-1"], None)
    assert card["gates"] == "passed"
    assert card["metrics"] == {
        "per": {
            "number": "words.per", "value": 0.05, "limit": 0.1, "direction": "lower",
            "passed": True,
        }
    }  # fmt: skip
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_a_number_at_its_limit_passes_and_one_past_it_refuses_the_model(tmp_path, models):
    write_gates(tmp_path, {"whisper_ctc.per": number("whisper_ctc", limit=0.05)})
    assert scan_of(models).refused == {}
    write_gates(tmp_path, {"whisper_ctc.per": number("whisper_ctc", limit=0.049)})
    assert reason(models) == "whisper_ctc.per: 0.05 is above its limit 0.049"


def test_a_missing_report_or_key_refuses_the_model(tmp_path, models):
    report = tmp_path / "reports/metrics/whisper_ctc.json"
    write_json(report, {"ece": 0.1})
    assert "no key 'per'" in reason(models)
    report.unlink()
    assert "reports/metrics/whisper_ctc.json: no such report" in reason(models)


def test_a_model_without_a_number_is_refused(tmp_path, models):
    write_gates(tmp_path, {"whisper_ctc2.per": number("whisper_ctc")})
    assert "has no number whisper_ctc.*" in reason(models)


@pytest.mark.parametrize("path", ["whisper_ctc", "streaming"])
def test_a_package_of_another_build_than_the_lock_file_is_refused(tmp_path, path):
    models = project(tmp_path, (path,))
    package(models, path, "another build")
    assert "may be of different builds" in reason(models, path)
    lock(tmp_path, (path,))
    assert scan_of(models).refused == {}


def test_a_report_of_another_build_than_the_lock_file_is_refused(tmp_path, models):
    write_json(tmp_path / "reports/metrics/whisper_ctc.json", {"per": 0.01})
    assert "reports/metrics/whisper_ctc.json has MD5" in reason(models)


def test_a_report_on_weights_that_were_trained_again_is_refused(tmp_path, models):
    later = {"train": {"outs": [entry("data/weights", "1e")]}}
    lock(tmp_path, ("whisper_ctc",), **later)
    assert "stage evaluate@whisper_ctc read another data/weights" in reason(models)


@pytest.mark.parametrize("stage", ["package@whisper_ctc", "evaluate@whisper_ctc"])
def test_a_stage_that_is_not_in_the_lock_file_refuses_the_model(tmp_path, models, stage):
    lock(tmp_path, ("whisper_ctc",), **{stage: {}})
    assert "dvc.lock has no stage that wrote" in reason(models)


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("dvc.lock", None, "dvc.lock: no such file"),
        ("dvc.lock", "a: [", "dvc.lock: not valid YAML"),
        ("dvc.lock", "stages: 3", "dvc.lock: expected the stages of dvc"),
        ("params.yaml", None, "params.yaml: no such file"),
        ("params.yaml", "gate: {}", "params.yaml: section 'gate': missing"),
    ],
)
def test_a_project_whose_gates_cannot_be_read_offers_nothing(
    tmp_path, models, file, text, expected
):
    (tmp_path / file).unlink()
    if text is not None:
        (tmp_path / file).write_text(text)
    assert expected in reason(models)


def test_a_folder_outside_of_a_project_is_offered_if_gates_are_not_required(tmp_path):
    models = tmp_path / "models"
    package(models)
    assert "in no project" in reason(models)
    (model,) = Catalogue(models, require_gates=False).scan().accepted.values()
    assert model.numbers is None


def test_a_lock_file_of_a_stage_that_reads_its_own_output_is_searched_once(tmp_path, models):
    document = yaml.safe_load((tmp_path / "dvc.lock").read_text())
    document["stages"]["train"]["deps"] = [entry("data/weights", "0f")]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump(document))
    assert scan_of(models).refused == {}


def test_the_lock_file_and_the_limits_are_part_of_the_signature(tmp_path, models):
    catalogue = Catalogue(models, require_gates=True)
    signatures = [catalogue.signature()]
    for file in ("dvc.lock", "params.yaml"):
        shutil.copy(tmp_path / file, tmp_path / "copy")
        (tmp_path / "copy").replace(tmp_path / file)
        signatures.append(catalogue.signature())
    assert len({*map(str, signatures)}) == 3
