"""The page in chromium: the microphone arrives at the service, and phones appear."""

from __future__ import annotations

from itertools import pairwise

import pytest
from chromium_page import CHROMIUM, wait
from page_steps import committed, shown, start_recording, stop_recording

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
# The phones of the tones, which chromium plays again and again.
LINES = [["a", "a"], ["i", "i"], ["e", "u"]]
IDLE = "document.querySelector('#record').dataset.state === 'idle'"


def status(page):
    return page.inner_text("#live-status")


def message(page):
    return page.inner_text("#live-message")


def test_phones_appear_while_the_microphone_records_with_a_line_per_utterance(page, service):
    start_recording(page, phones=5)
    shown_lines = committed(page)
    assert status(page) == "Recording …"
    assert len(shown_lines) >= 3
    stop_recording(page)
    # The first line lacks its start if the browser was slow to open the microphone.
    first = next(i for i in range(len(LINES)) if shown_lines[0][-1] in LINES[i])
    for number, line in enumerate(shown_lines[1:], first + 1):
        expected = LINES[number % len(LINES)]
        assert line == expected[: len(line)]
    assert all(len(line) == 2 for line in shown_lines[1:-1])
    ((parameters, reader),) = service.streams
    assert parameters["encoding"] == "pcm_s16le"
    assert parameters["interim"] == "true"
    count = sum(map(len, committed(page)))
    assert status(page) == f"Stopped after {reader.audio_s:.1f} s; phones: {count}."
    assert page.inner_text("#live-time") == f"{reader.audio_s:.1f} s"


def test_no_sound_is_lost_between_the_microphone_and_the_service(page, service):
    start_recording(page, phones=7)
    stop_recording(page)
    starts_s = [phones[0]["start"] for phones in service.streams[0][1].phones if phones]
    # Tones start every 1.6 s. The reader places them on a grid of 0.1 s, twice.
    for before_s, after_s in pairwise(starts_s[1:]):
        assert after_s - before_s == pytest.approx(1.6, abs=0.21)
    assert len(starts_s) >= 4


# Loads the worklet outside its thread, feeds it blocks of samples, and returns its messages.
CAPTURE = """async ([size, blocks]) => {
  const messages = [];
  window.AudioWorkletProcessor = class {
    port = {postMessage: (message) => messages.push(message)};
  };
  window.registerProcessor = (name, Processor) => { window.capture = [name, Processor]; };
  await import('/page/capture.js');
  const worklet = new capture[1]({processorOptions: {chunk: size}});
  const active = blocks.map((block) => worklet.process([block === null ? [] : [block]]));
  worklet.port.onmessage();
  const after = worklet.process([[blocks[0]]]);
  return [capture[0], active, after, messages.map((message) => message &&
    [[...new Int16Array(message.pcm)], message.rms])];
}"""


def test_chunks_have_every_sample_rounded_and_limited_and_the_last_is_shorter(page):
    blocks = [[0, 0.5, -0.5], [1, -1, 2, 1.6 / 32768], None, [-0.25]]
    name, active, after, messages = page.evaluate(CAPTURE, [3, blocks])
    assert name == "capture"
    assert (active, after) == ([True] * 4, False)
    pcm = [message[0] for message in messages[:-1]]
    assert pcm == [[0, 16384, -16384], [32767, -32768, 32767], [2, -8192]]
    rms = [message[1] for message in messages[:-1]]
    assert rms == pytest.approx([(0.5 / 3) ** 0.5, 2**0.5, 0.25 / 2**0.5], rel=1e-6)
    assert messages[-1] is None


