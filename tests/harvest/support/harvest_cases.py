"""Everything that a server may do to a harvest, on one server, and the report of it.

PYTHONPATH=.:tests/harvest/support python -m harvest_cases reports/bench/harvest.md
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from contextlib import chdir, redirect_stdout
from pathlib import Path

from harvest_server import HarvestServer, Route, busy, cut, endless, file, serving, status, talk

from fonoteka.harvest.command import HarvestOptions, HarvestSources, run
from fonoteka.harvest.harvest_report import HarvestReport
from fonoteka.harvest.harvester import HarvestTerms
from fonoteka.harvest.limits import MIB, HarvestLimits

LIMITS = HarvestLimits(delay_s=0, max_wait_s=2, max_bytes=2 * MIB, bytes_per_s=1 << 30, retries=3)
SILENCE = talk()[:44] + bytes(len(talk()) - 44)
BROKEN = talk()[:12] + b"data" * 999
CASES = [  # path, licence, what becomes of it
    ("/talks/first.wav", "https://creativecommons.org/licenses/by/4.0/", "downloaded"),
    ("/talks/long.wav", "cc-by-4.0", "downloaded"),
    ("/talks/cut.wav", "CC0 1.0", "downloaded"),
    ("/talks/patient.wav", "CC0 1.0", "downloaded"),
    ("/talks/moved.wav", "CC0 1.0", "downloaded"),
    ("/talks/copy.wav", "CC BY 4.0", "same content"),
    ("/talks/first.wav", "CC BY 4.0", "listed twice"),
    ("/private/a.wav", "CC0 1.0", "refused by robots"),
    ("/reserved/a.wav", "CC0 1.0", "reserved (TDM)"),
    ("/talks/header.wav", "CC0 1.0", "reserved (TDM)"),
    ("/talks/unlicensed.wav", "", "no licence"),
    ("/talks/owned.wav", "© 2026 Radio, all rights reserved", "no licence"),
    ("/talks/limited.wav", "CC BY-NC 4.0", "licence not accepted"),
    ("/talks/changed.wav", "CC BY 4.0", "changed licence"),
    ("/talks/loop.wav", "CC0 1.0", "redirect loop"),
    ("/talks/huge.wav", "CC0 1.0", "too large"),
    ("/talks/endless.wav", "CC0 1.0", "too large"),
    ("/talks/page.wav", "CC0 1.0", "wrong type"),
    ("/talks/lie.wav", "CC0 1.0", "wrong type"),
    ("/talks/climb.wav", "CC0 1.0", "hostile name"),
    ("/talks/..%2F..%2Fetc.wav", "CC0 1.0", "hostile name"),
    ("/talks/device.wav", "CC0 1.0", "hostile name"),
    ("/talks/gone.wav", "CC0 1.0", "HTTP error"),
    ("/talks/broken.wav", "CC0 1.0", "not readable"),
    ("/talks/silence.wav", "CC0 1.0", "no speech"),
    ("ftp://127.0.0.1/a.wav", "CC0 1.0", "wrong URL"),
    ("/talks/busy.wav", "CC0 1.0", "asked to wait"),
]
MANIFEST = "/list.csv"


def routes() -> dict[str, Route]:
    """Return the answers of the server."""
    # What refuses all of a folder comes first, then the cases in the order of their list.
    first = talk()
    rules = b'[{"location": "/reserved/*", "tdm-reservation": 1}]'
    page = b"<!DOCTYPE html><p>Please sign in."
    wav = {"Content_Type": "audio/wav"}
    by_sa = '<https://creativecommons.org/licenses/by-sa/4.0/>; rel="license"'
    rows = [f'{path},"{licence}"' for path, licence, _ in CASES]
    return {
        "/robots.txt": file(b"User-agent: *\nDisallow: /private/\n", "text/plain"),
        "/.well-known/tdmrep.json": file(rules, "application/json"),
        MANIFEST: file("\n".join(["url,licence", *rows]).encode(), "text/csv"),
        "/talks/first.wav": file(first),
        "/talks/long.wav": file(talk(times=4)),
        "/talks/cut.wav": cut(talk("Cut in the middle, and then resumed."), 20_000),
        "/talks/patient.wav": busy(file(talk("Please wait a second.")), Retry_After="1"),
        "/talks/moved.wav": status(302, Location="/talks/target.wav"),
        "/talks/target.wav": file(talk("This is another place.")),
        "/talks/copy.wav": file(first),
        "/private/a.wav": file(first),
        "/reserved/a.wav": file(first),
        "/talks/header.wav": file(talk("Reserved."), **{"tdm-reservation": "1"}),
        "/talks/unlicensed.wav": file(first),
        "/talks/owned.wav": file(first),
        "/talks/limited.wav": file(first),
        "/talks/changed.wav": file(talk("Changed."), Link=by_sa),
        "/talks/loop.wav": status(302, Location="/talks/back.wav"),
        "/talks/back.wav": status(302, Location="/talks/loop.wav"),
        "/talks/huge.wav": status(200, first, **wav, Content_Length=str(10 << 30)),
        "/talks/endless.wav": endless,
        "/talks/page.wav": file(page, "text/html"),
        "/talks/lie.wav": file(page * 400),
        "/talks/climb.wav": file(first, Content_Disposition='attachment; filename="../../a.wav"'),
        "/talks/..%2F..%2Fetc.wav": file(first),
        "/talks/device.wav": file(first, Content_Disposition='attachment; filename="CON.wav"'),
        "/talks/broken.wav": file(BROKEN),
        "/talks/silence.wav": file(SILENCE),
        "/talks/busy.wav": status(429, Retry_After="3600"),
    }


def harvest(
    server: HarvestServer, sources: HarvestSources | None = None, limits: HarvestLimits = LIMITS,
    name: str = "talks", **terms: object,
) -> HarvestReport:  # fmt: skip
    """Harvest from a server in the current folder."""
    accepted = ("CC0*", "CC BY ?.?", "CC BY-SA*")
    chosen = {"language": "en", "accepted": accepted, "max_s": 8.0} | terms
    options = HarvestOptions(name, HarvestTerms(**chosen), allow_private=True, dvc=False)
    return run(sources or HarvestSources(lists=[server.url + MANIFEST]), options, limits)


def page() -> str:
    """Return the page with the reports of two runs, without what differs between machines."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder), serving(routes()) as server:
        texts = []
        for _ in range(2):
            with redirect_stdout(io.StringIO()):
                report = harvest(server)
            dated = re.sub(r"since \d{4}-\d\d-\d\d", "since DATE", report.text())
            # espeak-ng's samples depend a little on what it has spoken before.
            texts.append(re.sub(r"\b[1-9]\d{3,} bytes", "N bytes", dated))
        shown = [text.replace(server.url, "http://server") for text in texts]
    return PAGE.format(command=__doc__.strip().splitlines()[-1], first=shown[0], second=shown[1])


PAGE = """\
# Harvest against a server that refuses, lies and breaks off

A server on loopback gives one answer of each kind that `docs/harvest.md` lists; it is
`tests/harvest/support/harvest_cases.py`. The page is written by

```sh
{command}
```

and a test compares it. The first run:

```text
{first}
```

The second run into the same corpus:

```text
{second}
```
"""


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
