"""Make one HTML page that plays a recording and highlights the word that is spoken.

The page needs no network and no other file than the recording. Its script, its style and its frame
are in the folder `karaoke`; the words are in one block of JSON, which the script reads.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import unicodedata
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from string import Template
from typing import Any

from fonoteka.alignment.aligned_text import AlignedText, AlignedWord
from fonoteka.alignment.karaoke_audio import AudioSource, embedded_audio, linked_audio
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text

BRIDGED_GAP_S = 0.3
"""A word stays highlighted over a shorter gap: a stop before the next word is not a pause."""

LOW_SCORE = 0.2
"""2 % of right words of the validation voices have a lower score, and 95 % of swapped ones."""

_FOLDER = Path(__file__).with_name("karaoke")
_SCRIPTS = {"CYRILLIC": ("Cyrl", "Cyrillic"), "LATIN": ("Latn", "Latin")}
# `<`, `>` and `&` could end the block of JSON or begin a comment in it. U+2028 and U+2029 end lines
# of JavaScript, U+FEFF is removed by some readers, and surrogates cannot be written as UTF-8. JSON
# itself escapes NUL and the other control characters up to U+001F.
_UNSAFE = re.compile("[<>&\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")


def write_karaoke(
    text: AlignedText,
    recording: Path,
    out: Path,
    *,
    embed: bool,
    title: str,
    other_script: AlignedText | None = None,
) -> None:
    """Write a page that plays a recording.

    Args:
        text: the words and their times in the recording.
        recording: in a format that browsers play.
        out: path of the page; the recording keeps its place relative to it unless it is embedded.
        embed: put the recording into the page instead of linking it.
        title: heading of the page.
        other_script: the same words in Cyrillic or Latin letters; a button changes the script.

    Raises:
        UserError: `out` does not end in `.html`; or as in `karaoke_html`, `linked_audio` and
            `embedded_audio`.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{out}: browsers open a page by its name, which has to end in .html")
    if out.exists() and recording.exists() and out.samefile(recording):
        raise UserError(f"{out}: the page would replace the recording; write it to another file")
    audio = embedded_audio(recording) if embed else linked_audio(recording, out)
    write_text(out, karaoke_html(text, title, audio, other_script))


def karaoke_html(
    text: AlignedText, title: str, audio: AudioSource, other_script: AlignedText | None = None
) -> str:
    """Return a page that plays a recording and highlights the word that is spoken.

    A content security policy allows this script, this style and a recording alone: the embedded
    one, or a file of the same site or disk.

    Raises:
        UserError: the text has no words, the title is empty, or `other_script` has the same script,
            or other lines, words or times.
    """
    if not any(text.words):
        raise UserError("the text has no words to show; align a text with at least one")
    heading = _UNPRINTABLE.sub("\ufffd", " ".join(title.split()))
    if not heading:
        raise UserError(f"the title {title!r} is empty; name the recording")
    if other_script is not None:
        _check_same_words(text, other_script)
    style, script = (_read(name) for name in ("page.css", "page.js"))
    return Template(_read("page.html")).substitute(
        policy=html.escape(_policy(style, script, audio)),
        language=language_tag(text),
        title=html.escape(heading),
        url=html.escape(audio.url),
        style=style,
        script=script,
        data=data_json(text, other_script),
    )


def data_json(text: AlignedText, other_script: AlignedText | None = None) -> str:
    r"""Return what the script of the page reads, as JSON that no text can break out of.

    Times are in milliseconds. A word has its written forms, one for each script, its start, the end
    of its highlight, its score and its phones.

    >>> word = AlignedWord("</script>", 0.1, 0.4, 0.9)
    >>> from fonoteka.alignment.aligned_text import AlignedLine
    >>> data_json(AlignedText("en", 1.0, (AlignedLine((word,)),))).partition('"lines":')[2]
    '[[{"texts":["\\u003c/script\\u003e"],"start":100,"until":400,"score":0.9,"phones":""}]]}'
    """
    versions = [text] if other_script is None else [text, other_script]
    words = [*text.words]
    ends = iter(highlight_ends(words))
    # Lines and words have the same order in all versions: `_check_same_words`.
    lines = [
        [
            _word_data(forms, next(ends))
            for forms in zip(*(line.words for line in same), strict=True)
        ]
        for same in zip(*(version.lines for version in versions), strict=True)
    ]
    data = {
        "duration": _milliseconds(text.duration_s),
        "lowScore": LOW_SCORE,
        "scripts": [
            {"language": language_tag(version), "name": _script_of(version)[1]}
            for version in versions
        ],
        "lines": lines,
    }
    encoded = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded)


