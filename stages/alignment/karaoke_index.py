"""The index of karaoke pages: what each shows, under which licence, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from fonoteka.alignment.aligned_text import AlignedText
from fonoteka.alignment.karaoke_page import language_tag
from fonoteka.corpus.clip_terms import ClipTerms

STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 1rem auto; padding: 0 1rem; }
li { margin-bottom: .8rem; }
small { display: block; opacity: .75; }
"""


@dataclass(frozen=True)
class PageEntry:
    """A page in the index.

    Attributes:
        name: of the page, without `.html`.
        text: of the clip.
        spoken_by: a machine or a person.
        terms: under which the clip may be shown.
    """

    name: str
    text: AlignedText
    spoken_by: str
    terms: ClipTerms


def index_html(entries: Sequence[PageEntry], left_out: Mapping[str, int]) -> str:
    """Return the index as a page of HTML that needs no script and no network.

    >>> "<li>not drawn: 3</li>" in index_html([], {"not drawn": 3})
    True
    """
    items = "\n".join(map(_item, entries)) or "<li>No page: all clips were left out.</li>"
    # Reasons have licences in them, which are text of users.
    reasons = "\n".join(
        f"<li>{escape(reason)}: {count}</li>" for reason, count in sorted(left_out.items())
    )
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Karaoke pages</title>
<style>
{STYLE}</style>
</head>
<body>
<h1>Karaoke pages</h1>
<p>Test clips whose words are highlighted as they are spoken. No model was trained on their
voices.</p>
<ul>
{items}
</ul>
<h2>Clips left out</h2>
<ul>
{reasons or "<li>none</li>"}
</ul>
</body>
</html>
"""


def _item(entry: PageEntry) -> str:
    words = " ".join(word.text for word in entry.text.words)
    licence = escape(entry.terms.licence)
    source = escape(entry.terms.source) or "not stated"
    return (
        f'<li><a href="{entry.name}.html">{entry.name}</a> '
        f'<span lang="{language_tag(entry.text)}">{escape(words)}</span>\n'
        f"<small>{entry.text.duration_s:.1f} s, spoken by {entry.spoken_by}. "
        f"Licence: {licence}. Source: {source}.</small></li>"
    )
