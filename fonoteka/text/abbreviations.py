"""Abbreviations and signs of Bosnian, Croatian and Serbian text in words.

An abbreviation becomes a masculine nominative singular, because its case is unknown: `kod dr.
Anića` is read `kod doktor Anića`. Those that are always spoken in another form have that form.
"""

from __future__ import annotations

import re

from fonoteka.text.agreement import word_before
from fonoteka.text.rule import Example, Rule, rule

# The written form, in any case, and the spoken form; `hr/bs/sr` if the three differ.
_DOTTED = """
prof.      profesor
dr.        doktor
doc.       docent
akad.      akademik
ing.       inženjer
inž.       inženjer
dipl.      diplomirani
arh.       arhitekt/arhitekta/arhitekta
gosp.      gospodin
sv.        sveti
pok.       pokojni
br.        broj
str.       stranica/strana/strana
ul.        ulica
tel.       telefon
mob.       mobitel/mobitel/mobilni
čl.        članak/član/član
sl.        slično
npr.       na primjer/na primjer/na primer
itd.       i tako dalje
isl.       i slično
tj.        to jest
tzv.       takozvani
odn.       odnosno
usp.       usporedi/uporedi/uporedi
god.       godine
vol.       volumen
max.       maksimalno
"""
_PHRASES = """
i\\s?dr.(?!\\s[A-ZČĆĐŠŽ])  i drugi
i\\s?sl.               i slično
m.\\s?in.              među inim
dr.\\s?sc.             doktor znanosti/doktor nauka/doktor nauka
mr.\\s?sc.             magistar znanosti/magistar nauka/magistar nauka
p(?:r|rije|re)?.\\s?n.\\s?e.  prije nove ere/prije nove ere/pre nove ere
n.\\s?e.               nove ere
pr.\\s?Kr.             prije Krista/prije Krista/pre Hrista
po.?\\s?Kr.            po Kristu/po Kristu/po Hristu
d.\\s?o.\\s?o.          de o o
d.\\s?d.               de de
o.\\s?g.               ove godine
t.\\s?j.               to jest
st.(?=\\s?\\d)         stavak/stav/stav
"""
_SIGNS = {"&": "i", "+": "plus", "=": "jednako", "×": "puta", "§": "paragraf", "№": "broj",
          "±": "plus minus"}  # fmt: skip
LETTER_NAMES = {
    "a": "a", "b": "be", "c": "ce", "č": "če", "ć": "će", "d": "de", "đ": "đe", "e": "e",
    "f": "ef", "g": "ge", "h": "ha", "i": "i", "j": "jot", "k": "ka", "l": "el", "m": "em",
    "n": "en", "o": "o", "p": "pe", "r": "er", "s": "es", "š": "eš", "t": "te", "u": "u",
    "v": "ve", "z": "ze", "ž": "že",
}  # fmt: skip
"""The names by which acronyms are spelled."""

_LETTERS = {letter: name for letter, name in LETTER_NAMES.items() if letter not in "aeiour"}
_UNDOTTED = {"dr": "doktor", "gđa": "gospođa", "gđe": "gospođe", "gđi": "gospođi", "gđu": "gospođu",
             "gđica": "gospođica", "gđice": "gospođice", "gđicu": "gospođicu"}  # fmt: skip
_COUNTED = re.compile(r"\d\s?$")
_ACRONYM = re.compile(
    rf"(?<![^\W_])(?!(?:LJ|NJ|DŽ)(?![^\W_]))[{''.join(_LETTERS).upper()}]{{2,5}}(?![^\W_])"
)
_COLUMN = {"hr": 0, "bs": 1, "sr": 2}


