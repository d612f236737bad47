"""What a user does on the page of the service, in chromium; each step takes playwright's page.

The service is at any address, so the same steps run against a fake and a real one.
"""

from __future__ import annotations

from chromium_page import LIMIT_S, WATCH_POLICY, launched, wait


def chromium(microphone):
    """Start chromium with a recording as its microphone, which is played again and again."""
    return launched(
        "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}"
    )


def open_page(browser, url, *, microphone=True, script="", **options):
    """Open the page of a service in a window of its own, and wait until it knows the models.

    Args:
        browser: of `chromium`.
        url: of the service.
        microphone: whether the user allows it.
        script: runs before those of the page.
        options: of the window.
    """
    permissions = ["microphone"] if microphone else []
    context = browser.new_context(permissions=permissions, accept_downloads=True, **options)
    context.set_default_timeout(LIMIT_S * 1000)
    context.add_init_script(WATCH_POLICY + script)
    page = context.new_page()
    page.requests, page.problems = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("websocket", lambda socket: page.requests.append(socket.url))
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.goto(url)
    wait(page, "document.querySelector('#model option') || " + shown("service-message"))
    return page


def close_page(page, url):
    """Close a window; the page broke no policy, raised no error and called no other host."""
    assert page.evaluate("violations") == []
    assert page.problems == []
    own = (url, url.replace("http", "ws", 1), f"blob:{url}", "data:")
    assert [request for request in page.requests if not request.startswith(own)] == []
    page.context.close()


def shown(name):
    """Return the condition that an element is shown."""
    return f"!document.querySelector('#{name}').hidden"


def start_recording(page, phones=1):
    """Press the button, and wait until some phones are committed."""
    page.click("#record")
    wait_for_phones(page, phones)


def wait_for_phones(page, count):
    wait(page, f"({COMMITTED}).flat().length >= {count}")


def stop_recording(page):
    """Press the button, and wait for the end of the stream."""
    page.click("#record")
    wait(page, "document.querySelector('#record').dataset.state === 'idle'")


# The first node of each line is its text of committed phones; the span of the others follows.
COMMITTED = """[...document.querySelectorAll('#phones p')].map(
  (line) => line.firstChild.data.trim().split(/\\s+/).filter(Boolean)
).filter((phones) => phones.length)"""


def committed(page):
    """Return the committed phones, a list per line."""
    return page.evaluate(COMMITTED)


def upload(page, path, *, language="", script="", model=None):
    """Choose a file and options, send it, and wait for words or a message."""
    page.set_input_files("#file", path)
    page.select_option("#language", language)
    page.select_option("#script", script)
    if model:
        page.select_option("#model", model)
    page.click("#transcribe")
    wait_for_answer(page)


def wait_for_answer(page):
    wait(page, "document.querySelector('#transcribe').getAttribute('aria-disabled') === 'false'")
    condition = "document.querySelector('audio').readyState >= 4"
    wait(page, f"{shown('upload-message')} || {condition}")


def words(page):
    """Return the words of the transcript with their start, as the page seeks to them."""
    return page.eval_on_selector_all(".word", "words => words.map((word) => word.textContent)")


def seek(page, time_s):
    """Set the position of the recording, and return the index of the highlighted word or None."""
    page.evaluate(f"""new Promise((done) => {{
      const audio = document.querySelector('audio');
      audio.addEventListener('seeked', () => requestAnimationFrame(() => done()), {{once: true}});
      audio.currentTime = {time_s};
    }})""")
    return current(page)


def current(page):
    """Return the index of the highlighted word, or None; no two words are highlighted."""
    indices = page.eval_on_selector_all(
        "#transcript [aria-current='true'].now", "words => words.map((word) => word.dataset.index)"
    )
    assert len(indices) <= 1
    return int(indices[0]) if indices else None


def position(page):
    return page.evaluate("document.querySelector('audio').currentTime")


def enter_key(page, key):
    """Type a key and wait until the service accepted or refused it."""
    page.fill("#key", key)
    with page.expect_response("**/v1/models"):
        page.press("#key", "Enter")
