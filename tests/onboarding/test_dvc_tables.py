"""The tables and plots that editors read from dvc are complete and without errors.

The extension of VS Code runs `dvc ... --json`. An entry with an error, or a plot without points, is
an empty table or a blank picture there (vscode-dvc, issues 1858, 2564 and 3802).
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from clones import committed
from dvc_yaml import TOP, entries, pipeline
from toy import GIT, call_dvc, keep_apart

pytestmark = [
    pytest.mark.dvc,
    # Warnings of dvc's use of pygtrie, not of this project.
    pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning"),
]

METRICS = {path for stage in pipeline() for path in entries(stage, "metrics")}
PLOTS = yaml.safe_load((TOP / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
SOURCES = {next(iter(plot)): {*next(iter(plot.values()))["y"]} for plot in PLOTS}
IN_GIT = {name: paths for name, paths in SOURCES.items() if not any("data/" in p for p in paths)}
CHANGED = "reports/metrics/mlp.json"


def table(folder, *words):
    """Run a dvc command with `--json` and return its table."""
    done = call_dvc(*words, "--json", folder=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Return a checkout without data; since its commit, a metric, a curve and a parameter differ.

    A clone of the last commit with the files of dvc.yaml, the parameters and the reports as they
    are now, committed.
    """
    folder = tmp_path_factory.mktemp("tables") / "checkout"
    subprocess.run([*GIT, "clone", "--quiet", "--no-hardlinks", TOP, folder], check=True)
    for name in ("dvc.yaml", "dvc.lock", "params.yaml"):
        shutil.copy(TOP / name, folder / name)
    shutil.copytree(TOP / "reports", folder / "reports", dirs_exist_ok=True)
    for command in (["add", "--all"], ["commit", "--quiet", "--allow-empty", "-m", "now"]):
        subprocess.run([*GIT, *command], cwd=folder, check=True)
    edit(folder / CHANGED, '\n  "per": ', '\n  "per": 0.5, "per_before": ')
    edit(folder / "params.yaml", "  test_fraction: ", "  test_fraction: 0.0")
    curve = folder / "reports/curves/mlp/valid_per.tsv"
    curve.write_bytes(curve.read_bytes() + b"900\t0.5\n")
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, folder.parent)
        yield folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def blank(shown, revisions):
    """Return the plots without a point for each revision: their names and the revision."""
    empty = []
    for name, renderings in shown["data"].items():
        if not renderings:
            empty.append((name, "no picture"))
        for rendering in renderings:
            if rendering["type"] == "image":  # a picture that a stage drew
                assert Path(rendering["url"]).stat().st_size > 1000, name
                continue
            assert rendering["type"] == "vega", name
            content = json.loads(json.dumps(rendering["content"]))
            assert "<DVC_METRIC" not in json.dumps(content), name  # a mark of the template
            points = content["data"]["values"]
            empty += [(name, r) for r in revisions if r not in {p["rev"] for p in points}]
            empty += [(name, point) for point in points if None in point.values()]
    return empty


def test_each_plot_whose_source_is_in_git_is_drawn_without_data(checkout):
    shown = table(checkout, "plots", "show")
    assert IN_GIT.keys() < shown["data"].keys()
    assert blank({"data": {name: shown["data"][name] for name in IN_GIT}}, ["workspace"]) == []
    # Confusions come from DVC's data, which a checkout without a pull does not have.
    pulled = {path for paths in SOURCES.values() for path in paths if path.startswith("data/")}
    assert {error["source"] for error in shown["errors"]} == pulled
    assert {error["type"] for error in shown["errors"]} == {"FileNotFoundError"}


def test_a_difference_of_plots_has_the_points_of_both_revisions(checkout):
    shown = table(checkout, "plots", "diff", "HEAD")
    sources = {error["source"] for error in shown["errors"]}
    assert {path.partition("/")[0] for path in sources} == {"data"}
    drawn = {name: shown["data"][name] for name in IN_GIT}
    assert blank({"data": drawn}, ["HEAD", "workspace"]) == []
    points = drawn["validation phone error rate"][0]["content"]["data"]["values"]
    added = [point["rev"] for point in points if point["step"] == "900"]
    assert added == ["workspace"]


def test_each_metric_file_is_read(checkout):
    (shown,) = table(checkout, "metrics", "show").values()
    assert shown.keys() == {"data"}
    assert shown["data"].keys() == METRICS
    for path, entry in shown["data"].items():
        assert entry["data"], path  # an unreadable file has "error" in its place
        assert {*entry} == {"data"}, (path, entry.get("error"))


def test_a_difference_of_metrics_has_the_changed_number_and_no_other(checkout):
    shown = table(checkout, "metrics", "diff", "HEAD")
    assert {*shown} == {CHANGED}  # with an error there is "errors" beside it
    before = json.loads((TOP / CHANGED).read_text(encoding="utf-8"))["per"]
    numbers = shown[CHANGED]
    assert numbers["per"] == {"old": before, "new": 0.5, "diff": pytest.approx(0.5 - before)}
    assert numbers["per_before"]["new"] == before
    assert {*numbers} == {"per", "per_before"}


def test_a_difference_of_parameters_has_the_changed_one(checkout):
    shown = table(checkout, "params", "diff", "HEAD")
    assert {*shown} == {"params.yaml"}
    assert {*shown["params.yaml"]} == {"split.test_fraction"}


def test_the_table_of_experiments_has_a_full_row_per_revision(checkout):
    rows = table(checkout, "exp", "show")
    assert len(rows) == 2
    assert rows[0]["rev"] == "workspace"
    for row in rows:
        assert row["error"] is None
        metrics, params = row["data"]["metrics"], row["data"]["params"]
        assert metrics.keys() == METRICS
        assert [path for path, entry in metrics.items() if "error" in entry] == []
        assert params["params.yaml"]["data"]["split"]


@pytest.mark.pipeline
def test_a_built_pipeline_has_no_error_in_any_table(tmp_path_factory, tmp_path, monkeypatch):
    clone = committed(tmp_path_factory, tmp_path / "built")
    keep_apart(monkeypatch, tmp_path)
    for command in (["show"], ["diff", "HEAD"]):
        shown = table(clone.folder, "plots", *command)
        assert "errors" not in shown
        assert shown["data"].keys() > SOURCES.keys()
        assert blank(shown, ["workspace"]) == []
    (metrics,) = table(clone.folder, "metrics", "show").values()
    assert [path for path, entry in metrics["data"].items() if "error" in entry] == []
    assert metrics["data"].keys() == METRICS
    for row in table(clone.folder, "exp", "show"):
        assert row["error"] is None
        assert [path for path, e in row["data"]["metrics"].items() if "error" in e] == []