def test_provisional_phones_are_dimmed_underlined_and_replaced(page):
    page.click("#record")
    wait(page, "document.querySelector('#phones .provisional').textContent")
    style = page.eval_on_selector(
        "#phones .provisional",
        "(span) => {const style = getComputedStyle(span); return [style.fontStyle, "
        "style.textDecorationStyle, style.textDecorationLine, style.color]}",
    )
    ink = page.eval_on_selector("#phones p", "(line) => getComputedStyle(line).color")
    assert style[:3] == ["italic", "dotted", "underline"]
    assert style[3] != ink
    assert page.get_attribute("#phones .provisional", "aria-live") == "off"
    stop_recording(page)
    assert page.inner_text("#phones .provisional") == ""


def test_the_level_is_that_of_the_sound(page):
    level = "document.querySelector('#level').value"
    start_recording(page)
    wait(page, f"{level} > -20")
    # A sine of amplitude 0.3 has 20 lg(0.3 / √2) = -13.5 dBFS.
    loud = page.evaluate(level)
    assert loud == pytest.approx(-13.5, abs=1.5)
    wait(page, f"{level} === -60")  # the pause between two tones
    stop_recording(page)
    assert page.evaluate(level) == -60


def test_a_second_recording_replaces_the_first(page, service):
    start_recording(page)
    stop_recording(page)
    page.select_option("#live-model", "streaming")
    start_recording(page)
    assert len(service.streams) == 2
    assert [parameters.get("model") for parameters, _ in service.streams] == [None, "streaming"]
    assert sum(map(len, committed(page))) <= 3
    stop_recording(page)


def test_a_microphone_that_is_not_allowed_is_a_sentence(load, service):
    page = load(microphone=False)
    page.click("#record")
    wait(page, shown("live-message"))
    assert message(page).startswith("The browser does not allow this page to use the microphone")
    assert page.evaluate(IDLE)
    assert service.streams == []


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "navigator.mediaDevices.getUserMedia = () => "
            "Promise.reject(new DOMException('', 'NotFoundError'));",
            "No microphone was found; connect one and start again.",
        ),
        (
            "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});",
            "Browsers allow the microphone on this machine or over https alone; open the page by "
            "one of them.",
        ),
    ],
)
def test_a_missing_microphone_is_a_sentence(load, script, sentence):
    page = load(script=script)
    page.click("#record")
    wait(page, shown("live-message"))
    assert message(page) == sentence
    assert page.evaluate(IDLE)


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (
            (1013, ""),
            "The service is busy: it has as many live streams as it allows. Try again later.",
        ),
        ((1013, "64 streams are open; try again in 3 s"), "64 streams are open; try again in 3 s."),
        ((1008, "model 'x' is not offered"), "Model 'x' is not offered."),
        ((1011, ""), "The service closed the connection (code 1011)."),
    ],
)
def test_a_refused_stream_is_a_sentence_and_another_try_succeeds(page, service, refusal, sentence):
    service.refused_stream = refusal
    page.click("#record")
    wait(page, shown("live-message"))
    assert message(page) == sentence
    wait(page, IDLE)
    service.refused_stream = None
    start_recording(page)
    assert not page.is_visible("#live-message")
    stop_recording(page)


def test_a_service_that_stops_leaves_the_phones_and_a_sentence(page, service):
    service.ending = 1012
    start_recording(page)
    wait(page, IDLE)
    assert message(page).startswith("The service is stopping; what it recognised is shown.")
    assert sum(map(len, committed(page))) == 1
    assert status(page) == f"Stopped after {service.streams[0][1].audio_s:.1f} s; phones: 1."


def test_an_unplugged_microphone_ends_the_recording_with_its_last_phones(load, service):
    # Only the event can be made here: it is what the browser sends when a device goes.
    hold = """const open = MediaDevices.prototype.getUserMedia;
    MediaDevices.prototype.getUserMedia = async function (options) {
      return (window.stream = await open.call(this, options));
    };"""
    page = load(script=hold)
    start_recording(page)
    page.evaluate("stream.getTracks()[0].dispatchEvent(new Event('ended'))")
    wait(page, IDLE)
    assert message(page) == "The microphone was disconnected."
    assert status(page) == f"Stopped after {service.streams[0][1].audio_s:.1f} s; phones: 1."
