"""PLANNING.md follows from planning.json and params.yaml alone; prices have a date."""

import copy
import datetime
import json
import re

import pytest
import yaml
from built_projects import SECTION, make, write_log
from command_line import exit_code, run_fonoteka
from dvc_yaml import TOP

from fonoteka.core.files import read_json
from fonoteka.core.params import build as section_of
from fonoteka.core.params import load
from fonoteka.planning import command
from fonoteka.planning.forecast import forecast_model, gpu_hours, stage_cpu_s
from fonoteka.planning.page import page
from fonoteka.planning.prices import PlanningParams

PARAMS = section_of(SECTION, PlanningParams, "planning")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A measured build as the current project."""
    folder = make(tmp_path / "project")
    (folder / ".dvc").mkdir()
    monkeypatch.chdir(folder)
    run_fonoteka("planning", "measure")
    return folder


@pytest.fixture
def report(project):
    return read_json(project / "reports/bench/planning.json")


def rows_of(text, heading):
    """Return the rows of the first table below a heading, by their first cell."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells[2:]}


def changed(**values):
    """Return section `planning` with other values; a name with `__` is inside the prices."""
    section = copy.deepcopy(SECTION)
    for name, value in values.items():
        inside = section["prices"] if name.startswith("prices__") else section
        inside[name.removeprefix("prices__")] = value
    return section


def test_the_committed_page_is_what_is_written_from_the_committed_report():
    params = load("planning", PlanningParams, TOP / "params.yaml")
    text = page(read_json(TOP / "reports/bench/planning.json"), params)
    assert (TOP / "PLANNING.md").read_text(encoding="utf-8") == text


def test_the_page_is_the_same_each_time_and_a_change_is_noticed(project, capsys):
    run_fonoteka("planning", "page")
    first = (project / "PLANNING.md").read_bytes()
    run_fonoteka("planning", "page")
    assert (project / "PLANNING.md").read_bytes() == first
    assert exit_code("planning", "page", "--check") == 0
    (project / "PLANNING.md").write_bytes(first.replace(b"core hours", b"coal hours"))
    assert exit_code("planning", "page", "--check") == 1
    assert "PLANNING.md differs from" in capsys.readouterr().out
    assert b"coal hours" in (project / "PLANNING.md").read_bytes()


def test_hours_are_constant_plus_seconds_per_hour_of_the_stages_of_a_model(report):
    forecast = forecast_model(report, "mlp", 100.0, PARAMS)
    # Imports are the constants: 1, 2.5; the rest grows tenfold from 10 hours to 100.
    assert forecast.core_hours["corpus"] == pytest.approx((1 + 10 * 31) / 3600)
    assert forecast.core_hours["training"] == pytest.approx((2.5 + 10 * 50.5) / 3600)
    assert forecast.core_hours["export"] == pytest.approx(7 / 3600)
    assert forecast.compute_eur == pytest.approx(forecast.total_hours * 0.5)
    # 1 GB per hour of audio, and a model of 1 MB with its card.
    assert forecast.storage_gb == pytest.approx(100.001, abs=1e-4)
    assert forecast.storage_eur == pytest.approx(1.00001)


def test_other_passes_change_the_training_alone(report):
    entry = report["stages"]["train@mlp"]
    usual = stage_cpu_s("train@mlp", entry, 10.0, {})
    assert stage_cpu_s("train@mlp", entry, 10.0, {"train@mlp": 4.0}) == pytest.approx(
        2 * usual - entry["constant_s"]
    )
    assert stage_cpu_s("train@mlp", entry, 10.0, {"train": 2.0}) == pytest.approx(usual)
    other = report["stages"]["preprocess"]
    assert stage_cpu_s("preprocess", other, 10.0, {"preprocess": 9.0}) == pytest.approx(32.0)


def test_a_published_training_is_scaled_by_the_training_split(report):
    # 2 GPU hours per hour of speech, and 6 of 10 hours are in the training split.
    assert gpu_hours(PARAMS.published[0], report, 100.0) == pytest.approx(120.0)
    row = rows_of(page(report, PARAMS), "GPU")["mlp"]
    assert row == ["A6000", "100", "120", "240", "a page, 2023-05-10"]


