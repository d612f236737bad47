"""The dashboard in chromium: the list of utterances, its order, and filters."""

from __future__ import annotations

import pytest
from chromium_page import CHROMIUM
from dashboard_expected import TASKS, best_model, rates, worst_first
from dashboard_maker import CODES, LABELS, clip_errors, document, rate_of
from dashboard_steps import listed, select_only, settle, values

from fonoteka.reporting.dashboard.page.render import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


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
        existing = [value for value in shown if value is not None]
        assert shown[len(existing) :] == [None] * (len(shown) - len(existing))
        direction = page.get_attribute(f"th:has([data-sort='{name}'])", "aria-sort")
        assert existing == sorted(existing, reverse=direction == "descending")
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


def test_ten_thousand_utterances_change_one_page_of_rows(load, tmp_path):
    # Times are in time_page.py; here, what a filter touches does not grow with the corpus.
    path = tmp_path / "index.html"
    source = document(10_000, models=2, units=6, hostile=False, audio=False)
    path.write_text(render(source), encoding="utf-8", newline="\n")
    page = load(url=path.as_uri())
    changed = page.evaluate("""(async () => {
      const rows = [];
      const note = (records) => rows.push(...records.flatMap((one) => [...one.addedNodes])
        .flatMap((node) => [node, ...(node.querySelectorAll?.('*') ?? [])]));
      const observer = new MutationObserver(note);
      observer.observe(document.querySelector('#list'), { childList: true, subtree: true });
      const field = document.querySelector('#search');
      field.value = 'clip-0';
      field.dispatchEvent(new Event('input', { bubbles: true }));
      note(observer.takeRecords());
      return [rows.filter((node) => node.tagName === 'TR').length,
        document.querySelectorAll('#list tr').length, document.querySelectorAll('*').length];
    })()""")
    assert changed[:2] == [51, 51]
    assert changed[2] < 5000
    assert "of 10,000 clips" in page.inner_text("#count")
    select_only(page, "search", "clip-09")
    assert "of 1,000 clips; 10,000 without filters" in page.inner_text("#count")