def _table(source: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return pairs of the written form and the spoken forms in hr, bs and sr."""
    entries = []
    for line in source.strip().split("\n"):
        written, spoken = re.split(r"\s{2,}", line, maxsplit=1)
        variants = spoken.split("/")
        entries.append((written, tuple(variants * 3 if len(variants) == 1 else variants)))
    return tuple(entries)


_WORDS = dict(_table(_DOTTED))
_PHRASE_WORDS = _table(_PHRASES)
FINAL_ABBREVIATIONS = "|".join(
    sorted(
        {
            *(name[:-1] for name in _WORDS),
            *("c", "d", "dr", "e", "g", "in", "j", "kr", "o", "sc", "sl", "st", "v"),
        }
    )
)
"""Abbreviations that may end a text with their full stop, as alternatives of a pattern."""


def expand_undotted(canonical: str) -> tuple[str, int]:
    """Return canonical text with abbreviations without a full stop expanded, and their number.

    It is applied last, to whole words in lower case, so it never gets its own result.

    >>> expand_undotted("gđa i dr kovač")
    ('gospođa i doktor kovač', 2)
    """
    return _UNDOTTED_WORD.subn(lambda match: _UNDOTTED[match[0]], canonical)


_UNDOTTED_WORD = re.compile(rf"\b(?:{'|'.join(_UNDOTTED)})\b")


def _dotted(match: re.Match[str], language: str) -> str | None:
    if match[0].lower() == "god." and _COUNTED.search(
        match.string, max(0, match.start() - 2), match.start()
    ):
        return None  # 5 god.: five years, which the rule for units reads
    return _WORDS[match[0].lower()][_COLUMN[language]] + _gap(match)


def _phrase(match: re.Match[str], language: str) -> str:
    return _PHRASE_WORDS[(match.lastindex or 1) - 1][1][_COLUMN[language]] + _gap(match)


def _gap(match: re.Match[str]) -> str:
    """Return a space if the text continues without one after a full stop: `br.5`."""
    return " " * (match.end() < len(match.string) and match.string[match.end()].isalnum())


def _century(match: re.Match[str], language: str) -> str:
    noun = {"hr": "stoljeć", "bs": "stoljeć", "sr": "vek"}[language]
    inside = word_before(match.string, match.start()).lower() == "u"
    return f"{match[1]} {noun}{'u' if inside else 'a'}"


def _acronyms(text: str, _language: str) -> tuple[str, int]:
    """Spell capitals without a vowel; r may be a vowel (KRK), and LJ, NJ, DŽ are letters."""
    if text.isupper():
        return text, 0
    return _ACRONYM.subn(lambda match: " ".join(_LETTERS[c.lower()] for c in match[0]), text)


ABBREVIATIONS: tuple[Rule, ...] = (
    rule(
        "centuries",
        r"(\d{1,2}\.|\b[IVX]+\.?)\s+(?:st|v)\.(?!\s?\d)",
        _century,
        ".",
        [
            ("hr", "u 19. st., iz XX. st.", "u 19. stoljeću, iz XX. stoljeća"),
            ("sr", "krajem 18. v.", "krajem 18. veka"),
        ],
        prefilter=r"[sv]t?\.",
    ),
    rule(
        "years' abbreviations",
        r"(?<=\d\d\d\d)(\.?)\s?(?:g|god)\.",
        lambda match, _: f"{match[1]} godine",
        "g",
        [("bs", "1995. g. i 2020 g.", "1995. godine i 2020 godine")],
    ),
    rule(
        "phrases",
        r"(?<![^\W_])(?:"
        + "|".join(f"({written.replace('.', '[.]')})" for written, _ in _PHRASE_WORDS)
        + ")",
        _phrase,
        ".",
        [
            ("bs", "Ana, Iva i dr. su tu i sl.", "Ana, Iva i drugi su tu i slično"),
            ("hr", "dr. sc. Anić; 5. st. pr. Kr.", "doktor znanosti Anić; 5. st. prije Krista"),
            ("sr", "3. vek p.n.e.", "3. vek pre nove ere"),
            ("hr", "čl. 5. st. 2.", "čl. 5. stavak 2."),
        ],
    ),
    rule(
        "gospodin",
        r"(?<![^\W_])[gG]\.(?=\s?[A-ZČĆĐŠŽ])",
        lambda match, _: "gospodin" + " " * (not match.string[match.end()].isspace()),
        ".",
        [("sr", "g. Petrović", "gospodin Petrović")],
    ),
    rule(
        "abbreviations",
        r"(?<![^\W_])(?i:" + "|".join(re.escape(name) for name in _WORDS) + ")",
        _dotted,
        ".",
        [
            ("hr", "prof. dr. Anić, npr. str. 5", "profesor doktor Anić, na primjer stranica 5"),
            ("sr", "npr. br.5 itd. 5 god.", "na primer broj 5 i tako dalje 5 god."),
            ("bs", "tj. tzv. ul. Titova", "to jest takozvani ulica Titova"),
        ],
    ),
)
"""Abbreviations with a full stop; applied before the number rules, which need full stops."""

SIGNS: tuple[Rule, ...] = (
    rule(
        "signs",
        f"[{re.escape(''.join(_SIGNS))}]",
        lambda match, _: f" {_SIGNS[match[0]]} ",
        _SIGNS,
        [("hr", "dva + dva = četiri", "dva  plus  dva  jednako  četiri")],
    ),
    Rule(
        "acronyms",
        _acronyms,
        frozenset("".join(_LETTERS).upper()),
        (
            Example("hr", "TV i HDZ, LJ", "te ve i ha de ze, LJ"),
            Example("bs", "DVD na KRK", "de ve de na KRK"),
            Example("sr", "CRNI DVD", "CRNI DVD"),
        ),
    ),
)
"""The last rules: signs, and acronyms that are spelled."""
