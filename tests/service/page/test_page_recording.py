"""The page in chromium: an upload is played, and the word that is spoken is highlighted."""

from __future__ import annotations

import json
import shutil

import pytest
import srt
import webvtt
from chromium_page import CHROMIUM, wait
from page_server import LINES
from page_steps import current, position, seek, shown, upload, wait_for_answer, words

from fonoteka.service.api_errors import RATE, ApiError

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
HOSTILE = (
    "<img src=x onerror=violations.push('ran')>",
    "</script><script>violations.push('ran')</script>",
    "\u202eabc\u2066",  # turns what follows, unless the word is isolated
    "שלום",
    "a\0b\x1b[31m",
    "&lt;b&gt;",
)


def message(page):
    return page.inner_text("#upload-message")


def test_the_highlight_follows_the_position_of_the_recording(page, recording):
    upload(page, recording)
    assert words(page) == ["Dobar", "dan.", "Kako", "ste?"]
    # The gap of 0.1 s after "Dobar" is bridged, the pause of 0.8 s is not.
    times = {0.1: None, 0.2: 0, 0.65: 0, 0.7: 1, 1.3: None, 2.0: 2, 2.44: 2, 2.9: 3, 3.2: None}
    assert {time_s: seek(page, time_s) for time_s in times} == times
    assert page.get_attribute("[data-index='3']", "aria-current") is None


HIGHLIGHTS = """window.highlights = [];
new MutationObserver(() => {
  const word = document.querySelector('.now');
  if (word && highlights.at(-1) !== word.dataset.index) highlights.push(word.dataset.index);
}).observe(document.querySelector('#transcript'), {attributes: true, subtree: true});"""


def test_the_highlight_moves_while_the_recording_plays(page, recording):
    upload(page, recording)
    page.evaluate(HIGHLIGHTS)
    page.evaluate("document.querySelector('audio').play()")
    wait(page, "highlights.length >= 2")
    assert page.evaluate("highlights.slice(0, 2)") == ["0", "1"]
    assert position(page) >= LINES[0][1][1] - 0.01


def test_the_form_sends_the_fields_of_openai_and_the_script(page, service, recording):
    upload(page, recording, language="sr", script="cyrillic")
    upload(page, recording)
    sent = {
        "file": [("glas.wav", recording.stat().st_size)],
        "response_format": ["verbose_json"],
        "timestamp_granularities[]": ["word", "segment"],
    }
    choices = {"model": ["whisper"], "language": ["sr"], "script": ["cyrillic"]}
    assert service.forms == [sent | choices, sent | {"model": ["whisper"]}]
    assert page.inner_text("#upload-status").startswith("glas.wav · 4.0 s · sr")


def test_phones_are_requested_without_a_language_or_a_script(page, service, recording):
    page.select_option("#language", "sr")
    page.select_option("#model", "whisper_ctc")
    assert page.is_disabled("#language")
    assert page.is_disabled("#script")
    page.set_input_files("#file", recording)
    page.click("#transcribe")
    wait_for_answer(page)
    assert service.forms[0]["model"] == ["whisper_ctc"]
    assert not {"language", "script"} & {*service.forms[0]}
    page.select_option("#model", "whisper")
    assert page.is_enabled("#language")


def test_word_times_are_requested_only_if_a_phone_recogniser_is_offered(load, service, recording):
    service.models = (("whisper", "words"),)
    upload(load(), recording)
    assert service.forms[0]["timestamp_granularities[]"] == ["segment"]


def test_a_click_on_a_word_seeks_to_it(page, recording):
    upload(page, recording)
    page.click("[data-index='2']")
    assert position(page) == pytest.approx(2.0, abs=0.001)
    assert current(page) == 2


def test_the_spoken_word_of_a_long_text_is_scrolled_into_view(load, service, recording):
    service.lines = tuple(((f"riječ{i}", i * 0.05, i * 0.05 + 0.04),) for i in range(80))
    page = load(reduced_motion="reduce", viewport={"width": 600, "height": 500})
    upload(page, recording)
    top = "document.querySelector('[data-index=\"79\"]').getBoundingClientRect().top"
    assert page.evaluate(top) > 500
    assert seek(page, 79 * 0.05 + 0.01) == 79
    assert 0 < page.evaluate(top) < 500


