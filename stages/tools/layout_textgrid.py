"""Praat TextGrids of the recordings: a tier of words, and of phones where somebody labelled them.

A text that lies beside the recording as well (as the Montreal Forced Aligner wants it) says what is
said; the tier of words has lost its punctuation.

Source: "TextGrid file formats" in Praat's manual; the names of tiers are those of MFA and MAUS.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from praatio import textgrid
from praatio.utilities.errors import PraatioException

from stages.tools import layout_sidecar
from stages.tools.finder import Finder
from stages.tools.layout import (
    Found,
    Given,
    Interval,
    Reading,
    RefusedError,
    Source,
    nfc,
    stem_of,
)
from stages.tools.phone_labels import SILENCES

USUAL_TIERS = {
    "words": ("words", "word", "ort", "ort-mau", "orthography", "transcript", "riječi", "rijeci",
              "reči", "reci", "речи", "ријечи"),
    "phones": ("phones", "phone", "phonemes", "phoneme", "segments", "mau", "fonemi", "glasovi",
               "фонеми", "гласови"),
}  # fmt: skip
UNREADABLE = (PraatioException, ValueError, ArithmeticError, AttributeError, LookupError,
              RecursionError, TypeError)  # fmt: skip
"""What the reader is known to raise on files that are no TextGrids."""

GAP_S = 0.001  # between two intervals: more is a file that was cut off


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
    texts, reading.refused = layout_sidecar.texts_of(source)
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
            reading.refused.append(layout_sidecar.no_audio(source, name))
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
        raise layout_sidecar.no_audio(source, name) if error.kind == "no audio" else error from None


def read_tiers(path: Path, given: Given) -> Tiers:
    """Return the labels of the tiers of words and of phones.

    Raises:
        RefusedError: the file isn't a TextGrid, ends early, or its tiers can't be told apart.
    """
    try:
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True, reportingMode="silence")
    except UNREADABLE as error:
        raise RefusedError(
            "wrong row", f"{path}: not a TextGrid: {type(error).__name__}"
        ) from error
    named = {
        tier.name: tuple((float(i.start), float(i.end), i.label) for i in tier.entries)
        for tier in grid.tiers
        if isinstance(tier, textgrid.IntervalTier)
    }
    chosen = {kind: _tier(kind, list(named), given, path) for kind in USUAL_TIERS}
    if not any(chosen.values()):
        raise RefusedError(
            "wrong row",
            f"{path}: which of the tiers {list(named)} holds words? say with --words-tier",
        )
    speakers = {name.rpartition(" - ")[0] for name in chosen.values() if name}
    if len(speakers) > 1:
        found = sorted(filter(None, chosen.values()))
        raise RefusedError("wrong row", f"{path}: {found} are tiers of different speakers")
    for name in filter(None, chosen.values()):
        _check_whole(named[name], grid.maxTimestamp, f"{path}: tier {name!r}")
    words, phones = named.get(chosen["words"], ()), named.get(chosen["phones"], ())
    return Tiers(words, phones, speakers.pop())


def _tier(kind: str, names: list[str], given: Given, path: Path) -> str:
    """Return the tier of words or of phones; MFA writes `speaker - words`."""
    wanted = given.tiers.get(kind)
    if wanted is not None:
        if wanted not in names:
            raise RefusedError("wrong row", f"{path}: no tier {wanted!r}; found {names}")
        return wanted
    usual = [n for n in names if n.rpartition(" - ")[2].strip().lower() in USUAL_TIERS[kind]]
    if len(usual) > 1:
        raise RefusedError(
            "wrong row",
            f"{path}: the tier of {kind} could be any of {usual}; name one with --{kind}-tier",
        )
    return usual[0] if usual else ""


def _check_whole(intervals: tuple[Interval, ...], end_s: float, where: str) -> None:
    """Refuse a tier that has a hole or ends early: the reader passes over what it can't read."""
    at = intervals[0][0] if intervals else 0.0
    for start, end, _ in (*intervals, (end_s, end_s, "")):
        if not abs(start - at) <= GAP_S:  # nor is NaN within
            raise RefusedError("wrong row", f"{where} has nothing from {at:g} to {start:g} s")
        at = end
