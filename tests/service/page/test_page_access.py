"""The page in chromium: keys of the service, the keyboard, names of controls, and contrast."""

from __future__ import annotations

import pytest
from chromium_page import CHROMIUM, wait
from page_steps import (
    committed,
    current,
    enter_key,
    position,
    shown,
    start_recording,
    stop_recording,
    upload,
    wait_for_answer,
    wait_for_phones,
    words,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
KEY = "fk_Kl-juc_7"
# The colours of each text and of what is behind it, as [text, colour, background].
COLOURS = """(() => {
  const shown = (element) => element.getClientRects().length;
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !shown(element)) continue;
    found.push([text, getComputedStyle(element).color, behind(element)]);
  }
  return found;
})()"""
NAMELESS = """[...document.querySelectorAll('input, select, meter')]
  .filter((element) => ![...element.labels].some((label) => label.firstChild.data.trim()))
  .concat([...document.querySelectorAll('audio, section, [role=log], [role=group]')]
    .filter((element) => !element.ariaLabel && !element.getAttribute('aria-labelledby')))
  .concat([...document.querySelectorAll('button')].filter((button) => !button.textContent))
  .map((element) => element.id)"""


def test_no_key_is_asked_for_if_the_service_needs_none(page):
    assert not page.is_visible("#key-form")
    assert not page.is_visible("#service-message")


def test_a_key_is_asked_for_and_sent_with_requests_and_streams(load, service, recording):
    service.key = KEY
    page = load()
    assert page.is_visible("#key-form")
    assert page.inner_text("#service-message") == "The service asks for an API key."
    assert page.evaluate("document.activeElement.id") == "key"
    enter_key(page, "fk_wrong")
    wait(page, "document.querySelector('#service-message').textContent.includes('accept')")
    assert page.is_visible("#key-form")
    enter_key(page, KEY)
    wait(page, "document.querySelector('#key-form').hidden")
    assert not page.is_visible("#service-message")
    assert page.evaluate("document.querySelector('#model').value") == "whisper"
    upload(page, recording)
    assert len(words(page)) == 4
    start_recording(page)
    stop_recording(page)
    assert committed(page)


def test_a_key_stays_in_its_tab_and_out_of_addresses(load, service):
    service.key = KEY
    page = load()
    enter_key(page, KEY)
    wait(page, "document.querySelector('#key-form').hidden")
    page.reload()
    wait(page, "document.querySelector('#model option')")
    assert not page.is_visible("#key-form")
    start_recording(page)
    stop_recording(page)
    assert not [address for address in page.requests if KEY in address]
    assert page.evaluate("localStorage.length + document.cookie.length") == 0
    assert load().is_visible("#key-form")


def test_a_key_that_no_header_can_carry_is_refused_by_the_page(load, service):
    service.key = KEY
    page = load()
    page.fill("#key", "ključ s razmakom")
    page.press("#key", "Enter")
    message = page.inner_text("#service-message")
    assert message == "The key contains spaces or letters that no key has; copy it again."


def test_a_key_that_was_revoked_is_asked_for_again(page, service):
    service.key = KEY
    page.click("#record")
    wait(page, shown("key-form"))
    wait(page, shown("live-message"))
    assert page.inner_text("#live-message") == "The key is not valid."
    enter_key(page, KEY)
    wait(page, "document.querySelector('#key-form').hidden")
    start_recording(page)
    stop_recording(page)


def test_a_service_that_does_not_answer_is_stated_at_the_top(browser, service, load):
    page = load()
    page.route("**/v1/models", lambda route: route.abort())
    page.reload()
    wait(page, shown("service-message"))
    assert page.inner_text("#service-message").startswith("The service did not answer")


def tab_to(page, name):
    """Press Tab until an element has the focus; each stop on the way shows it."""
    for _ in range(40):
        page.keyboard.press("Tab")
        focus, outline = page.evaluate(
            "[document.activeElement.id || document.activeElement.dataset.index, "
            "getComputedStyle(document.activeElement).outlineStyle]"
        )
        # Inside `audio` the browser's own buttons have the focus and show it.
        assert outline != "none" or focus == "audio", focus
        if focus == name:
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_the_page_can_be_used_by_keyboard_alone(page, recording):
    page.on("filechooser", lambda chooser: chooser.set_files(recording))
    tab_to(page, "record")
    page.keyboard.press("Enter")
    wait_for_phones(page, 1)
    page.keyboard.press("Space")  # the button has the focus still
    wait(page, "document.querySelector('#record').dataset.state === 'idle'")
    assert committed(page)
    tab_to(page, "phones")  # which scrolls by arrow keys
    tab_to(page, "file")
    page.keyboard.press("Enter")
    wait(page, "document.querySelector('#file').files.length === 1")
    tab_to(page, "language")
    page.keyboard.type("Ser")
    tab_to(page, "transcribe")
    page.keyboard.press("Enter")
    wait_for_answer(page)
    assert page.evaluate("document.querySelector('#language').value") == "sr"
    tab_to(page, "0")
    assert page.locator(".word[tabindex='0']").count() == 1
    for key in ("ArrowRight", "ArrowDown", "End", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    assert current(page) == 2
    assert position(page) == pytest.approx(2.0, abs=0.001)
    tab_to(page, "save-srt")
    with page.expect_download():
        page.keyboard.press("Enter")


def test_focus_returns_to_the_form_when_a_request_is_cancelled(page, recording):
    page.route("**/v1/audio/transcriptions", lambda route: None)
    page.set_input_files("#file", recording)
    page.click("#transcribe")
    page.focus("#cancel")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "transcribe"


def test_each_control_has_a_name(load, service, recording):
    service.key = KEY
    page = load()
    assert page.evaluate(NAMELESS) == []
    enter_key(page, KEY)
    upload(page, recording)
    assert page.evaluate(NAMELESS) == []
    assert page.get_attribute("html", "lang") == "en"
    roles = "[...document.querySelectorAll('[role=alert], [role=status], [role=log]')].length"
    assert page.evaluate(roles) == 6


def contrast(first, second):
    """Return the contrast of two CSS colours.

    Source: "contrast ratio" and "relative luminance" of WCAG 2.2.
    """

    def luminance(colour):
        parts = [int(part) / 255 for part in colour[4:-1].split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, bright = sorted(map(luminance, (first, second)))
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_is_21_between_black_and_white():
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_a_contrast_of_at_least_4_5(load, service, recording, scheme):
    page = load(color_scheme=scheme)
    upload(page, recording)
    page.click("[data-index='0']")
    service.refused_stream = (1013, "")
    page.click("#record")
    wait(page, shown("live-message"))
    colours = page.evaluate(COLOURS)
    service.refused_stream = None
    page.click("#record")
    wait(page, "document.querySelector('#phones .provisional').textContent")
    colours += page.evaluate(COLOURS)
    stop_recording(page)
    # The word of the transcript is highlighted, and a phone of the log is provisional.
    assert {"Dobar", "dan.", "a", "Transcribe"} < {text for text, *_ in colours}
    assert not [(text, *pair) for text, *pair in colours if contrast(*pair) < 4.5]


def test_light_and_dark_pages_have_other_backgrounds(load):
    for scheme, bright in (("light", True), ("dark", False)):
        page = load(color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (contrast(colour, "rgb(0, 0, 0)") > 10) is bright
