"""Praat TextGrids of the recordings: a tier of words, and of phones where somebody labelled them.

A text that lies beside the recording as well (as the Montreal Forced Aligner wants it) says what is
said; the tier of words has lost its punctuation.

Source: "TextGrid file formats" in Praat's manual; the names of tiers are those of MFA and MAUS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from praatio.utilities import textgrid_io
from praatio.utilities.constants import INTERVAL_TIER
from praatio.utilities.errors import PraatioException

from fonoteka.corpus.importers.layouts import sidecar
from fonoteka.corpus.importers.layouts.audio_path import Finder
from fonoteka.corpus.importers.layouts.base import (
    Found,
    Given,
    Interval,
    Reading,
    RefusedError,
    Source,
    nfc,
    stem_of,
)
from fonoteka.corpus.importers.layouts.phone_labels import SILENCES
from fonoteka.corpus.importers.layouts.text_lines import decoded, problem_of

USUAL_TIERS = {
    "words": ("words", "word", "ort", "ort-mau", "orthography", "transcript", "riječi", "rijeci",
              "reči", "reci", "речи", "ријечи"),
    "phones": ("phones", "phone", "phonemes", "phoneme", "segments", "mau", "fonemi", "glasovi",
               "фонеми", "гласови"),
}  # fmt: skip
UNREADABLE = (PraatioException, ValueError, ArithmeticError, AttributeError, LookupError,
              RecursionError, TypeError)  # fmt: skip
"""What the reader is known to raise on files that are no TextGrids."""

BINARY = "ooBinaryFile"
GAP_S = 0.001  # between two intervals: more is a file that was cut off
SNAP_S = 1e-6
"""Intervals that overlap or are apart by no more than this meet: sums of times in floating point,
and times written with six decimals, differ by less; a sample at 16 kHz takes 62.5 times as long."""

_SMALL = re.compile(r"^([ \t]*(?:xmin|xmax|number) = )(-?[\d.]+[eE]-\d+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Tiers:
    """What a TextGrid says: its labels, and the speaker where a tier is named after one."""

    words: tuple[Interval, ...]
    phones: tuple[Interval, ...]
    speaker: str


def claims(source: Source, name: str) -> bool:  # noqa: ARG001
    """Tell whether a file is a TextGrid."""
    return PurePosixPath(name).suffix.lower() == ".textgrid"


def read(source: Source, index: list[str], given: Given) -> Reading:
    """Return a clip for each TextGrid, and for each text that lies beside audio alone."""
    reading = Reading(texts="their tier of words or files beside them named .txt or .lab")
    reading.used.update(index)
    texts, reading.refused = sidecar.texts_of(source)
    finder = Finder(source.folder, ((stem_of(name), name) for name in source.audio), by_name=True)
    seen = set()
    for name in index:
        where = str(source.folder / name)
        try:
            path = _recording(source, name, finder)
            tiers = read_tiers(source.folder / name, given)
        except RefusedError as error:
            reading.refused.append(error)
            continue
        seen.add(path)
        text = " ".join(label for _, _, label in tiers.words if label.lower() not in SILENCES)
        beside = texts.get(nfc(stem_of(path)), ("", ""))[1]
        reading.found.append(
            Found(where, path, beside or text, tiers.speaker, intervals=tiers.phones)
        )
    for stem, (name, text) in texts.items():
        audio = source.audio_by_stem.get(stem, [])
        reading.used.add(name)
        if not audio:
            reading.refused.append(sidecar.no_audio(source, name))
        reading.found += [Found(str(source.folder / name), p, text) for p in audio if p not in seen]
    if finder.by_end:
        name, path = finder.by_end[0]
        note = f"{len(finder.by_end)} TextGrids lie elsewhere, as that of {path} in {name}"
        reading.notes.append(("by name", note))
    return reading


def _recording(source: Source, name: str, finder: Finder) -> str:
    """Return the recording beside a TextGrid, or the likest elsewhere: aligners write to a folder.

    Raises:
        RefusedError: there is none, or several are as like.
    """
    stem, where = stem_of(name), str(source.folder / name)
    if nfc(stem) in source.audio_by_stem:
        return finder.find(stem, "", where)
    try:
        return finder.find(f"/{stem}", "", where)
    except RefusedError as error:
        raise sidecar.no_audio(source, name) if error.kind == "no audio" else error from None


def read_tiers(path: Path, given: Given) -> Tiers:
    """Return the labels of the tiers of words and of phones.

    Raises:
        RefusedError: the file isn't a TextGrid, ends early, or its tiers can't be told apart.
    """
    try:
        tiers, end_s = _parsed(_text(path))
    except UNREADABLE as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(
            "wrong row", f"{path}: not a TextGrid: {type(error).__name__}"
        ) from error
    named, names = dict(reversed(tiers)), [name for name, _ in tiers]
    chosen = {kind: _tier(kind, names, given, path) for kind in USUAL_TIERS}
    if not any(chosen.values()):
        raise RefusedError(
            "wrong row",
            f"{path}: which of the tiers {names} holds words? say with --words-tier",
        )
    speakers = {name.rpartition(" - ")[0] for name in chosen.values() if name}
    if len(speakers) > 1:
        found = sorted(filter(None, chosen.values()))
        raise RefusedError("wrong row", f"{path}: {found} are tiers of different speakers")
    for name in filter(None, chosen.values()):
        _check_whole(named[name], end_s, f"{path}: tier {name!r}")
    words, phones = named.get(chosen["words"], ()), named.get(chosen["phones"], ())
    return Tiers(words, phones, speakers.pop())


def _text(path: Path) -> str:
    """Return what a file holds.

    Raises:
        RefusedError: a line is not text.
    """
    text = decoded(path).replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith(BINARY):
        raise RefusedError("wrong row", f"{path}: a binary TextGrid; save it as text in Praat")
    for number, line in enumerate(text.split("\n"), start=1):
        if problem := problem_of(line):
            raise RefusedError("wrong row", f"{path}:{number}: {problem}")
    return text


def _parsed(text: str) -> tuple[list[tuple[str, tuple[Interval, ...]]], float]:
    """Return the tiers of intervals in their order, names maybe doubled, and where all tiers end.

    praatio's `openTextgrid` refuses a file for two tiers of one name, and for an overlap of 2e-16 s
    in any of them; its parser alone does not, nor does it know times as small as `1e-05`.
    """
    grid = textgrid_io.parseTextgridStr(
        _SMALL.sub(lambda match: f"{match[1]}{float(match[2]):.20f}", text),
        includeEmptyIntervals=True,
    )
    tiers = [
        (tier["name"], _snapped(tier["entries"]))
        for tier in grid["tiers"]
        if tier["class"] == INTERVAL_TIER
    ]
    ends = [float(tier["xmax"]) for tier in grid["tiers"]]
    return tiers, max([float(grid["xmax"]), *ends, *(i[-1][1] for _, i in tiers if i)])


def _snapped(entries: Iterable[tuple[str | float, str | float, str]]) -> tuple[Interval, ...]:
    """Return intervals in order; one that misses the next by at most SNAP_S is made to meet it.

    An interval without a label that is no longer than that is what such a sum left over.
    """
    snapped: list[Interval] = []
    for start, end, label in sorted((float(s), float(e), text.strip()) for s, e, text in entries):
        if abs(end - start) <= SNAP_S and not label:
            continue
        if snapped and abs(snapped[-1][1] - start) <= SNAP_S:
            snapped[-1] = (snapped[-1][0], start, snapped[-1][2])
        snapped.append((start, end, label))
    return tuple(snapped)


def _tier(kind: str, names: list[str], given: Given, path: Path) -> str:
    """Return the tier of words or of phones; MFA writes `speaker - words`."""
    wanted = given.tiers.get(kind)
    if wanted is not None:
        if wanted not in names:
            raise RefusedError("wrong row", f"{path}: no tier {wanted!r}; found {names}")
        usual = [name for name in names if name == wanted]
    else:
        usual = _usual(kind, names)
    if len(usual) > 1 and len(set(usual)) == 1:
        raise RefusedError(
            "wrong row", f"{path}: {len(usual)} tiers are named {usual[0]!r}; rename one in Praat"
        )
    if len(usual) > 1:
        raise RefusedError(
            "wrong row",
            f"{path}: the tier of {kind} could be any of {usual}; name one with --{kind}-tier",
        )
    return usual[0] if usual else ""


def _usual(kind: str, names: list[str]) -> list[str]:
    return [n for n in names if n.rpartition(" - ")[2].strip().lower() in USUAL_TIERS[kind]]


def _check_whole(intervals: tuple[Interval, ...], end_s: float, where: str) -> None:
    """Refuse a tier that overlaps, has a hole or ends early.

    The reader passes over what it cannot read, and what is left is then no whole tier.
    """
    at = intervals[0][0] if intervals else 0.0
    for start, end, label in intervals:
        if not start < end:
            sentence = f"{where}: {label!r} begins at {start:.9g} s and ends at {end:.9g} s"
            raise RefusedError("wrong row", sentence)
        if start < at:
            sentence = f"{where}: {label!r} begins at {start:.9g} s, before {at:.9g} s where the "
            raise RefusedError("wrong row", f"{sentence}interval before it ends")
        at = end
    at = intervals[0][0] if intervals else 0.0
    for start, end, _ in (*intervals, (end_s, end_s, "")):
        if not abs(start - at) <= GAP_S:  # nor is NaN within
            raise RefusedError("wrong row", f"{where} has nothing from {at:g} to {start:g} s")
        at = end
