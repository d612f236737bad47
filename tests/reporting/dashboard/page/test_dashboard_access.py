"""The dashboard in chromium: hostile text, sound, keyboard, contrast, links, CSV, many clips."""

from __future__ import annotations

import csv
import io
import re
from itertools import pairwise

import pytest
from dashboard_maker import CODES, HOSTILE, LABELS, document
from dashboard_steps import (
    CHROMIUM,
    choose,
    listed,
    open_page,
    select_only,
    settle,
    steps_shown,
    wait,
)

from fonoteka.reporting.dashboard.page.render import render

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
# The colour of each text and of what is behind it, as [text, colour, background]. A canvas turns
# colours of any notation into numbers.
COLOURS = """(() => {
  const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const parts = (colour) => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parts(getComputedStyle(element).backgroundColor);
      if (colour[3] === 255) return colour.slice(0, 3);
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const result = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.getClientRects().length || element.closest('.hidden-text')) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    result.push([text, parts(colour).slice(0, 3), behind(element)]);
  }
  return result;
})()"""
UNNAMED = """[...document.querySelectorAll('button, input, select, audio, canvas, svg, [tabindex]')]
  .filter((control) => !control.closest('[aria-hidden="true"]') && control.getClientRects().length
    && !control.labels?.length && !control.ariaLabel && !control.textContent.trim()
    && !control.getAttribute('aria-labelledby')).map((control) => control.outerHTML)"""
FOCUSED = """(() => { const e = document.activeElement;
  return e.id || e.dataset.sort || e.dataset.place || e.className || e.tagName; })()"""


def shown_text(text):
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", "\ufffd", text)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_text_is_shown_as_text(load, drawn, number):
    clip = 10 + number
    page = load("#task=words&norm=as_written&page=1")
    name = drawn["clips"]["id"][clip]
    select_only(page, "search", name.split("\x00")[0][:40])
    row = f"tr[data-clip='{clip}']"
    assert page.text_content(f"{row} .open") == shown_text(name)
    assert page.text_content(f"{row} .text") == shown_text(HOSTILE[number])
    page.click(row)
    assert page.text_content("#detail-heading") == shown_text(name)
    reference = [step[0] for step in steps_shown(page) if step[0] != "–"]
    assert reference == shown_text(HOSTILE[number]).split(" ")
    assert page.evaluate("document.querySelectorAll('img, script').length") == 14


def test_text_of_a_clip_does_not_turn_its_neighbours(page):
    directions = "cells => cells.map((cell) => getComputedStyle(cell).unicodeBidi)"
    assert {*page.eval_on_selector_all("#list td bdi, #list .open bdi", directions)} == {"isolate"}


def test_a_clip_with_sound_plays_and_has_a_spectrogram_of_its_tone(load):
    page = load("#clip=clip-00000")
    wait(page, "document.querySelector('canvas').dataset.seconds === '1.00'")
    # The loudest row of the picture is the tone of 440 Hz: 256 rows up to 8 kHz.
    loudest = page.evaluate("""(() => {
      const canvas = document.querySelector('canvas');
      const { data } = canvas.getContext('2d').getImageData(300, 0, 1, canvas.height);
      const rows = [...Array(canvas.height).keys()].map((y) => data[4 * y] + data[4 * y + 1]);
      return canvas.height - 1 - rows.indexOf(Math.max(...rows));
    })()""")
    assert loudest * 8000 / 256 == pytest.approx(440, abs=32)
    page.evaluate("document.querySelector('audio').play()")
    wait(page, "document.querySelector('audio').currentTime > 0.2")
    page.evaluate("document.querySelector('audio').pause()")
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.75, "y": 20})
    assert page.evaluate("document.querySelector('audio').currentTime") == pytest.approx(
        0.75, abs=0.02
    )


def test_another_clip_stops_the_sound_and_a_clip_without_sound_has_no_player(load):
    page = load("#clip=clip-00000")
    page.evaluate("window.first = document.querySelector('audio'); first.loop = true; first.play()")
    select_only(page, "search", "clip-00001")
    page.click("tr[data-clip='1']")
    assert page.evaluate("first.paused")
    assert page.locator("audio, canvas").count() == 0


