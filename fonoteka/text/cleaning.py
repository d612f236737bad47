"""Cleaning rules: invisible characters, quotes, dashes, annotations, mixed scripts.

They are applied first and leave Latin NFC text with one kind of quote, dash and space.
"""

from __future__ import annotations

import re
import unicodedata

from fonoteka.text.marks import is_plain_punctuation
from fonoteka.text.rule import Example, Rule, SpellingError, enclosing_token, rule
from fonoteka.text.transliteration import CYRILLIC, repair_homoglyphs, to_latin


def _characters(*ranges: str) -> str:
    """Return the characters of ranges, each described by its first and last character."""
    return "".join(chr(code) for ends in ranges for code in range(ord(ends[0]), ord(ends[-1]) + 1))


# Soft hyphen, joiners, marks of direction, variation selectors, byte-order mark.
_INVISIBLE = _characters(
    "\u00ad", "\u061c", "\u180e", "\u200b\u200f", "\u202a\u202e", "\u2060\u2064", "\u2066\u2069",
    "\ufe00\ufe0f", "\ufeff",
)  # fmt: skip
_SPACES = _characters("_", "\u00a0", "\u1680", "\u2000\u200a", "\u202f", "\u205f", "\u3000")
_DOUBLE, _SINGLE = "„“”«»‟″〝〞＂", "’‘‚‛ʼʹ`´′＇‹›"
_DASHES = "‐‑‒–—―−﹘﹣－"
_JOINED = {
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
    "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž", "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj",
    "ǌ": "nj",
}  # fmt: skip
_ETHS = {"ð": "đ", "Ð": "Đ", "Ɖ": "Đ", "ɖ": "đ"}
_TONES = "\u0300\u0301\u0302\u0304\u030f\u0311"
_TONED = (
    *(unicodedata.normalize("NFC", letter + tone) for letter in "aeiourAEIOUR" for tone in _TONES),
    *"ѐЀѝЍ",
)
_ROMAN = re.compile(r"(?<![^\W_])(?:[IVX]{2,}|[VX])(?![^\W_])")
_STRAIGHT = re.compile("[\"']")
_PRIMES = {'"': "″", "'": "′"}
_OPENED = re.compile(r"(?:^|[\s(\"])'")
_LONGEST_REMARK = 3  # words in round brackets; more words are a clause that is read aloud


def _composed(text: str, _language: str) -> tuple[str, int]:
    if unicodedata.is_normalized("NFC", text):
        return text, 0
    return unicodedata.normalize("NFC", text), 1


def _annotation(match: re.Match[str], language: str) -> str | None:
    """Remove an annotation; in round brackets a longer clause, a number or a sign is read aloud.

    English keeps round brackets for the rules for telephones and years: (555) 123-4567, (1984).
    """
    text, inside = match.string, match[0][1:-1]
    if match[0][0] == "<" and is_between_alphanumerics(text, match.start(), match.end()):
        return None  # x<y and z>y: two signs
    is_spoken = (
        len(inside.split()) > _LONGEST_REMARK
        or any(not (c.isalpha() or c.isspace() or is_plain_punctuation(c)) for c in inside)
        or _ROMAN.search(inside)
    )
    if match[0][0] != "(" or not is_spoken:
        return " "
    return match[0] if language == "en" else f" {inside} "


def is_between_alphanumerics(text: str, start: int, end: int) -> bool:
    """Return whether a span of a text has a letter or digit right before and right after it."""
    return text[start - 1 : start].isalnum() and text[end : end + 1].isalnum()


def _primes(text: str, _language: str) -> tuple[str, int]:
    """Replace a quote after a digit by a prime (feet, inches, minutes) unless it closes a quote."""
    fired, quoted = 0, False

    def replace_quote(match: re.Match[str]) -> str:
        nonlocal fired, quoted
        start, following = match.start(), text[match.end() : match.end() + 1]
        prime = text[start - 1 : start].isdecimal()
        if match[0] == '"':
            prime = prime and not quoted
            quoted = quoted != (not prime)
        elif not following.isdecimal():  # 747's, and '90 before it, are apostrophes
            prime = prime and not (following.isalpha() or _OPENED.search(text, 0, start))
        fired += prime
        return _PRIMES[match[0]] if prime else match[0]

    return _STRAIGHT.sub(replace_quote, text), fired


def _address(match: re.Match[str], _language: str) -> str | None:
    token = enclosing_token(match.string, match.start(), match.end())
    if "@" in token:
        return None  # the sign @ is refused later
    raise SpellingError("character", f"the full stop in {token!r} is said; write it in words")


def _one_script(text: str, _language: str) -> tuple[str, int]:
    text, repaired, failed = repair_homoglyphs(text)
    if failed:
        raise SpellingError(
            "mixed script",
            f"Latin and Cyrillic letters that look alike are mixed in {failed[0]!r}; "
            "type the word in one script",
        )
    return text, repaired


def _latin(text: str, _language: str) -> tuple[str, int]:
    return to_latin(text), 1


def _toneless(text: str, _language: str) -> tuple[str, int]:
    """Remove pitch accents from vowels and r, as dictionaries and poems write them.

    ć, ś and ź contain the same combining mark and keep it.
    """
    decomposed = unicodedata.normalize("NFD", text)
    stripped, count = re.subn(f"(?<=[aeiourAEIOURаеиоурАЕИОУР])[{_TONES}]+", "", decomposed)
    return unicodedata.normalize("NFC", stripped), count


