"""`dvc plots show` draws the tables that the stages evaluate and compare write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from toy import copied, empty, keep_apart, run_dvc

from fonoteka.tables import write_table

pytestmark = pytest.mark.dvc

TEMPLATES = Path(__file__).resolve().parents[1] / ".dvc" / "plots"
PLOTS = [
    {"by language": {
        "template": "by_model", "x": "per", "x_label": "PER", "y": {"by.csv": "language"},
        "title": "PER by language",
    }},
    {"confusion": {
        "template": "confusion_normalized", "x": "hypothesis", "x_label": "hypothesis phone",
        "y": {"confusion.csv": "reference"}, "y_label": "reference phone",
    }},
]  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    folder = copied(empty(tmp_path_factory), tmp_path_factory.mktemp("plots") / "toy")
    shutil.copytree(TEMPLATES, folder / ".dvc" / "plots")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"plots": PLOTS}))
    rates = [("mlp", "en", 0.4), ("mlp", "hr", 0.2), ("ensemble", "en", 0.1)]
    columns = ("model", "language", "per")
    write_table(folder / "by.csv", columns, [dict(zip(columns, r, strict=True)) for r in rates])
    rows = [{"reference": "dʑ", "hypothesis": "dʒ"}, {"reference": "a", "hypothesis": "a"}]
    write_table(folder / "confusion.csv", ("reference", "hypothesis"), rows)
    with pytest.MonkeyPatch.context() as patch:
        keep_apart(patch, folder.parent)
        return json.loads(run_dvc("plots", "show", "--json", folder=folder))


def test_both_tables_are_drawn_without_an_error(shown):
    assert "errors" not in shown
    assert {name: len(plots) for name, plots in shown["data"].items()} == {
        "by language": 1, "confusion": 1,
    }  # fmt: skip


def test_bars_of_models_are_side_by_side_and_begin_at_zero(shown):
    content = shown["data"]["by language"][0]["content"]
    drawn = content["spec"]["encoding"]
    assert (drawn["x"]["field"], drawn["y"]["field"]) == ("per", "language")
    assert drawn["x"]["scale"] == {"zero": True}
    assert drawn["yOffset"]["field"] == drawn["color"]["field"] == "model"
    assert content["facet"]["column"]["field"] == "rev"  # `dvc plots diff` shows two
    assert content["title"]["text"] == "PER by language"
    assert "<DVC" not in json.dumps(content)


def test_a_confusion_has_one_row_per_segment(shown):
    content = shown["data"]["confusion"][0]["content"]
    drawn = [(row["reference"], row["hypothesis"]) for row in content["data"]["values"]]
    assert drawn == [("dʑ", "dʒ"), ("a", "a")]
