"""The dashboard in chromium: numbers of the reports, the list, filters, two models, confusions."""

from __future__ import annotations

import pytest
from dashboard_maker import CODES, COUNTS, LABELS, clip_errors, rate_of
from dashboard_steps import (
    CHROMIUM,
    choose,
    listed,
    rows,
    select_only,
    settle,
    steps_shown,
    values,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
TASKS = ("phones", "words")


def reported(model, norm):
    rate = model["report"]["rate"][norm]
    return [rate["value"], rate["low"], rate["high"]]


def best_model(task):
    norm = task["normalisations"][-1]
    return min(task["models"], key=lambda model: model["report"]["rate"][norm]["value"])


def rates(task, norm, model):
    """Return the error rate of each clip that is part of a rate, by its index."""
    pairs = [(clip_errors(model, norm, n), units) for n, units in enumerate(task["units"][norm])]
    return {n: e / units for n, (e, units) in enumerate(pairs) if e is not None and units}


def worst_first(task, norm, model, indices):
    """Return the indices by rate, of equal rates the one with more errors first, the rest last."""
    by_clip = rates(task, norm, model)

    def key(n):
        return (n not in by_clip, -by_clip.get(n, 0), -(clip_errors(model, norm, n) or 0), n)

    rest = [n for n in indices if n not in by_clip]
    return sorted((n for n in indices if n in by_clip), key=key) + rest


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
            keys = ("rate", "low", "high")
            numbers += [row["units"], *(one[key] for one in both for key in keys)]
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


def test_the_corpus_has_its_tables_and_histograms(page, drawn):
    shown = rows(page, "#corpus > .wide")
    assert shown == [["train", "100", "0.25"], ["test", "30", "–"]]
    histogram = drawn["corpus"]["histograms"][0]["counts"]
    expected = [list(row) for row in zip(histogram["train"], histogram["valid"], histogram["test"],
                                         strict=True)]  # fmt: skip
    assert values(page, "#corpus")[3:] == [n for row in expected for n in row] * 2
    assert page.locator("#corpus svg").count() == 6


@pytest.mark.parametrize("number", range(len(TASKS)))
def test_the_worst_utterance_is_first_and_clips_without_a_rate_are_last(load, drawn, number):
    task = drawn["tasks"][number]
    norm, model = task["normalisations"][-1], best_model(task)
    expected = worst_first(task, norm, model, range(len(drawn["clips"]["id"])))
    page = load(f"#task={task['name']}")
    assert page.locator("#list tbody tr").count() == 50
    assert listed(page) == expected
    assert expected[-1] == 4


@pytest.mark.parametrize("name", ["seconds", "snr", "units", "errors", "rate", "confidence"])
def test_a_heading_sorts_down_then_up_and_missing_values_stay_last(page, drawn, name):
    task = drawn["tasks"][0]
    model = best_model(task)
    column = {
        "seconds": drawn["clips"]["seconds"],
        "snr": drawn["clips"]["snr_db"],
        "units": task["units"]["phones"],
        "errors": [clip_errors(model, "phones", n) for n in range(60)],
        "rate": [rates(task, "phones", model).get(n) for n in range(60)],
        "confidence": model["confidence"],
    }[name]
    orders = []
    for _ in range(2):
        page.click(f"[data-sort='{name}']")
        shown = [column[n] for n in listed(page)]
        known = [value for value in shown if value is not None]
        assert shown[len(known) :] == [None] * (len(shown) - len(known))
        direction = page.get_attribute(f"th:has([data-sort='{name}'])", "aria-sort")
        assert known == sorted(known, reverse=direction == "descending")
        orders.append(direction)
    assert {*orders} == {"ascending", "descending"}


def test_each_filter_lists_the_clips_that_pass_and_the_rates_are_theirs(page, drawn):
    clips, task = drawn["clips"], drawn["tasks"][0]
    by_clip = rates(task, "phones", best_model(task))
    confidence = best_model(task)["confidence"]
    everything = range(len(clips["id"]))

    def group(name, value):
        return [n for n in everything if clips[name]["values"][clips[name]["index"][n]] == value]

    expected = {
        ("filter-language", "hr"): group("language", "hr"),
        ("filter-speaker", "speaker 2"): group("speaker", "speaker 2"),
        ("filter-sex", "unknown"): group("sex", ""),
        ("filter-source", "recorded"): group("source", "recorded"),
        ("filter-licence", "CC0-1.0"): group("licence", "CC0-1.0"),
        ("seconds-high", 2.5): [n for n in everything if clips["seconds"][n] <= 2.5],
        ("snr-low", -1): [n for n in everything if (clips["snr_db"][n] or -9) >= -1],
        ("units-low", 20): [n for n in everything if task["units"]["phones"][n] >= 20],
        ("rate-low", 15): [n for n in by_clip if by_clip[n] >= 0.15],
        ("confidence-high", 0.7): [n for n in everything if confidence[n] <= 0.7],
        ("search", "CLIP-0002"): [n for n in everything if "clip-0002" in clips["id"][n]],
    }  # fmt: skip
    for (name, value), indices in expected.items():
        select_only(page, name, value)
        assert 0 < len(indices) < len(everything), name
        assert sorted(listed(page)) == sorted(indices), name
        for row, model in enumerate(task["models"]):
            shown = values(page, f"#summary tbody tr:nth-child({row + 1})")
            rate = rate_of(task, "phones", model, indices)
            assert shown[3] == pytest.approx(rate), name


def test_filters_combine_and_can_be_cleared(page, drawn):
    clips = drawn["clips"]
    page.select_option("#filter-sex", label="f")
    page.fill("#seconds-low", "2")
    page.fill("#seconds-high", "5")
    expected = [n for n in range(60) if clips["sex"]["index"][n] == 1 and
                2 <= clips["seconds"][n] <= 5]  # fmt: skip
    assert sorted(listed(page)) == expected
    assert f"of {len(expected)} clips; 60 without filters" in page.inner_text("#count")
    page.fill("#search", "no clip has this text")
    assert page.inner_text("#count") == "No clip passes the filters; 60 without filters."
    page.click("#clear")
    assert len(listed(page)) == 60


@pytest.mark.parametrize("query", ["b e", "be"])
def test_the_search_reads_references_and_hypotheses_of_phones(page, drawn, query):
    task = drawn["tasks"][0]
    label = dict(zip(CODES, LABELS, strict=True))
    model = best_model(task)
    sources = (task["references"]["phones"], model["hypotheses"]["phones"])

    def text(codes):
        return "".join(label[code] for code in codes or "")

    select_only(page, "search", query)
    words = [task["references"]["as_written"] for task in drawn["tasks"][1:]]
    expected = [
        n
        for n in range(60)
        if any("be" in text(source[n]) for source in sources)
        or any(query in (source[n] or "").lower() for source in words)
        or query in drawn["clips"]["id"][n].lower()
    ]
    assert 0 < len(expected) < 60
    assert sorted(listed(page)) == expected


def expected_steps(task, norm, model, clip):
    """Return the columns that show an alignment: reference, mark, unit."""
    label = dict(zip(CODES, LABELS, strict=True)) if "alphabet" in task else {}
    glue = " " if not label else ""

    def units(text):
        return [label.get(u, u) for u in (text.split(glue) if glue else text) if u]

    reference = iter(units(task["references"][norm][clip]))
    written = iter(units(model["hypotheses"][norm][clip]))
    return [
        [
            next(reference) if op != "i" else "–",
            "" if op == "=" else op.upper(),
            next(written) if op != "d" else "–",
        ]
        for op in model["ops"][norm][clip]
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
    assert "The reports do not compare these two models." in page.inner_text("#comparison")
    page.click("[data-sort='difference']")
    by_clip = [rates(task, "phones", task["models"][m]) for m in (0, 2)]
    shown = [by_clip[0][n] - by_clip[1][n] for n in listed(page) if n in both]
    assert shown == sorted(shown, reverse=True)
    assert listed(page)[-2:] == [4, 5]


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


def test_the_value_of_a_group_filters_by_it(page, drawn):
    page.click("[data-group='language'] >> text=sr")
    assert page.input_value("#filter-language") == str(
        drawn["clips"]["language"]["values"].index("sr")
    )
    page.click("#clear")
    page.click("[data-group='length'] >> text=11-20")
    assert [page.input_value(f"#units-{side}") for side in ("low", "high")] == ["11", "20"]
    units = drawn["tasks"][0]["units"]["phones"]
    assert sorted(listed(page)) == [n for n in range(60) if 11 <= units[n] <= 20]


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


def test_the_detail_steps_through_the_list(page, drawn):
    order = listed(page)
    page.click("#first-page")
    page.click("#list tbody tr:nth-child(50)")
    page.click("text=Next of the list")
    settle(page)
    assert page.get_attribute("#list tr.current", "data-clip") == str(order[50])
    assert page.inner_text("#pages span") == "Page 2 of 2"
    page.click("text=Previous of the list")
    assert page.get_attribute("#list tr.current", "data-clip") == str(order[49])
    # The order of the list is that at the time of the click.
    page.click("[data-sort='id']")
    page.click("text=Next of the list")
    ids = sorted(drawn["clips"]["id"])
    position = ids.index(drawn["clips"]["id"][order[49]])
    assert page.inner_text("#detail-heading") == ids[position + 1]
