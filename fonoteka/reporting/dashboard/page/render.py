"""Put a document into the dashboard's page: one HTML file that needs no other and no network.

The frame, the style and the scripts are in the folder `assets`. The document is one block of JSON,
which the scripts read; hypotheses are packed by `pack.py`, which leaves half of its bytes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

from fonoteka.reporting.dashboard.page.pack import packed_document

SCRIPTS = (
    "elements.js", "data.js", "state.js", "filters.js", "charts.js", "sound.js", "detail.js",
    "utterances.js", "confusions.js", "summary.js", "reports.js", "download.js", "page.js",
)  # fmt: skip
"""In the order in which they run: a script uses what those before it declare."""

_FOLDER = Path(__file__).with_name("assets")
# `<`, `>` and `&` could end the block of JSON or begin a comment in it. U+2028 and U+2029 end lines
# of JavaScript, U+FEFF is removed by some readers, and surrogates cannot be written as UTF-8. JSON
# itself escapes NUL and the other control characters up to U+001F.
_UNSAFE = re.compile("[<>&\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")


def render(document: Mapping[str, Any]) -> str:
    """Return the page of a document.

    Equal documents give equal pages: keys are sorted, and nothing else is in the page.

    Args:
        document: with format 1: clips by column, tasks with their models and reports, the corpus.

    Raises:
        ValueError: a number is not finite.
    """
    style = _read("style.css")
    scripts = [_read(name) for name in SCRIPTS]
    title = _UNPRINTABLE.sub("\ufffd", " ".join(document["title"].split())) or "Dashboard"
    return Template(_read("page.html")).substitute(
        policy=html.escape(_policy(style, scripts)),
        title=html.escape(title),
        style=style,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
        data=data_json(packed_document(document)),
    )


def data_json(document: Mapping[str, Any]) -> str:
    r"""Return a document as JSON that no text can break out of.

    >>> data_json({"b": "</script>", "a": [0.5, None]})
    '{"a":[0.5,null],"b":"\\u003c/script\\u003e"}'
    """
    encoded = json.dumps(
        document, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    )
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded)


def _policy(style: str, scripts: list[str]) -> str:
    """Return the content security policy: these scripts, this style and embedded sound alone."""
    allowed = " ".join(map(_hash_source, scripts))
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash_source(style)}; "
        "media-src data:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash_source(content: str) -> str:
    """Return what a policy allows: the element whose content has this hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