def test_hostile_text_is_shown_as_text(page, service, recording, tmp_path):
    service.lines = (tuple((text, i * 0.1, i * 0.1 + 0.1) for i, text in enumerate(HOSTILE)),)
    path = tmp_path / "<img src=x onerror=violations.push('ran')>.wav"
    shutil.copy(recording, path)
    upload(page, path)
    assert words(page) == [*HOSTILE[:4], "a\ufffdb\ufffd[31m", HOSTILE[5]]
    assert path.name in page.inner_text("#upload-status")
    assert page.evaluate("document.querySelectorAll('img, script:not([src]), b').length") == 0
    isolation = "words => [...new Set(words.map((word) => getComputedStyle(word).unicodeBidi))]"
    assert page.eval_on_selector_all(".word", isolation) == ["isolate"]
    boxes = [page.locator(f"[data-index='{i}']").bounding_box() for i in (2, 3)]
    assert boxes[0]["x"] < boxes[1]["x"] or boxes[0]["y"] < boxes[1]["y"]


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (ApiError(413, "the body has 200 MiB; the limit is 128", "too_large"),
         "The body has 200 MiB; the limit is 128."),
        (ApiError(429, "64 jobs wait", "busy", type=RATE, headers={"Retry-After": "3"}),
         "64 jobs wait. Try again in 3 s."),
        (ApiError(429, "64 jobs wait; try again in 3 s", "busy", headers={"Retry-After": "3"}),
         "64 jobs wait; try again in 3 s."),
        (ApiError(400, "<b>bold</b> is not a model", "invalid_value"),
         "<b>bold</b> is not a model."),
        (ApiError(500, "", "server_error"), "The service answered with status 500."),
    ],
)  # fmt: skip
def test_a_refused_upload_is_a_sentence_and_another_try_succeeds(
    page, service, recording, refusal, sentence
):
    service.refusal = refusal
    upload(page, recording)
    assert message(page) == sentence
    assert not page.is_visible("#result")
    service.refusal = None
    upload(page, recording)
    assert not page.is_visible("#upload-message")
    assert page.is_visible("#result")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("<html>", "The answer of the service is not JSON."),
        ('{"text": "dan", "words": [{"word": "dan"}]}',
         "The answer of the service has a word without text or times."),
        ('{"text": "dan"}', "The answer has a text but no times: dan"),
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_a_sentence(page, recording, answer, sentence):
    page.route("**/v1/audio/transcriptions", lambda route: route.fulfill(body=answer))
    upload(page, recording)
    assert message(page) == sentence


def test_a_service_that_does_not_answer_is_a_sentence(page, recording):
    page.route("**/v1/audio/transcriptions", lambda route: route.abort())
    upload(page, recording)
    assert message(page).startswith("The service did not answer: it does not run")


def test_an_answer_without_words_is_shown_by_segments(page, recording):
    segments = [{"start": 0.5, "end": 1.5, "text": " Dobar dan. "}]
    answer = json.dumps({"text": "Dobar dan.", "segments": segments, "words": None})
    page.route("**/v1/audio/transcriptions", lambda route: route.fulfill(body=answer))
    upload(page, recording)
    assert words(page) == ["Dobar dan."]
    assert seek(page, 1) == 0


def test_silence_and_doubt_are_stated(page, recording):
    doubt = "the speech may be in another language"
    answer = json.dumps({"text": "", "segments": [], "words": [], "doubt": doubt})
    page.route("**/v1/audio/transcriptions", lambda route: route.fulfill(body=answer))
    upload(page, recording)
    assert page.inner_text("#upload-status") == f"glas.wav · no speech was found · {doubt}"
    assert words(page) == []


def test_a_file_that_the_browser_cannot_play_keeps_its_words(page, tmp_path):
    path = tmp_path / "zapis.amr"
    path.write_bytes(b"#!AMR\n" + bytes(100))
    upload(page, path)
    wait(page, shown("upload-message"))
    assert message(page) == "This browser cannot play the file; its words are below."
    assert len(words(page)) == 4


def test_cancel_ends_a_request_that_runs(page, recording):
    page.route("**/v1/audio/transcriptions", lambda route: None)
    page.set_input_files("#file", recording)
    page.click("#transcribe")
    page.click("#cancel")
    assert page.inner_text("#upload-status") == "Cancelled."
    assert not page.is_visible("#cancel")
    page.unroute("**/v1/audio/transcriptions")
    upload(page, recording)
    assert len(words(page)) == 4


def saved(page, ending):
    with page.expect_download() as download:
        page.click(f"#save-{ending}")
    assert download.value.suggested_filename == f"glas.{ending}"
    return download.value.path().read_text(encoding="utf-8")


LONG = tuple((f"riječ{i:02d}", i * 0.5, i * 0.5 + 0.4) for i in range(40))
ARROW = (("1 --> 2", 30.0, 30.5), ("<i>&amp;\n\n", 30.6, 31.0))


def test_subtitles_can_be_saved_in_cues_that_fit_a_screen(page, service, recording):
    service.lines = (LONG, ARROW)
    upload(page, recording)
    subtitles = [*srt.parse(saved(page, "srt"))]
    assert [cue.index for cue in subtitles] == [*range(1, len(subtitles) + 1)]
    assert " ".join(cue.content for cue in subtitles[:-1]) == " ".join(text for text, _, _ in LONG)
    for cue in subtitles:
        assert len(cue.content) <= 84
        assert (cue.end - cue.start).total_seconds() <= 7
    last = subtitles[-1]
    assert (last.start.total_seconds(), last.end.total_seconds()) == (30.0, 31.0)
    assert last.content == "1 → 2 <i>&amp;"
    captions = webvtt.from_string(saved(page, "vtt"))
    assert len(captions) == len(subtitles)
    assert captions[-1].raw_text == "1 → 2 &lt;i&gt;&amp;amp;"
    assert captions[-1].start == "00:00:30.000"