COMMON_CLEANING: tuple[Rule, ...] = (
    rule(
        "invisible",
        f"[{_INVISIBLE}]",
        "",
        _INVISIBLE,
        [("hr", "ne\u00advi\u200bdljivo\ufeff", "nevidljivo"), ("en", "soft\u00adly", "softly")],
    ),
    Rule("composed", _composed, frozenset(), (Example("hr", "nos\u030ci c\u0301ud", "noši ćud"),)),
    rule(
        "spaces",
        f"[{_SPACES}]",
        " ",
        _SPACES,
        [("sr", "5\u00a0km", "5 km"), ("hr", "crno_bijelo", "crno bijelo")],
    ),
    rule("quotes", f"[{_DOUBLE}]", '"', _DOUBLE, [("hr", "„Gdje?“ »Tu.«", '"Gdje?" "Tu."')]),
    rule("apostrophes", f"[{_SINGLE}]", "'", _SINGLE, [("en", "It’s ‘fine’", "It's 'fine'")]),
    Rule(
        "primes",
        _primes,
        frozenset("\"'" + _DOUBLE + _SINGLE),  # earlier rules unify them
        (
            Example("en", '5\'10" and "no 5"', '5′10″ and "no 5"'),
            Example("hr", "'5' i '90, 5\"", "'5' i '90, 5″"),
        ),
    ),
    rule(
        "minus signs",
        r"(?<=\d)\s+−\s*(?=\d)|(?<![^\s(])−\s?(?=\d)",
        lambda match, _: "-" if match[0][0] == "−" else " minus ",
        "−",
        [("en", "− 5 and 7 − 2", "-5 and 7 minus 2"), ("hr", "1992−1995", "1992−1995")],
    ),
    rule(
        "long dashes",
        r"(?<=\d)[—―](?=[^\W\d_])|(?<=[^\W\d_])[—―](?=\d)",
        " - ",
        "—―",
        [("en", "in 1995—the year", "in 1995 - the year"), ("bs", "2—5", "2—5")],
    ),
    rule("dashes", f"[{_DASHES}]", "-", _DASHES, [("bs", "1992–1995 — da", "1992-1995 - da")]),
    rule(
        "joined letters",
        f"[{''.join(_JOINED)}]",
        lambda match, _: _JOINED[match[0]],
        _JOINED,
        [("hr", "ǅep, ǇUBAV, koǌ", "Džep, LJUBAV, konj"), ("en", "ﬁne", "fine")],
    ),
    rule(
        "other digits",
        r"[^\D0-9]",
        lambda match, _: str(unicodedata.decimal(match[0])),
        examples=[("bs", "٣ i １２", "3 i 12")],
    ),
    rule(
        "annotations",
        r"\[[^\[\]]*\]|\{[^{}]*\}|<[^\s<>][^<>]*>|\([^()]*\)",
        _annotation,
        "[{<(",
        [
            ("bs", "pa [smeh] da <unk>", "pa   da  "),
            ("hr", "(buka) rekao je {nejasno}", "  rekao je  "),
            ("sr", "to (kao što svi znamo) stoji", "to  kao što svi znamo  stoji"),
            ("hr", "rođen (12. 5.) u", "rođen  12. 5.  u"),
            ("bs", "rast (%) je; a<b i c>d", "rast  %  je; a<b i c>d"),
        ],
    ),
)
"""Cleaning rules for every language."""

SOUTH_SLAVIC_CLEANING: tuple[Rule, ...] = (
    rule(
        "eths",
        f"[{''.join(_ETHS)}]",
        lambda match, _: _ETHS[match[0]],
        _ETHS,
        [("bs", "ðak, Ðuro", "đak, Đuro")],
    ),
    Rule(
        "tones",
        _toneless,
        frozenset(_TONED) | frozenset(_TONES),
        (Example("hr", "kȕća žénā", "kuća žena"), Example("sr", "кра\u0301љ", "краљ")),
    ),
    rule("degrees", r"°\s?С", "°C", "°", [("sr", "5 °С", "5 °C")]),
    Rule(
        "homoglyphs",
        _one_script,
        CYRILLIC,
        (Example("sr", "дoбaр дан", "добар дан"), Example("hr", "kućа", "kuća")),
    ),
    Rule(
        "cyrillic",
        _latin,
        CYRILLIC,
        (Example("sr", "ЏУГАЊ, Џугањ, Љ. Њ. Rolling", "DŽUGANJ, Džuganj, Lj. Nj. Rolling"),),
    ),
    rule(
        "addresses",
        r"\.(?<=[^\W_]{2}\.)(?:hr|ba|rs|com|net|org|info|eu|me|si)(?![^\W_])",
        _address,
        ".",
        [("hr", "Tu je. Si tu", "Tu je. Si tu")],
    ),
    rule(
        "elisions",
        r"(?<=[^\W\d_])'(?=[^\W\d_])",
        "",
        "'" + _SINGLE,  # an earlier rule unifies them
        [("hr", "rek'o al' nije", "reko al' nije")],
    ),
)
"""Additional cleaning rules for Bosnian, Croatian and Serbian."""