def _word_data(forms: tuple[AlignedWord, ...], end_s: float) -> dict[str, Any]:
    word = forms[0]
    return {
        "texts": [form.text for form in forms],
        "start": _milliseconds(word.start_s),
        "until": _milliseconds(end_s),
        "score": round(word.score, 3),
        "phones": " ".join(phone.symbol for phone in word.phones),
    }


def highlight_ends(words: list[AlignedWord]) -> list[float]:
    """Return the times at which the highlights of words end, in seconds.

    A highlight ends with its word, or with the start of the next word if that is less than
    `BRIDGED_GAP_S` later. In longer gaps no word is highlighted.

    >>> times = (("a", 0, 1), ("b", 1.2, 2), ("c", 3, 4))
    >>> highlight_ends([AlignedWord(name, start, end, 1.0) for name, start, end in times])
    [1.2, 2, 4]
    """
    starts = [word.start_s for word in words[1:]]
    return [
        start if start is not None and start - word.end_s < BRIDGED_GAP_S else word.end_s
        for word, start in zip_longest(words, starts)
    ]


def language_tag(text: AlignedText) -> str:
    """Return the BCP 47 tag of a text: its language, and its script unless that is the only one.

    The registry of subtags advises against a script for English and Croatian in Latin letters.

    >>> from fonoteka.alignment.aligned_text import AlignedLine
    >>> lines = (AlignedLine((AlignedWord("Ђаче!", 0, 1, 1),)),)
    >>> language_tag(AlignedText("sr", 1, lines))
    'sr-Cyrl'
    """
    script = _script_of(text)[0]
    in_latin = script == "Latn" and text.language in ("en", "hr")
    return text.language if in_latin else f"{text.language}-{script}"


def _script_of(text: AlignedText) -> tuple[str, str]:
    """Return the code and the name of the script that most letters of a text have."""
    letters = (letter for word in text.words for letter in word.text if letter.isalpha())
    counts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters)
    return _SCRIPTS["CYRILLIC" if counts["CYRILLIC"] > counts["LATIN"] else "LATIN"]


def _check_same_words(text: AlignedText, other: AlignedText) -> None:
    if _script_of(text) == _script_of(other):
        raise UserError(
            f"both versions of the text are in {_script_of(text)[1]} letters; leave out the other "
            "script, or transliterate it"
        )
    if len(text.lines) != len(other.lines):
        raise UserError(
            f"the text has {len(text.lines)} lines and the other script {len(other.lines)}; "
            "transliterate the aligned text word by word"
        )
    for number, (line, same) in enumerate(zip(text.lines, other.lines, strict=True), start=1):
        spans, other_spans = (
            [(word.start_s, word.end_s) for word in each.words] for each in (line, same)
        )
        if spans != other_spans:
            raise UserError(
                f"line {number} of the other script is {same.text!r}, whose words or times differ "
                f"from {line.text!r}; transliterate the aligned text word by word"
            )


def _policy(style: str, script: str, audio: AudioSource) -> str:
    """Return the content security policy of a page; `file:` is for pages opened from a disk."""
    media = "data:" if audio.embedded else "'self' file:"
    return (
        f"default-src 'none'; script-src {_hash_source(script)}; style-src {_hash_source(style)}; "
        f"media-src {media}; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash_source(content: str) -> str:
    """Return what a policy allows: the element whose content has this hash."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
