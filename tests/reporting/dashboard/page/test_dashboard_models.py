"""The dashboard in chromium: alignments, two models, and the confusion map."""

from __future__ import annotations

import re

import pytest
from chromium_page import CHROMIUM
from dashboard_expected import TASKS, best_model, expected_steps, rates, worst_first
from dashboard_maker import COUNTS, clip_errors
from dashboard_steps import listed, select_only, steps_shown, values

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.mark.parametrize("number", range(len(TASKS)))
def test_the_alignment_is_that_of_the_document(load, drawn, number):
    task = drawn["tasks"][number]
    norm, model = task["normalisations"][-1], best_model(task)
    page = load(f"#task={task['name']}")
    clips = [n for n in range(60) if model["ops"][norm][n] and n not in range(10, 17)]
    clips.sort(key=lambda n: model["ops"][norm][n].count("="))
    for clip in [6, *clips[:5], *clips[-3:]]:
        select_only(page, "search", drawn["clips"]["id"][clip])
        page.click(f"tr[data-clip='{clip}']")
        assert steps_shown(page) == expected_steps(task, norm, model, clip)
        counts = [model[key][norm][clip] for key in COUNTS]
        assert values(page, "#detail tbody")[1:4] == counts


def test_two_models_are_side_by_side_on_one_reference(load, drawn):
    task = drawn["tasks"][0]
    first, second = task["models"][0], task["models"][2]
    page = load(f"#model={first['name']}&second={second['name']}")
    clip = max(range(20, 60), key=lambda n: second["ops"]["phones"][n].count("i"))
    select_only(page, "search", drawn["clips"]["id"][clip])
    page.click(f"tr[data-clip='{clip}']")
    shown = steps_shown(page)
    # Each model's columns without the gaps of the other's insertions are its own alignment.
    for place, model in ((1, first), (3, second)):
        own = [[c[0], *c[place : place + 2]] for c in shown if c[place + 1]]
        assert own == expected_steps(task, "phones", model, clip)
    assert len(shown) >= len(first["ops"]["phones"][clip])


def test_two_models_are_compared_on_clips_that_both_decoded(load, drawn):
    task = drawn["tasks"][0]
    names = [model["name"] for model in task["models"]]
    page = load(f"#model={names[0]}&second={names[2]}")
    errors = [[clip_errors(task["models"][m], "phones", n) for m in (0, 2)] for n in range(60)]
    units = task["units"]["phones"]
    both = [n for n in range(60) if None not in errors[n] and units[n]]
    better = [sum(errors[n][a] < errors[n][1 - a] for n in both) for a in (0, 1)]
    difference = sum(errors[n][0] - errors[n][1] for n in both) / sum(units[n] for n in both)
    text = page.inner_text("#pair-counts")
    assert f"both decoded: {len(both)};" in text
    assert f"is better in {better[0]}, {names[2]} in {better[1]}" in text
    assert values(page, "#pair-counts") == pytest.approx([difference])
    assert f"{100 * difference:.2f} pp ({names[0]} − {names[2]}, percentage points)" in text
    assert "The reports do not compare these two models." in page.inner_text("#comparison")
    page.click("[data-sort='difference']")
    by_clip = [rates(task, "phones", task["models"][m]) for m in (0, 2)]
    shown = [by_clip[0][n] - by_clip[1][n] for n in listed(page) if n in both]
    assert shown == sorted(shown, reverse=True)
    assert listed(page)[-2:] == [4, 5]
    page.click("#first-page")
    cells = page.eval_on_selector_all(
        "#list tr td:nth-child(6)", "all => all.map((c) => c.innerText)"
    )
    assert [cell for cell in cells if not re.fullmatch(r"-?\d+\.\d\d pp", cell)] == []


def test_a_reported_difference_names_its_order_and_its_unit(load, drawn):
    # The report has model_1 − model_0; the page shows model_0 first.
    page = load("#model=model_0&second=model_1")
    row = page.inner_text("#comparison > .wide tbody tr")
    (pair,) = drawn["tasks"][0]["pairs"]
    assert row.split("\t")[:3] == [
        "model_1 − model_0", f"{100 * pair['difference']:.2f} pp", "-1.23 pp to 20.00 pp"
    ]  # fmt: skip
    assert "the model before the sign is better" in page.inner_text("#comparison caption >> nth=0")


def substitutions(task, model, pair):
    """Return the clips whose alignment has a unit recognised as another."""
    return [
        n for n in range(60) if model["ops"]["phones"][n] is not None and
        [pair[0], "S", pair[1]] in expected_steps(task, "phones", model, n)
    ]  # fmt: skip


@pytest.mark.parametrize("counts", ["", "filtered"])
def test_a_cell_of_the_heat_map_leads_to_its_utterances_in_two_clicks(load, drawn, counts):
    task = drawn["tasks"][0]
    model = task["models"][0]
    confusion = model["confusion"]
    page = load(f"#model={model['name']}" + (f"&counts={counts}" if counts else ""))
    cells = page.eval_on_selector_all(".cell", "cells => cells.map((c) => c.ariaLabel)")
    parsed = {tuple(cell.rsplit(": ", 1)[0].split(" recognised as ")): cell for cell in cells}
    if not counts:
        expected = {
            (row, column): f"{row} recognised as {column}: {count}"
            for row, numbers in zip(confusion["rows"], confusion["counts"], strict=True)
            for column, count in zip(confusion["columns"], numbers, strict=True)
            if count and row != column
        }
        assert parsed == expected
    pair = next(pair for pair in parsed if len(pair) == 2 and substitutions(task, model, pair))
    page.click(f".cell[aria-label='{parsed[pair]}']")
    assert listed(page) == worst_first(task, "phones", model, substitutions(task, model, pair))
    assert f"Only clips with {pair[0]} recognised as {pair[1]}" in page.inner_text("#count")
    page.click("#list tbody tr")
    assert [pair[0], "S", pair[1]] in steps_shown(page)
    page.click("#clear-confusion")
    assert len(listed(page)) == 60


def test_the_map_names_its_axes_and_its_source(load):
    page = load()
    text = page.inner_text("#confusions")
    assert "Rows are the reference, columns the hypothesis" in text
    # No report has these counts: reports/phones counts segments of known boundaries.
    assert "report" not in text
    assert "of all clips, substitutions" in text


def test_counts_of_the_filtered_clips_are_those_of_their_alignments(load, drawn):
    task = drawn["tasks"][0]
    model = task["models"][2]
    page = load(f"#model={model['name']}&counts=filtered&language=hr")
    clips = drawn["clips"]["language"]
    counts = {}
    for n in range(60):
        steps = model["ops"]["phones"][n]
        if clips["values"][clips["index"][n]] != "hr" or steps is None:
            continue
        for reference, mark, unit in expected_steps(task, "phones", model, n):
            if mark:
                text = {"S": f"{reference} recognised as {unit}", "D": f"{reference} deleted",
                        "I": f"{unit} inserted"}[mark]  # fmt: skip
                counts[text] = counts.get(text, 0) + 1
    cells = page.eval_on_selector_all(".cell", "cells => cells.map((c) => c.ariaLabel)")
    assert sorted(cells) == sorted(f"{text}: {count}" for text, count in counts.items())
