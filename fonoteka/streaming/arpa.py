"""Write and read n-gram models as ARPA text, the format of SRILM, KenLM and most decoders.

Probabilities have six decimals, and n-grams are sorted, so equal models are equal bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from fonoteka.core.errors import UserError
from fonoteka.streaming.phone_ngram import BEGIN, END, Ngram, NgramEntry, PhoneNgram

UNKNOWN = "<unk>"
"""Written for KenLM, which otherwise warns; it has no probability."""

NEVER = -99.0
"""What ARPA files write for the log10 of 0."""

_COUNT = re.compile(r"ngram (\d+)=(\d+)")
_TITLE = re.compile(r"\\(\d+)-grams:")


def arpa_text(model: PhoneNgram) -> str:
    r"""Return a model as ARPA text.

    >>> model = PhoneNgram(1, ("a",), {
    ...     ("a",): NgramEntry(-0.3, 0.0), ("</s>",): NgramEntry(-0.3, 0.0),
    ...     ("<s>",): NgramEntry(-math.inf, 0.0)})
    >>> arpa_text(model).splitlines()[:5]
    ['\\data\\', 'ngram 1=4', '', '\\1-grams:', '-0.300000\t</s>']
    """
    entries = {**model.entries, (UNKNOWN,): NgramEntry(-math.inf, 0.0)}
    by_order = [
        sorted((ngram, entry) for ngram, entry in entries.items() if len(ngram) == order)
        for order in range(1, model.order + 1)
    ]
    counts = [f"ngram {order}={len(rows)}" for order, rows in enumerate(by_order, start=1)]
    lines = ["\\data\\", *counts]
    for order, rows in enumerate(by_order, start=1):
        lines += ["", f"\\{order}-grams:"]
        for ngram, (probability, backoff) in rows:
            columns = [f"{max(probability, NEVER):.6f}", " ".join(ngram)]
            lines.append("\t".join(columns + [f"{backoff:.6f}"] * (backoff != 0)))
    return "\n".join([*lines, "", "\\end\\", ""])


def parse_arpa(text: str, place: str) -> PhoneNgram:
    """Return the model of an ARPA text.

    Args:
        text: as `arpa_text` or another program writes it; n-grams of `<unk>` are left out.
        place: names the text in errors.

    Raises:
        UserError: a line, a number or a count is not as the format has it, or a mark is missing.
    """
    expected: dict[int, int] = {}
    counts: dict[int, int] = {}
    entries: dict[Ngram, NgramEntry] = {}
    order = 0
    for number, line in _lines(text, place):
        location = f"{place}:{number}"
        if count := _COUNT.fullmatch(line):
            expected[int(count[1])] = int(count[2])
        elif title := _TITLE.fullmatch(line):
            order = int(title[1])
            counts[order] = 0
        else:
            ngram, entry = _entry(line, order, location)
            if ngram in entries:
                raise UserError(f"{location}: {' '.join(ngram)!r} is there twice")
            entries[ngram] = entry
            counts[order] += 1
    if not expected or counts != expected or sorted(expected) != [*range(1, len(expected) + 1)]:
        raise UserError(
            f"{place}: its head counts {expected} n-grams per order, but {counts} are there; "
            "the file is damaged, write it again"
        )
    for mark in (BEGIN, END):
        if (mark,) not in entries:
            raise UserError(f"{place}: no unigram of {mark!r}")
    # A decoder finds an n-gram by way of its history, one state per symbol.
    for ngram in entries:
        if len(ngram) > 1 and ngram[:-1] not in entries:
            raise UserError(f"{place}: {' '.join(ngram)!r} is there, but its history is not")
    retained = {ngram: entry for ngram, entry in entries.items() if UNKNOWN not in ngram}
    phones = (ngram[0] for ngram in retained if len(ngram) == 1)
    return PhoneNgram(len(expected), tuple(sorted({*phones} - {BEGIN, END})), retained)


def _lines(text: str, place: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines between the first and the last line of the format."""
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), start=1)]
    lines = [(n, line) for n, line in lines if line]
    if len(lines) < 2 or lines[0][1] != "\\data\\" or lines[-1][1] != "\\end\\":
        raise UserError(
            f"{place}: not an ARPA file, which begins with \\data\\ and ends with \\end\\"
        )
    yield from lines[1:-1]


def _entry(line: str, order: int, location: str) -> tuple[Ngram, NgramEntry]:
    fields = line.split()
    complete = order and len(fields) in (order + 1, order + 2)
    try:
        probability = float(fields[0]) if complete else math.nan
        backoff = float(fields[order + 1]) if len(fields) == order + 2 else 0.0
    except ValueError:
        probability = backoff = math.nan
    if not (probability <= 0 and backoff < math.inf):
        raise UserError(
            f"{location}: expected a log10 probability, {order} symbols and perhaps a log10 "
            f"backoff, found {line!r}"
        )
    return tuple(fields[1 : order + 1]), NgramEntry(
        -math.inf if probability <= NEVER else probability, backoff
    )
