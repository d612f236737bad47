"""The stage writes a page without audio for git and the same page with audio."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import pytest
import yaml
from dashboard_files import PARAMS, arguments, save_project

from fonoteka.core.errors import UserError
from fonoteka.core.params import build
from stages.reporting.dashboard import stage
from stages.reporting.dashboard.stage import DashboardParams


def plain(params):
    return {k: [*v] if isinstance(v, tuple) else v for k, v in asdict(params).items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    top = tmp_path_factory.mktemp("stage")
    save_project(top)
    return top


def run_stage(project, out, monkeypatch, name_people=False, **changes):
    out.mkdir()
    sections = {"dashboard": plain(PARAMS) | changes, "privacy": {"name_people": name_people}}
    (out / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.chdir(out)
    monkeypatch.setattr(sys, "argv", arguments(project, out))
    stage.main()


def test_two_runs_write_the_same_bytes_and_audio_is_in_the_folder_alone(
    project, tmp_path, monkeypatch, capsys
):
    for name in ("a", "b"):
        run_stage(project, tmp_path / name, monkeypatch)
    page, folder = tmp_path / "a/page.html", tmp_path / "a/folder"
    assert [path.name for path in folder.iterdir()] == ["page.html"]
    for path in ("page.html", "folder/page.html"):
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    quiet, loud = page.read_text("utf-8"), (folder / "page.html").read_text("utf-8")
    assert "data:audio/ogg;base64," not in quiet
    assert loud.count("data:audio/ogg;base64,") == 2
    assert "data/dashboards/index.html has the same page with audio" in quiet
    out = capsys.readouterr().out
    assert "dashboard: 5 clips, 4 models, texts of 2 clips withheld" in out


def test_names_are_shown_only_if_the_parameter_allows_it(project, tmp_path, monkeypatch):
    named = tmp_path / "named"
    named.mkdir()
    save_project(named, name_people=True)
    for name_people, top in ((False, project), (True, named)):
        out = tmp_path / str(name_people)
        run_stage(top, out, monkeypatch, name_people=name_people)
        for page in (out / "page.html", out / "folder/page.html"):
            assert ("real/ana" in page.read_text("utf-8")) == name_people


def test_reports_of_another_value_of_the_parameter_are_refused(project, tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"of two values of privacy\.name_people, run dvc repro"):
        run_stage(project, tmp_path / "a", monkeypatch, name_people=True)


def test_a_failed_run_leaves_the_old_pages(project, tmp_path, monkeypatch):
    run_stage(project, tmp_path / "a", monkeypatch)
    before = (tmp_path / "a/page.html").read_bytes()
    (tmp_path / "a/params.yaml").write_text(
        (tmp_path / "a/params.yaml").read_text().replace("- ensemble", "- absent")
    )
    with pytest.raises(UserError, match=r"absent\.json: no such file"):
        stage.main()
    assert (tmp_path / "a/page.html").read_bytes() == before
    assert [path.name for path in (tmp_path / "a/folder").iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"models": ()}, r"dashboard\.models must name at least one model, each once, got \[\]"),
        ({"models": ("mlp", "mlp")}, "each once"),
        ({"word_lengths": (3, 3)}, r"word_lengths must rise from above 0, got \[3, 3\]"),
        ({"word_lengths": ()}, "word_lengths must rise"),
        ({"audio_clips": -1}, "audio_clips must be at least 0, got -1"),
        ({"histogram_bins": 0}, "histogram_bins must be at least 1, got 0"),
    ],
)
def test_parameters_are_checked(change, reason):
    with pytest.raises(UserError, match=reason):
        replace(PARAMS, **change)


def test_a_misspelt_or_missing_key_is_an_error():
    values = plain(PARAMS)
    values["licenses"] = values.pop("licences")
    with pytest.raises(UserError, match=r"missing \['licences'\], unknown \['licenses'\]"):
        build(values, DashboardParams, "params.yaml: section 'dashboard'")


def test_a_measure_that_is_not_a_number_is_named(project, tmp_path):
    splits = stage.read_splits(project / "splits")
    text = (project / "accepted.csv").read_text().replace("22.04", "loud")
    (tmp_path / "accepted.csv").write_text(text)
    with pytest.raises(UserError, match=r"snr_db of 'clip-0' is 'loud', not a number"):
        stage.read_measures(tmp_path / "accepted.csv", splits)
