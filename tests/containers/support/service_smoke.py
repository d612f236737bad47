"""Ask a running service what a user would ask first; exit with 1 at the first wrong answer.

    python service_smoke.py PORT

Writes  one JSON object with the answers to stdout

It runs in the container or prefix of the service, with what is installed there.
"""

from __future__ import annotations

import array
import http.client
import io
import json
import sys
import time
import wave

from fonoteka.phones import NUMBER

PHONES = "d o b a r"
MODEL = "whisper_ctc"
# As the models of tests/service/support/service_packages.py read them: a frame's mean is its label.
RATE, HOP, BASE, STEP = 16_000, 320, 0.2, 100
READY_S = 120


def spoken_wav(phones: str) -> bytes:
    """Return a WAV file of 16 bits that the tests' models read as these phones."""
    labels = [label for phone in phones.split() for label in [NUMBER[phone]] * 4 + [0] * 2]
    levels = [round((BASE + label / STEP) * 32_767) if label else 0 for label in labels]
    samples = array.array("h", [level for level in levels for _ in range(HOP)])
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def ask(port: int, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, dict]:
    """Return the status and the JSON object of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": kind} if kind else {})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def form(fields: dict[str, str], content: bytes) -> tuple[bytes, str]:
    """Return the body and the type of a form with a file."""
    edge = "edge-of-the-form"
    parts = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    parts += [head.encode(), content, f"\r\n--{edge}--\r\n".encode()]
    return b"".join(parts), f"multipart/form-data; boundary={edge}"


def wait_until_ready(port: int) -> None:
    """Return when the service has loaded its models; raise TimeoutError after two minutes."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            if ask(port, "GET", "/ready")[0] == 200:
                return
        except OSError:
            pass  # it does not listen yet
        time.sleep(0.2)
    raise TimeoutError(f"the service is not ready after {READY_S} s")


def main(port: int) -> None:
    """Print the answers, and raise AssertionError at a wrong one."""
    start = time.monotonic()
    wait_until_ready(port)
    ready_s = round(time.monotonic() - start, 1)
    assert ask(port, "GET", "/health") == (200, {"status": "ok"})
    models = sorted(card["id"] for card in ask(port, "GET", "/v1/models")[1]["data"])
    assert MODEL in models, models
    body, kind = form({"model": MODEL}, spoken_wav(PHONES))
    status, answer = ask(port, "POST", "/v1/audio/transcriptions", body, kind)
    assert (status, answer.get("text")) == (200, PHONES), answer
    print(json.dumps({"ready_s": ready_s, "models": models, "text": answer["text"]}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
