"""The dashboard in chromium: keyboard, names of controls, contrast, narrow windows."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from chromium_page import CHROMIUM
from dashboard_steps import listed, open_page, steps_shown

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
  for (const field of document.querySelectorAll('[placeholder]')) {
    const colour = parts(getComputedStyle(field, '::placeholder').color).slice(0, 3);
    if (field.getClientRects().length) result.push([field.placeholder, colour, behind(field)]);
  }
  return result;
})()"""
UNNAMED = """[...document.querySelectorAll('button, input, select, audio, canvas, svg, [tabindex]')]
  .filter((control) => !control.closest('[aria-hidden="true"]') && control.getClientRects().length
    && !control.labels?.length && !control.ariaLabel && !control.textContent.trim()
    && !control.getAttribute('aria-labelledby')).map((control) => control.outerHTML)"""
FOCUSED = """(() => { const e = document.activeElement;
  return e.id || e.dataset.sort || e.dataset.place || e.className || e.tagName; })()"""


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

    # 80 steps reach any control: a list of rows and the map have one step each.
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
    headings = page.eval_on_selector_all("#list thead th", "all => all.map((one) => one.innerText)")
    assert {"Duration, s", "SNR, dB", "Difference, pp"} < set(headings)
    assert page.inner_text("#range-units legend") == "Phones or words"
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
    assert {"Models", "Errors of second", "from", "D", "S", "confidence", "ʃ"} < {
        t for t, *_ in colours
    }
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


def test_in_a_narrow_window_a_click_on_a_row_shows_the_alignment(new_window, address):
    page = new_window(viewport={"width": 390, "height": 844}, reduced_motion="reduce")
    open_page(page, address)
    page.click("#list tbody tr >> nth=2")
    box = page.locator(".alignment").bounding_box()
    assert 0 < box["y"] < box["y"] + min(box["height"], 100) < 844


def test_with_reduced_motion_nothing_scrolls_smoothly(new_window, address):
    for motion, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        page = new_window(reduced_motion=motion)
        open_page(page, address)
        style = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(style) == behaviour
