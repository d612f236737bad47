"""The dashboard in chromium: numbers of the reports, and clips without texts."""

from __future__ import annotations

import pytest
from chromium_page import CHROMIUM
from dashboard_expected import TASKS, best_model, reported
from dashboard_maker import COUNTS, document, rate_of
from dashboard_steps import choose, rows, values

from fonoteka.reporting.dashboard.page.render import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.mark.parametrize("number", range(len(TASKS)))
def test_every_number_of_the_summary_is_that_of_its_report(load, drawn, number):
    task = drawn["tasks"][number]
    everything = range(len(drawn["clips"]["id"]))
    page = load(f"#task={task['name']}")
    for norm in task["normalisations"]:
        choose(page, "norm", norm)
        shown = rows(page, "#summary")
        assert len(shown) == len(task["models"])
        for row, cells in enumerate(shown):
            model = task["models"][row]
            numbers = values(page, f"#summary tbody tr:nth-child({row + 1})")
            assert numbers[:3] == reported(model, norm)
            assert numbers[3] == pytest.approx(rate_of(task, norm, model, everything))
            assert cells[0].startswith(model["name"])
            value, low, high = (f"{100 * number:.2f} %" for number in reported(model, norm))
            file = model["report"]["file"]
            assert cells[1:4] == [value, f"{low} to {high}", file]


def test_every_number_of_the_other_reports_is_in_the_page(load, drawn):
    task = drawn["tasks"][0]
    first, second = task["models"][0], task["models"][1]
    page = load(f"#model={first['name']}&second={second['name']}")
    (pair,) = task["pairs"]
    compared = [pair[key] for key in ("difference", "low", "high", "better_draws")]
    assert values(page, "#comparison > .wide") == compared
    for name, expected in first["report"]["by"]["phones"].items():
        other = {row["value"]: row for row in second["report"]["by"]["phones"][name]}
        numbers = []
        for row in expected:
            both = [row, other[row["value"]]]
            numbers += [rate[key] for rate in both for key in ("units", "rate", "low", "high")]
        assert values(page, f"[data-group='{name}']") == [n for n in numbers if n is not None]
    bins = ("low", "high", "confidence", "accuracy", "count")
    numbers = [
        number
        for model in (first, second)
        for number in (
            model["report"]["ece"],
            *(row[key] for row in model["report"]["reliability"] for key in bins),
        )
    ]
    assert values(page, "#reliability") == numbers
    extra = [row[1:4] for model in (first, second) for row in model["report"]["extra"]]
    assert values(page, "#further") == [n for row in extra for n in row if n is not None]
    curves = zip(first["curves"][0]["steps"], *(m["curves"][0]["values"] for m in (first, second)),
                 strict=True)  # fmt: skip
    assert values(page, "#curves") == [number for row in curves for number in row]


def test_a_group_without_an_interval_says_why_and_models_of_other_clips_are_named(load):
    notes = "A group of one speaker has no interval", "The two models decoded different clips."
    page = load("#model=model_0&second=model_1")
    shown = {
        name: [note in page.inner_text(f"[data-group='{name}'] caption") for note in notes]
        for name in ("speaker", "length")
    }
    assert shown == {"speaker": [True, True], "length": [False, False]}


def test_the_corpus_has_its_tables_and_histograms(page, drawn):
    shown = rows(page, "#corpus > .wide")
    assert shown == [["train", "100", "0.25"], ["test", "30", "–"]]
    histogram = drawn["corpus"]["histograms"][0]["counts"]
    expected = [list(row) for row in zip(histogram["train"], histogram["valid"], histogram["test"],
                                         strict=True)]  # fmt: skip
    numbers = [n for row in expected for n in row]
    assert values(page, "#corpus")[3:] == [*numbers, *(n / 100 for n in numbers)]
    assert page.locator("#corpus svg").count() == 6
    # The highest bar reaches the top of its axis, also below 1.
    heights = page.eval_on_selector_all(
        "#corpus svg", "all => all.map((svg) => Math.max(...[...svg.querySelectorAll('rect')].map("
        "(rect) => rect.height.baseVal.value)))"
    )  # fmt: skip
    assert len(set(heights)) == 1


def test_both_axes_of_a_chart_have_a_title(load):
    page = load("#clip=clip-00000")
    titles = [
        page.eval_on_selector(f"{part} svg", "svg => [...svg.querySelectorAll('text:not(.dim)')]"
                              ".map((text) => text.textContent)")
        for part in ("#reliability", "#curves", "#corpus > div:has(h3)",
                     "#corpus > div:has(h3):last-child")
    ]  # fmt: skip
    assert titles == [
        ["confidence", "accuracy"], ["epoch", "valid_per"], ["s", "clips"], ["language", "hours"]
    ]  # fmt: skip


def test_a_withheld_clip_has_its_counts_and_the_reason(load, drawn):
    page = load("#clip=clip-00003")
    model = best_model(drawn["tasks"][0])
    assert page.inner_text("#detail .withheld") == drawn["clips"]["withheld_reason"]
    counts = [model[key]["phones"][3] for key in COUNTS]
    assert values(page, "#detail tbody")[1:4] == counts
    assert page.locator(".alignment").count() == 0


def test_a_clip_without_a_reference_or_a_hypothesis_says_so(load):
    page = load("#clip=clip-00004")
    assert "without a reference: " in page.inner_text("#detail")
    page = load("#clip=clip-00005&model=model_2")
    assert "model_2 did not decode this clip." in page.inner_text("#detail")


def test_a_document_without_reports_of_its_models_is_shown(load, tmp_path):
    source = document(20, hostile=False, audio=False)
    source["corpus"] = {}
    source["clips"].update(withheld=[], withheld_reason="")
    for task in source["tasks"]:
        task["pairs"] = []
        for model in task["models"]:
            model.update(report=None, curves=[], confusion=None)
            model["confidence"] = [None] * 20
    path = tmp_path / "index.html"
    path.write_text(render(source), encoding="utf-8", newline="\n")
    page = load("#second=model_1", url=path.as_uri())
    assert page.inner_text("#summary tbody tr td >> nth=0") == "–"
    assert page.inner_text("#curves") == "There are no training curves of this model."
    assert not page.locator("#range-confidence").is_visible()
    assert "counted in this page" in page.inner_text("#confusions")
