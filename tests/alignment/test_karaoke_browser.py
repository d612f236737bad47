"""The karaoke page in chromium: the highlight follows the recording, and keys seek in it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import pytest
from chromium_page import CHROMIUM, launched
from chromium_page import wait as wait_at_most
from dvc_yaml import TOP
from karaoke_maker import DURATION_S, aligned, long_text, with_texts, write_noise

from fonoteka.alignment.karaoke_page import LOW_SCORE, write_karaoke
from fonoteka.text.to_cyrillic import to_cyrillic

wait = partial(wait_at_most, limit_s=10)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
TEXT = long_text()
WORDS = [*TEXT.words]
NAME = "š 100%#?.wav"
TOLERANCE_S = 0.05
HAS_MESSAGE = "!document.querySelector('#message').hidden"
LOADED = "document.querySelector('audio').readyState >= 4"

# Return, `count` times at random moments, the position of the recording, the highlighted word and
# the age of the last frame in seconds: a page can change only when the browser draws a frame, and
# on a busy machine frames are late.
SAMPLE = """async ([count, longestWait]) => {
  let frame = performance.now(), running = true;
  const watch = () => { frame = performance.now(); if (running) requestAnimationFrame(watch); };
  requestAnimationFrame(watch);
  const audio = document.querySelector('audio'), samples = [];
  while (samples.length < count) {
    await new Promise((done) => setTimeout(done, Math.random() * longestWait));
    const words = [...document.querySelectorAll('[aria-current="true"]')];
    samples.push([audio.currentTime, words.map((word) => Number(word.dataset.index)),
      (performance.now() - frame) / 1000]);
  }
  running = false;
  return samples;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with a recording and two pages: it is beside one and inside the other."""
    path = tmp_path_factory.mktemp("karaoke")
    recording = write_noise(path / NAME)
    for name, embed in (("page.html", False), ("embedded.html", True)):
        write_karaoke(
            TEXT,
            recording,
            path / name,
            embed=embed,
            title="Proba",
            other_script=with_texts(TEXT, to_cyrillic),
        )
    return path


@pytest.fixture(scope="module")
def browser():
    with launched() as chromium:
        yield chromium


@pytest.fixture(scope="module")
def new_page(browser):
    """Return a function that opens a window, which notes its requests and errors."""

    def create(**options):
        page = browser.new_page(viewport={"width": 700, "height": 420}, **options)
        page.set_default_timeout(10_000)
        page.requests, page.problems = [], []
        page.on("request", lambda request: page.requests.append(request.url))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        return page

    return create


@pytest.fixture(scope="module")
def window(new_page):
    """Return a window for all tests that need no other: a new one takes 0.7 s."""
    return new_page()


@pytest.fixture
def load(window):
    """Return a function that opens an address; an error of its script fails the test."""

    def open_address(address, page=window, loaded=LOADED):
        page.goto("about:blank")  # or a change of the fragment alone would not load the page
        page.requests.clear()
        page.goto(address)
        wait(page, loaded)
        return page

    yield open_address
    assert not window.problems
    window.goto("about:blank")


@pytest.fixture
def page(load, folder):
    return load((folder / "page.html").as_uri())


def position(page):
    return page.evaluate("document.querySelector('audio').currentTime")


def current(page):
    """Return the number of the highlighted word, or None."""
    indices = page.evaluate(
        "[...document.querySelectorAll('.now[aria-current=\"true\"]')].map(w => w.dataset.index)"
    )
    assert len(indices) <= 1
    return int(indices[0]) if indices else None


def expected(start_s, end_s):
    """Return the words that may be highlighted at some moment of an interval, or None."""
    spans = []
    for index, word in enumerate(WORDS):
        later = WORDS[index + 1].start_s if index + 1 < len(WORDS) else DURATION_S + 10
        spans.append((word.start_s, later if later - word.end_s < 0.3 else word.end_s))
    words = {i for i, (start, end) in enumerate(spans) if start <= end_s and end > start_s}
    gaps = zip([-1.0, *(end for _, end in spans)], [*(s for s, _ in spans), 99.0], strict=True)
    gap = any(end < start and end <= end_s and start > start_s for end, start in gaps)
    return words | ({None} if gap else set())


def wrong(samples, rate=1.0):
    """Return the samples with another highlight than those of the last 50 ms, or since a frame."""
    return [
        (time_s, indices, age_s)
        for time_s, indices, age_s in samples
        if len(indices) > 1
        or not {*(indices or [None])}
        & expected(time_s - max(TOLERANCE_S, rate * age_s + 0.005), time_s + TOLERANCE_S)
    ]


def seek(page, time_s):
    """Move the slider and wait until the browser has the new position."""
    page.evaluate(
        """(time) => new Promise((done) => {
          document.querySelector('audio').addEventListener('seeked', done, { once: true });
          const slider = document.querySelector('#position');
          slider.value = time;
          slider.dispatchEvent(new Event('input', { bubbles: true }));
        }).then(() => true)""",
        time_s,
    )


def play(page, rate="1"):
    page.select_option("#rate", rate)
    page.click("#play")


def test_the_highlight_is_right_at_random_moments_while_playing(page):
    play(page)
    samples = page.evaluate(SAMPLE, [70, 140])
    assert samples[-1][0] - samples[0][0] > 3
    assert not wrong(samples)
    # Frames come in time, or the samples prove nothing.
    assert sum(age_s < TOLERANCE_S for *_, age_s in samples) > len(samples) / 2
    shown = {index for _, indices, _ in samples for index in indices or [None]}
    assert len(shown) >= 6


@pytest.mark.parametrize(("rate", "start_s"), [("0.5", 2), ("2", 11)])
def test_the_highlight_is_right_at_other_rates_after_seeking(page, rate, start_s):
    seek(page, start_s)
    play(page, rate)
    samples = page.evaluate(SAMPLE, [40, 160])
    page.click("#play")
    elapsed_s = samples[-1][0] - samples[0][0]
    assert start_s <= samples[0][0]
    assert 1 < elapsed_s / (float(rate) * 40 * 0.08) * 2 < 4  # about 3.2 s of wall time
    assert not wrong(samples, float(rate))


def test_the_highlight_is_right_after_each_of_60_seeks(page):
    times_s = random.Random(0).sample([n / 100 for n in range(int(DURATION_S * 100))], 60)
    for time_s in times_s:
        seek(page, time_s)
        assert position(page) == pytest.approx(time_s, abs=0.01)
        shown = current(page)
        assert shown in expected(time_s - 0.001, time_s + 0.001), time_s


def test_the_highlight_stops_in_a_pause_and_continues_after_it(page):
    play(page, "2")
    before = page.evaluate(SAMPLE, [10, 100])
    page.click("#play")
    wait(page, "document.querySelector('#play').textContent === 'Play'")
    paused_s = position(page)
    still = page.evaluate(SAMPLE, [5, 100])
    assert {time_s for time_s, *_ in still} == {paused_s}
    page.click("#play")
    after = page.evaluate(SAMPLE, [15, 100])
    assert after[-1][0] > paused_s + 0.5
    assert not wrong([*before, *still, *after], 2)


def test_at_the_end_nothing_is_highlighted(page):
    seek(page, DURATION_S - 0.4)
    play(page)
    wait(page, "document.querySelector('audio').ended")
    wait(page, "document.querySelector('#play').textContent === 'Play'")
    assert current(page) is None
    assert page.inner_text("#time") == "0:20 / 0:20"


def test_a_click_seeks_to_each_word_of_the_first_lines(page):
    for index in (5, 0, 1, 4, 2, 3):
        page.click(f"[data-index='{index}']")
        assert position(page) == pytest.approx(WORDS[index].start_s, abs=0.001)
        assert current(page) == index


def test_a_click_highlights_each_of_1000_words_although_positions_are_rounded(load, tmp_path):
    # Chromium reports about 2 % of the positions in whole milliseconds 1 µs before them.
    recording = write_noise(tmp_path / "a.wav")
    times_s = [n * 19 / 1000 for n in range(1001)]
    text = aligned(*((f"reč{n}", *span) for n, span in enumerate(pairwise(times_s))))
    write_karaoke(text, recording, tmp_path / "page.html", embed=False, title="Proba")
    page = load((tmp_path / "page.html").as_uri())
    highlighted = page.evaluate(
        "[...document.querySelectorAll('.word')].map((word) => {"
        "word.click(); return Number(document.querySelector('.now')?.dataset.index); })"
    )
    assert highlighted == [*range(1000)]


def test_enter_seeks_to_the_word_with_the_focus(page):
    page.focus("[data-index='8']")
    page.keyboard.press("Enter")
    assert position(page) == pytest.approx(WORDS[8].start_s, abs=0.001)
    assert current(page) == 8


def test_space_plays_and_pauses_and_a_focused_button_keeps_its_own_key(page):
    paused = "document.querySelector('audio').paused"
    page.keyboard.press("Space")
    assert not page.evaluate(paused)
    page.keyboard.press("Space")
    assert page.evaluate(paused)
    page.focus("#phones")
    page.keyboard.press("Space")
    assert page.evaluate(paused)
    assert page.get_attribute("#phones", "aria-pressed") == "true"


def test_left_and_right_seek_by_5_s_within_the_recording(page):
    positions = []
    for key in ("Right", "Right", "Left", "Left", "Left"):
        page.keyboard.press(f"Arrow{key}")
        positions.append(position(page))
    assert positions == [5, 10, 5, 0, 0]
    page.focus("#position")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert position(page) == DURATION_S


def test_up_and_down_seek_by_words_and_the_focus_follows(page):
    def press(key):
        page.keyboard.press(key)
        assert position(page) == pytest.approx(WORDS[current(page)].start_s, abs=0.001)
        return current(page)

    assert [press("ArrowDown") for _ in range(4)] == [0, 1, 2, 3]
    assert [press("ArrowUp") for _ in range(2)] == [2, 1]
    page.focus("[data-index='1']")
    assert press("ArrowDown") == 2
    assert page.evaluate("document.activeElement.dataset.index") == "2"
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    stops = page.evaluate("[...document.querySelectorAll('.word[tabindex=\"0\"]')].length")
    assert stops == 1


def test_before_the_first_word_up_seeks_to_the_start_and_in_a_pause_to_the_last_word(page):
    seek(page, 0.2)
    page.keyboard.press("ArrowUp")
    assert position(page) == 0
    index = next(i for i in range(len(WORDS)) if WORDS[i + 1].start_s - WORDS[i].end_s > 0.7)
    seek(page, WORDS[index].end_s + 0.3)
    assert current(page) is None
    page.keyboard.press("ArrowUp")
    assert current(page) == index


@pytest.mark.parametrize("keys", ["[]", ",."])
def test_keys_change_the_rate_between_one_half_and_two(page, keys):
    rates = []
    for key in keys[1] * 4 + keys[0] * 6:
        page.keyboard.press(key)
        rates.append(page.evaluate("document.querySelector('audio').playbackRate"))
    assert rates == [1.25, 1.5, 2, 2, 1.5, 1.25, 1, 0.75, 0.5, 0.5]
    assert page.input_value("#rate") == "0.5"


def test_keys_with_control_are_those_of_the_browser(page):
    page.keyboard.press("Control+ArrowRight")
    assert position(page) == 0


def test_the_buttons_show_phones_and_the_other_script(page):
    word = page.locator("[data-index='0']")
    assert not word.locator(".sound").is_visible()
    page.click("#phones")
    assert word.locator(".sound").inner_text() == "dʒ e"
    assert word.locator(".sound").bounding_box()["y"] > word.locator(".text").bounding_box()["y"]
    assert page.inner_text("#script") == "Cyrillic"
    page.click("#script")
    assert word.locator(".text").inner_text() == "речба"
    assert page.get_attribute("main", "lang") == "sr-Cyrl"
    page.click("#script")
    assert word.locator(".text").inner_text() == "rečba"
    assert page.get_attribute("main", "lang") == "sr-Latn"


def test_words_with_a_low_score_have_a_dotted_line_and_a_title(page):
    low = [i for i, word in enumerate(WORDS) if word.score < LOW_SCORE]
    assert page.eval_on_selector_all(".low", "words => words.map(w => +w.dataset.index)") == low
    assert page.get_attribute(f"[data-index='{low[0]}']", "title") == "low score: 0.15"
    style = "words => getComputedStyle(words[0]).textDecorationStyle"
    assert page.eval_on_selector_all(".low .text", style) == "dotted"
    assert page.get_attribute(f"[data-index='{low[0] + 1}']", "title") is None


def visible(page, index):
    top, bottom = page.evaluate(
        f"(() => {{const box = document.querySelector('[data-index=\"{index}\"]')"
        ".getBoundingClientRect(); return [box.top, box.bottom]; })()"
    )
    return top >= 0 and bottom <= page.locator("footer").bounding_box()["y"]


LAST = len(WORDS) - 1


def test_the_line_scrolls_into_view(page):
    assert not visible(page, LAST)
    seek(page, WORDS[LAST].start_s)
    page.wait_for_timeout(1200)
    assert visible(page, LAST)


def test_the_line_stays_if_the_reader_scrolled_lately_or_prefers_reduced_motion(
    load, new_page, folder
):
    url = (folder / "page.html").as_uri()
    calm = load(url, new_page(reduced_motion="reduce"))
    page = load(url)
    seek(calm, WORDS[LAST].start_s)
    seek(page, WORDS[LAST].start_s - 0.5)
    play(page, "0.5")
    page.mouse.move(300, 200)
    page.wait_for_timeout(300)
    page.mouse.wheel(0, -3000)
    wait(page, "scrollY === 0")
    wait(page, f"document.querySelector('.now')?.dataset.index === '{LAST}'")
    page.wait_for_timeout(600)
    assert not visible(page, LAST)
    assert calm.evaluate("scrollY") == 0


def test_dark_mode_changes_the_colours(load, new_page, folder):
    url = (folder / "page.html").as_uri()
    colours = {
        scheme: load(url, new_page(color_scheme=scheme)).evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
        )
        for scheme in ("light", "dark")
    }
    assert min(colours["light"]) > 200
    assert max(colours["dark"]) < 60


def test_a_page_from_a_disk_requests_its_recording_alone(page, folder):
    play(page)
    wait(page, "document.querySelector('audio').currentTime > 0.2")
    urls = {(folder / name).as_uri() for name in ("page.html", NAME)}
    assert {*page.requests} == urls


def test_an_embedded_recording_plays_and_seeks_without_a_request(load, folder):
    page = load((folder / "embedded.html").as_uri())
    page.click("[data-index='7']")
    play(page)
    samples = page.evaluate(SAMPLE, [10, 60])
    assert samples[-1][0] > WORDS[7].start_s + 0.1
    assert not wrong(samples)
    assert page.requests == [(folder / "embedded.html").as_uri()]


@pytest.fixture
def server(folder):
    """Serve the folder; the server keeps the paths of requests, and answers no ranges."""
    paths = []

    class RequestRecorder(SimpleHTTPRequestHandler):
        def log_request(self, code="-", size="-"):
            paths.append(self.path)

    handler = partial(RequestRecorder, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        http.paths = paths
        threading.Thread(target=http.serve_forever).start()
        yield http
        http.shutdown()


def test_a_server_gets_two_requests_and_a_message_tells_that_it_cannot_seek(load, server):
    page = load(f"http://127.0.0.1:{server.server_port}/page.html")
    play(page)
    wait(page, "document.querySelector('audio').currentTime > 0.2")
    page.keyboard.press("ArrowRight")
    assert 0.2 < position(page) < 4
    assert page.inner_text("#message").startswith("The server of this page does not support")
    assert server.paths == ["/page.html", "/%C5%A1%20100%25%23%3F.wav"]


def test_a_page_opens_at_the_time_in_its_fragment(load, folder):
    page = load((folder / "page.html").as_uri() + f"#t={WORDS[9].start_s:.4f}")
    assert current(page) == 9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "The recording cannot be played: the file a%20b.wav is missing, or has a format"),
        (b"RIFF\0\0\0\0WAVE", "The recording cannot be played: the file a%20b.wav is missing"),
        (7.0, "The recording lasts 7.0 s, but the words belong to one of 20.0 s."),
    ],
)
def test_a_missing_damaged_or_other_recording_is_a_message(load, tmp_path, content, message):
    recording = write_noise(tmp_path / "a b.wav", content if isinstance(content, float) else 1)
    write_karaoke(TEXT, recording, tmp_path / "page.html", embed=False, title="Proba")
    if content is None:
        recording.unlink()
    elif isinstance(content, bytes):
        recording.write_bytes(content)
    page = load((tmp_path / "page.html").as_uri(), loaded=HAS_MESSAGE)
    assert page.inner_text("#message").startswith(message)
    assert page.get_attribute("#message", "role") == "alert"
    assert page.locator("#message").is_visible()


def test_the_picture_of_the_readme_can_be_made_again(tmp_path):
    out = tmp_path / "karaoke.png"
    script = TOP / "docs/make_karaoke_picture.py"
    subprocess.run([sys.executable, script, out, "--dark", "--time-s", "4"], check=True)
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert 5_000 < out.stat().st_size <= 60_000
