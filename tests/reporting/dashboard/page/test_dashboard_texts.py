"""The dashboard in chromium: hostile text is shown as text, and sound can be played."""

from __future__ import annotations

import re

import pytest
from chromium_page import CHROMIUM, wait
from dashboard_maker import HOSTILE
from dashboard_steps import select_only, steps_shown

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


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
    assert page.get_attribute(f"{row} .open", "title") == shown_text(name)
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