def test_the_keyboard_alone_reaches_filters_rows_pages_and_the_map(page):
    def tab_to(condition, key="Tab"):
        for _ in range(80):
            page.keyboard.press(key)
            if page.evaluate(condition):
                outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                stroke = page.evaluate("getComputedStyle(document.activeElement).strokeWidth")
                assert outline == "solid" or stroke == "3px", page.evaluate(FOCUSED)
                return
        raise AssertionError(condition)

    tab_to("document.activeElement.className === 'skip'")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "list-heading"
    tab_to("document.activeElement.id === 'search'")
    page.keyboard.type("clip-0002")
    tab_to("document.activeElement.dataset.sort === 'id'")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "id"
    order = listed_without_click(page)
    assert order == [*range(20, 30)]
    tab_to("document.activeElement.classList.contains('open')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED) == "detail-heading"
    assert page.inner_text("#detail-heading") == "clip-00022"
    tab_to("document.activeElement.id === 'counts'")
    tab_to("document.activeElement.classList.contains('cell')")
    first = page.evaluate(FOCUSED)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(FOCUSED) != first
    label = page.get_attribute(":focus", "aria-label")
    assert page.inner_text("#readout") == label
    page.keyboard.press("Enter")
    assert label.rsplit(":", 1)[0] in page.inner_text("#count")
    assert page.evaluate(FOCUSED) == "list-heading"


def listed_without_click(page):
    return page.eval_on_selector_all(
        "#list tbody tr", "rows => rows.map((row) => Number(row.dataset.clip))"
    )


def test_arrows_move_over_the_end_of_a_page(page):
    order = listed(page)
    page.click("#first-page")
    page.focus("#list tbody tr:last-child .open")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('tr').dataset.clip") == str(order[50])
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.closest('tr').dataset.clip") == str(order[49])
    stops = page.locator("#list .open[tabindex='0']").count()
    assert stops == 1


def test_every_control_has_a_name_and_headings_have_no_gap(load):
    page = load("#clip=clip-00000&second=model_1")
    page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
    assert page.evaluate(UNNAMED) == []
    levels = page.eval_on_selector_all(
        "h1, h2, h3", "all => all.map((one) => Number(one.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_alignment_is_read_as_sentences_and_marks_need_no_colour(load):
    page = load("#clip=clip-00006&second=model_2")
    assert page.get_attribute(".alignment", "aria-hidden") == "true"
    text = page.text_content("#detail .hidden-text")
    assert re.match(r"Reference: .*\. model_0: unit 1: \S+ deleted; unit 2: ", text)
    assert {step[1] for step in steps_shown(page)} == {"D"}
    assert "S substituted, D deleted, I inserted" in page.inner_text("#detail")


def contrast(first, second):
    """Return the contrast of two colours.

    Source: "contrast ratio" and "relative luminance" of WCAG 2.2.
    """

    def luminance(colour):
        parts = [part / 255 for part in colour]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, bright = sorted(map(luminance, (first, second)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("chosen", ["", "light", "dark"])
def test_all_text_has_a_contrast_of_at_least_4_5(new_window, address, scheme, chosen):
    page = new_window(color_scheme=scheme)
    open_page(page, address, "#clip=clip-00007&second=model_2&page=1&nonsense=1")
    page.select_option("#theme", chosen)
    page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
    page.hover(".cell >> nth=0")
    colours = page.evaluate(COLOURS)
    assert {"Models", "Errors of second", "D", "S", "confidence", "ʃ"} < {t for t, *_ in colours}
    assert not [(text, *pair) for text, *pair in colours if contrast(*pair) < 4.5]
    background = page.evaluate(COLOURS)[0][2]
    assert (contrast(background, (0, 0, 0)) > 10) is ((chosen or scheme) == "light")
    page.reload()
    assert page.input_value("#theme") == chosen


@pytest.mark.parametrize("width", [360, 700])
def test_a_narrow_window_scrolls_tables_and_not_the_page(new_window, address, width):
    page = new_window(viewport={"width": width, "height": 700})
    open_page(page, address, "#clip=clip-00000&second=model_1")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.querySelector('#list').scrollWidth > innerWidth")


def test_with_reduced_motion_nothing_scrolls_smoothly(new_window, address):
    for motion, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        page = new_window(reduced_motion=motion)
        open_page(page, address)
        style = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(style) == behaviour


def test_the_link_restores_the_state_after_a_reload(load, drawn):
    page = load()
    choose(page, "task", "words")
    choose(page, "norm", "within_script")
    choose(page, "second", "tuned")
    page.select_option("#filter-language", label="hr")
    page.fill("#seconds-low", "1.5")
    page.fill("#search", "a")
    page.click("[data-sort='units']")
    page.click("#list tbody tr:nth-child(2)")
    settle(page)
    parts = "#list", "#summary", "#detail", "#count", "#comparison", "#confusions", "#groups"
    before = [page.inner_text(part) for part in parts]
    link = page.url
    assert "language=hr" in link
    page.reload()
    settle(page)
    assert page.url == link
    after = [page.inner_text(part) for part in parts]
    assert after == before
    assert page.input_value("#seconds-low") == "1.5"
    assert page.input_value("#search") == "a"
    assert not page.locator("#message").is_visible()


def test_a_page_from_a_disk_requests_itself_alone(load, address):
    page = load("#clip=clip-00000&second=model_1")
    wait(page, "document.querySelector('audio').readyState >= 4")
    assert [url for url in page.requests if not url.startswith("data:audio/")] == [address]


def test_a_confusion_is_in_the_link(load):
    page = load()
    page.click(".cell >> nth=5")
    settle(page)
    expected = page.inner_text("#count")
    assert "reference=" in page.url
    page.reload()
    settle(page)
    assert page.inner_text("#count") == expected


@pytest.mark.parametrize(
    ("fragment", "ignored"),
    [
        ("#task=nothing&model=x&sort=color&page=-1", "task, model, sort, page"),
        ("#language=xx&seconds=9&snr=..&rate=a..b", "language, seconds, snr, rate"),
        ("#__proto__=1&constructor=2&toString=3", "__proto__, constructor, toString"),
        ("#clip=%3Cimg%20src%3Dx%20onerror%3D1%3E&%3Cb%3E=1", "clip, <b>"),
        ("#page=1&page=2", "page"),
        ("#" + "x" * 5000, "x" * 200),
        ("#%E0%A4%A", "\ufffd"),
        ("#search=" + "y" * 300 + "&reference=" + "z" * 300, "search, reference"),
    ],
)
def test_nonsense_in_the_link_is_ignored_with_a_message(load, fragment, ignored):
    page = load(fragment)
    message = page.text_content("#message")
    assert message.startswith("Parts of the link do not fit this page and were ignored: " + ignored)
    assert len(message) < 400
    assert page.get_attribute("#message", "role") == "alert"
    assert page.locator("#list tbody tr").count() == 50
    assert page.evaluate("location.hash") == "#task=phones&model=model_0"


def test_a_page_number_after_the_last_is_the_last(load):
    assert load("#page=99").inner_text("#pages span") == "Page 2 of 2"


def downloaded(page):
    with page.expect_download() as download:
        page.click("#download")
    path = download.value.path()
    return download.value.suggested_filename, path.read_bytes()


def test_the_download_has_the_filtered_rows_in_their_order(load, drawn):
    page = load("#second=model_2&sex=f")
    name, content = downloaded(page)
    assert name == "phones-model_0.csv"
    text = content.decode("utf-8-sig")
    assert content.startswith(b"\xef\xbb\xbf")
    assert not re.search("(?<!\r)\n", text)
    table = [*csv.DictReader(io.StringIO(text, newline=""), strict=True)]
    indices = listed(page)
    ids = drawn["clips"]["id"]
    assert [row["id"] for row in table] == [
        "'" + ids[n] if ids[n][0] == "=" else ids[n] for n in indices
    ]
    task = drawn["tasks"][0]
    label = dict(zip(CODES, LABELS, strict=True))
    for row, n in zip(table, indices, strict=True):
        assert row["sex"] == "f"
        assert float(row["seconds"]) == drawn["clips"]["seconds"][n]
        assert row["snr_db"] == ("" if n == 7 else f"{drawn['clips']['snr_db'][n]:g}")
        for model, prefix in ((task["models"][0], ""), (task["models"][2], "second_")):
            codes = model["hypotheses"]["phones"][n]
            assert row[prefix + "hypothesis"] == " ".join(label[code] for code in codes or "")
            count = model["deletions"]["phones"][n]
            assert row[prefix + "deletions"] == ("" if count is None else str(count))


def test_the_download_neutralises_formulas_and_keeps_numbers(page):
    fields = [
        "=1+1",
        "+a",
        "-a",
        "@a",
        "\ta",
        "\ra",
        " =a",
        "＝a",
        "a=b",
        'a"b',
        "a,b",
        "a\nb",
        "'",
    ]
    results = page.evaluate("(fields) => fields.map(csvField)", fields)
    plain = [next(csv.reader(io.StringIO(r, newline=""), strict=True))[0] for r in results]
    assert plain == [*("'" + field for field in fields[:8]), *fields[8:]]
    numbers = page.evaluate("[-3.5, 0, null, undefined, NaN, Infinity].map(csvField)")
    assert numbers == ["-3.5", "0", "", "", "", ""]


def test_the_transform_agrees_with_its_definition(page):
    wrong = page.evaluate("""(() => {
      const samples = Array.from({ length: 64 }, (_, n) => Math.sin(n * n) + n / 64);
      const [real, imaginary] = [Float64Array.from(samples), new Float64Array(64)];
      transform(real, imaginary);
      return Math.max(...samples.map((_, bin) => {
        let [x, y] = [0, 0];
        samples.forEach((value, n) => {
          x += value * Math.cos(2 * Math.PI * bin * n / 64);
          y -= value * Math.sin(2 * Math.PI * bin * n / 64);
        });
        return Math.hypot(x - real[bin], y - imaginary[bin]);
      }));
    })()""")
    assert wrong < 1e-9  # sums of 64 doubles


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