def test_the_tables_have_the_numbers_of_the_forecast(report):
    text = page(report, PARAMS)
    (*_, hours, eur, stored, monthly) = rows_of(text, "100 hours of speech")["mlp"]
    forecast = forecast_model(report, "mlp", 100.0, PARAMS)
    assert float(hours) == pytest.approx(forecast.total_hours, rel=5e-3)
    assert float(eur) == pytest.approx(forecast.compute_eur, rel=5e-3)
    assert (stored, monthly) == ("100", "1")
    assert [*rows_of(text, "10 hours of speech")] == ["mlp", "everything"]


def test_a_model_without_all_its_stages_is_marked(project):
    for path in (project / "logs/package@mlp").iterdir():
        path.unlink()
    write_log(project, "package@mlp", 1.0, code=None)
    run_fonoteka("planning", "measure")
    text = page(read_json(project / "reports/bench/planning.json"), PARAMS)
    assert [*rows_of(text, "10 hours of speech")] == ["mlp *", "everything *"]
    assert "- package@mlp: no finished run in logs" in text


def test_energy_prices_and_their_sources_are_stated(report):
    text = page(report, PARAMS)
    assert "Energy was not measured." in text
    assert "Collected on 2026-11-30" in text
    assert rows_of(text, "Prices") == {
        "core hour": ["0.5", "one"],
        "A6000 hour": ["2", "two"],
        "GB and month": ["0.01", "three"],
    }


def test_prices_without_a_date_are_refused(project, capsys):
    section = changed()
    del section["prices"]["date"]
    document = yaml.safe_load((project / "params.yaml").read_text())
    (project / "params.yaml").write_text(yaml.safe_dump(document | {"planning": section}))
    assert exit_code("planning", "page") == 1
    assert "prices: missing ['date']" in capsys.readouterr().err
    assert not (project / "PLANNING.md").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prices__date": "soon"}, r"prices\.date: expected a date such as 2026-11-30, found 'so"),
        ({"prices__sources": {"gpu_hour_eur": "x"}}, r"sources: expected a source for each of \["),
        ({"prices__cpu_core_hour_eur": -1.0}, r"a price of -1\.0 is below 0"),
        ({"prices__gpu_hour_eur": {"T4": 1.0}}, r"gpu_hour_eur: no price for 'A6000'"),
        ({"hours": [0]}, r"planning\.hours: expected numbers above 0, found \[0\.0\]"),
        ({"hours": []}, r"planning\.hours: expected numbers above 0, found \[\]"),
        ({"published": [SECTION["published"][0] | {"audio_h": 0}]}, r"audio_h must be above 0"),
        ({"published": [SECTION["published"][0] | {"date": "x"}]}, r"published: date: expected"),
    ],
)
def test_a_mistake_in_the_section_is_one_sentence(values, message):
    with pytest.raises(ValueError, match=message):
        section_of(changed(**values), PlanningParams, "planning")


def test_old_prices_are_reported_and_the_page_is_written(project, capsys, monkeypatch):
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2028, 1, 1, tzinfo=tz)

    monkeypatch.setattr(command, "datetime", Later)
    run_fonoteka("planning", "page")
    assert "warning: the prices are 397 days old" in capsys.readouterr().err
    assert (project / "PLANNING.md").is_file()


def test_a_page_without_a_report_is_refused(project, capsys):
    (project / "reports/bench/planning.json").unlink()
    assert exit_code("planning", "page") == 1
    assert re.search(r"planning\.json: no such file; run `python -m", capsys.readouterr().err)


def test_a_report_of_a_check_alone_is_refused(project, capsys):
    path = project / "reports/bench/planning.json"
    path.write_text(json.dumps({"check": {"max_error": 0.2, "builds": []}}))
    assert exit_code("planning", "page") == 1
    assert re.search(r"planning\.json: no stages; run `python -m", capsys.readouterr().err)


def test_the_page_has_the_peak_memory_of_stages_whose_logs_state_it(report):
    assert "## Peak memory" not in page(report, PARAMS)
    stage, other = list(report["stages"])[:2]
    report["stages"][stage] |= {"peak_mib": 812.4, "peak_process_mib": 602.6}
    report["stages"][other] |= {"peak_mib": 1500.0, "peak_process_mib": 900.0}
    text = " ".join(page(report, PARAMS).partition("## Peak memory")[2].split())
    assert f"| {other} | 900 | 1500 | | {stage} | 603 | 812 |" in text  # the largest first
