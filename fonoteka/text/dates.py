"""Dates and times of day in Bosnian, Croatian and Serbian words.

A date is genitive, the case of a point in time: 12. 5. 2020. is `dvanaestog maja dvije hiljade
dvadesete`. 14:30 is `četrnaest i trideset`, 14:00 is `četrnaest sati`.
"""

from __future__ import annotations

import re

from fonoteka.text.agreement import MONTHS_GENITIVE
from fonoteka.text.numerals import agree, cardinal, from_roman, ordinal
from fonoteka.text.rule import Rule, replacement, rule
from fonoteka.text.units import SYMBOLS, amount_words

_HOUR, _MINUTE = ("sat", "sata", "sati"), "[0-5][0-9]"
_HOUR_WORD = r"(?P<word>\s*(?:h|č|sati|sata|časova|časa)(?![^\W_])\.?)"
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def date_words(day: int, month: int, year: int | None, language: str) -> str | None:
    """Return a date in words, or None if the day does not exist.

    >>> date_words(12, 5, 2020, "hr")
    'dvanaestog svibnja dvije tisuće dvadesete'
    >>> date_words(31, 2, None, "sr") is None
    True
    """
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return None
    words = [ordinal(day, language, "m", "gen"), MONTHS_GENITIVE[language].split()[month - 1]]
    if year is not None:
        words.append(ordinal(year, language, "f", "gen"))
    return " ".join(words)


def time_words(hour: int, minute: int, language: str, hours: str = "") -> str:
    """Return a time of day in words.

    Args:
        hour: 0 to 24.
        minute: 0 to 59.
        language: bs, hr or sr.
        hours: the word for hours in the text, or an empty string: `sati`, `časova`.

    >>> time_words(14, 30, "hr"), time_words(2, 0, "sr"), time_words(8, 5, "bs", "sati")
    ('četrnaest i trideset', 'dva sata', 'osam i pet sati')
    """
    words = cardinal(hour, language)
    if minute:
        return f"{words} i {cardinal(minute, language)} {hours}".rstrip()
    return f"{words} {hours or agree(hour, _HOUR)}"


def _date(match: re.Match[str], language: str) -> str | None:
    written = match["month"] or match["middle"]
    month = from_roman(written) or int(written if written.isdigit() else 0)
    year = int(match["year"]) if match["year"] else None
    words = date_words(int(match["day"]), month, year, language)
    return words and replacement(match, words)


def _time(match: re.Match[str], language: str) -> str:
    word = (match["word"] or "").strip(" .\t\n")
    hour, minute = int(match["hour"]), int(match["minute"])
    return replacement(
        match, time_words(hour, minute, language, "" if word in ("h", "č") else word)
    )


def _duration(match: re.Match[str], language: str) -> str | None:
    """Return 2h15min in words; without a unit the minutes follow without a space: 2h15."""
    if not match["unit"] and " " in match[0]:
        return None
    hour, minute = str(int(match["hour"])), str(int(match["minute"]))
    return replacement(
        match, f"{amount_words(hour, 'h', language)} {amount_words(minute, 'min', language)}"
    )


def _time_to_the_second(match: re.Match[str], language: str) -> str:
    counted = (("hour", "h"), ("minute", "min"), ("second", "s"))
    words = (amount_words(str(int(match[name])), unit, language) for name, unit in counted)
    return replacement(match, " ".join(words))


def _span_of_times(match: re.Match[str], _language: str) -> str | None:
    """Join two times with `do`; with dots they are times only if a word for hours follows."""
    first, second = match["first"], match["second"]
    dotted = "." in first + second and match["hours"] is not None
    if ":" not in first + second and not dotted:
        return None
    return f"{first.replace('.', ':')} do {second.replace('.', ':')}"


def _span_of_days(match: re.Match[str], language: str) -> str | None:
    """Join two dates with `do`; in 5.-10. 5. the first is only a day."""
    if match["month"]:
        return f"{match['day']}. {match['month']}.{match['year'] or ''} do "
    return f"{ordinal(int(match['day']), language, 'm', 'gen')} do "


_CLOCK = r"(?:[01]?\d|2[0-4])(?:[:.][0-5]\d)?"

