"""The pages in docs/ agree with the code."""

from __future__ import annotations

import doctest
import re

from command_line import options
from dvc_yaml import TOP

from fonoteka.audiocheck.containers.container import NOT_STATED
from fonoteka.audiocheck.containers.mpeg import TAG_DOUBTED
from fonoteka.audiocheck.containers.tags import trailing_note
from fonoteka.bench.augmentation.command import page as augmentation_table
from fonoteka.core.files import read_json
from fonoteka.corpus.importers.layouts.detect import LAYOUTS
from stages.corpus.inventory.problems import PROBLEMS

CORPUS = TOP / "docs" / "corpus.md"


def rows(heading):
    """Return the cells of the table below a heading, without the table's header."""
    section = CORPUS.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")
    lines = re.findall(r"^\| (.*) \|$", section[0], re.M)
    return [re.split(r" +(?<!\\)\| *", line) for line in lines][1:]


def test_the_examples_return_what_they_show():
    failed, tried = doctest.testfile(str(CORPUS), module_relative=False, encoding="utf-8")
    assert tried >= 4
    assert failed == 0


def test_each_problem_of_the_inventory_is_listed_with_its_remedy():
    assert dict(rows("Inventory: one row per file")) == PROBLEMS


def test_each_layout_is_listed():
    assert sorted(row[0].strip("`") for row in rows("Import recordings")) == sorted(LAYOUTS)


def test_each_reason_to_refuse_a_row_is_listed():
    code = "\n".join(path.read_text() for path in (TOP / "fonoteka/corpus/importers").rglob("*.py"))
    raised = r'(?:RefusedError\(|refuse\(.*, |problems\.append\(\()\s*"([a-z ]+)"'
    kinds = set(re.findall(raised, code)) | {
        "no access",
        "no speaker",
        "unknown language",
    }  # which are chosen at run time
    listed = [
        name for row in rows("What importers refuse, row by row") for name in row[0].split(", ")
    ]
    assert len(listed) == len(set(listed))
    assert set(listed) == kinds | {"no text"}


def test_each_option_of_the_importers_is_one():
    text = CORPUS.read_text(encoding="utf-8").partition("\n## Inventory")[0]
    named = set(re.findall(r"--[a-z][a-z-]*", text))
    existing = options("corpus", "add")
    assert {"--phones-tier", "--leave-out", "--text-column"} <= named <= existing


def test_each_note_of_the_inventory_is_listed():
    notes = {row[2].strip("`") for row in rows("What is read, what is a note, what is refused")}
    assert {NOT_STATED, TAG_DOUBTED, trailing_note(15), trailing_note(9)} < notes


def test_the_readme_shows_the_tables_of_the_comparison():
    page = (TOP / "reports/comparison.md").read_text(encoding="utf-8")
    tables = re.findall(r"(?:^\|.*\n)+", page, re.M)
    assert len(tables) == 5  # scores, languages and sizes, streams, times, words
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    for table in tables:
        assert table in readme, "copy the table from reports/comparison.md to README.md"


def test_the_page_of_augmentation_shows_the_last_table():
    page = (TOP / "docs/augmentation.md").read_text(encoding="utf-8")
    assert augmentation_table(read_json(TOP / "reports/bench/augment.json")) in page


def test_the_page_of_the_small_models_shows_their_scores():
    page = (TOP / "docs/realtime.md").read_text(encoding="utf-8")
    for name, scores in read_json(TOP / "reports/realtime.json")["models"].items():
        interval = f"{scores['low']:.3f}-{scores['high']:.3f}"
        latency = [f"{scores[key]:.0f} ms" for key in ("latency_ms_p50", "latency_ms_p90")]
        cells = [f"{scores['score']:.3f}", interval, f"{scores['baseline']:.3f}", *latency]
        (row,) = re.findall(rf"^\| {name} .*\|$", page, re.M)
        assert [cell.strip() for cell in row.split("|")][3:-1] == cells


def test_the_page_of_benchmarks_shows_the_baseline_head():
    report = read_json(TOP / "reports/reference.json")
    page = (TOP / "docs/benchmarks.md").read_text(encoding="utf-8")
    for side in ("shipped", "reference"):
        assert f"{100 * report[side]['per']:.1f} %" in page
    numbers = [f"{100 * report[f'difference{end}']:.2f}" for end in ("", "_low", "_high")]
    assert "{} points, 95 % {} to {}".format(*numbers) in page