DATES: tuple[Rule, ...] = (
    rule(
        "spans of times",
        rf"(?<![\d:.,/-])(?P<first>{_CLOCK})\s?-\s?(?P<second>{_CLOCK})"
        rf"(?![\d:/-]|[.,]\d)(?P<hours>(?={_HOUR_WORD}))?",
        _span_of_times,
        "-",
        [
            ("hr", "10:30-12:00, 8-9:15", "10:30 do 12:00, 8 do 9:15"),
            ("sr", "od 9.30-17.00 h, 2.10-3.50", "od 9:30 do 17:00 h, 2.10-3.50"),
        ],
        prefilter=r"[0-9]\s?-\s?[0-9]",
    ),
    rule(
        "spans of days",
        r"(?<![\d.,:/-])(?P<day>\d{1,2})\.\s?(?:(?P<month>\d{1,2})\.(?P<year>\s?[12]\d{3}\.?)?)?"
        r"\s?-\s?(?=\d{1,2}\.\s?(?:\d{1,2}|[IVX]{1,4})\.)",
        _span_of_days,
        "-",
        [
            ("hr", "12.5.-15.5.2020.", "12. 5. do 15.5.2020."),
            ("bs", "5.-10. 5., 5.-10. maja", "petog do 10. 5., 5.-10. maja"),
        ],
        prefilter=r"[0-9]\.\s?(?:-|[0-9])",
    ),
    rule(
        "dates",
        r"(?<![\d.,:/-])(?P<day>\d{1,2})(?:(?:\.\s?|/)(?P<month>\d{1,2}|[IVX]{1,4})(?:\.\s?|/|\s)"
        r"|-(?P<middle>\d{1,2})-)(?P<year>[12]\d{3})(?![\d,:])\.?",
        _date,
        "./-",
        [
            ("bs", "12. 5. 2020.", "dvanaestog maja dvije hiljade dvadesete"),
            ("hr", "12.05.2020. je", "dvanaestog svibnja dvije tisuće dvadesete je"),
            ("sr", "2. X 1941.", "drugog oktobra hiljadu devetsto četrdeset prve"),
            ("hr", "31. 2. 2020.", "31. 2. 2020."),
            ("bs", "05-12-2020", "petog decembra dvije hiljade dvadesete"),
        ],
        prefilter=r"[0-9](?:[/-]|\.\s?[0-9IVX])",
    ),
    rule(
        "dates, year first",
        r"(?<![\d.,:/-])(?P<year>[12]\d{3})-(?P<month>\d{2})-(?P<day>\d{2})(?![\d-])"
        "(?P<middle>)",
        _date,
        "-",
        [("hr", "2020-05-12", "dvanaestog svibnja dvije tisuće dvadesete")],
    ),
    rule(
        "days of a month",
        r"(?<![\d.,:/-])(?<!\.\s)(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.(?!\s?\d|\s(?:i|ili|te)\s\d)"
        r"(?P<year>)(?P<middle>)",
        _date,
        ".",
        [("sr", "od 12. 5. do 3.6.", "od dvanaestog maja do trećeg juna")],
        prefilter=r"[0-9]\.\s?[0-9]",
    ),
    rule(
        "days of a roman month",
        r"(?<![\d.,:/-])(?<!\.\s)(?P<day>\d{1,2})\.\s?(?P<month>[IVX]{1,4})(?![^\W_])"
        r"(?!\.?\s?[A-ZČĆĐŠŽ\d])(?!\.?\s[a-zčćđšž]*(?:razred|vek|vijek|stolje|st\.|mjest))\.?(?P<year>)(?P<middle>)",
        _date,
        "IVX",
        [
            (
                "hr",
                "od 12. V. do 3.VI., 5. I. Anić",
                "od dvanaestog svibnja do trećeg lipnja, 5. I. Anić",
            )
        ],
        prefilter=r"[0-9]\.\s?[IVX]",
    ),
    rule(
        "durations",
        rf"(?<![^\W_])(?<![.,:/-])(?P<hour>\d{{1,2}})\s?[hč]\s?(?P<minute>{_MINUTE}|\d)(?P<unit>\s?(?:min|m)|)"
        r"(?![^\W_]|[.,:/-]\d)\.?",
        _duration,
        "hč",
        [
            ("hr", "2h15min, 1h30m", "dva sata petnaest minuta, jedan sat trideset minuta"),
            ("sr", "1č 5min, 14h30", "jedan sat pet minuta, četrnaest sati trideset minuta"),
            ("bs", "2 h 5 ljudi", "2 h 5 ljudi"),
        ],
        prefilter=r"[0-9]\s?[hč]\s?[0-9]",
    ),
    rule(
        "times to the second",
        rf"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4]):(?P<minute>{_MINUTE}):(?P<second>{_MINUTE})(?![\d:])",
        _time_to_the_second,
        ":",
        [("hr", "1:02:03", "jedan sat dvije minute tri sekunde")],
    ),
    rule(
        "times",
        rf"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4]):(?P<minute>{_MINUTE})(?![\d:]|\.\d){_HOUR_WORD}?",
        _time,
        ":",
        [
            ("hr", "u 14:30", "u četrnaest i trideset"),
            ("sr", "14:00 h", "četrnaest sati"),
            ("sr", "14:00 časova, 9:30 č.", "četrnaest časova, devet i trideset"),
            ("bs", "u 8:05 sati", "u osam i pet sati"),
            ("bs", "3:1", "3:1"),
        ],
    ),
    rule(
        "times with a dot",
        rf"(?<![\d:.,])(?P<hour>[01]?\d|2[0-4])[.,](?P<minute>{_MINUTE})(?![\d:]){_HOUR_WORD}",
        _time,
        ".,",
        [
            ("hr", "od 14.30 h", "od četrnaest i trideset"),
            ("sr", "9,15 sati", "devet i petnaest sati"),
        ],
        prefilter=r"[0-9][.,][0-5]",
    ),
    rule(
        "times after u",
        rf"(?<=\b[uU]\s)(?P<hour>[01]?\d|2[0-4])\.(?P<minute>{_MINUTE})(?![\d:%,])"
        rf"(?!\s?(?:[%€$°A-Zkm]|(?:{SYMBOLS})(?<![sh])(?![^\W_])))(?P<word>)",
        _time,
        ".",
        [
            ("sr", "u 9.15", "u devet i petnaest"),
            ("sr", "u 9.15 km, u 2.50 l", "u 9.15 km, u 2.50 l"),
        ],
        prefilter=r"[0-9]\.[0-5]",
    ),
)
"""Dates and times; applied before the rules that would read their numbers otherwise."""
