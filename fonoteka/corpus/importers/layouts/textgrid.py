"""Praat TextGrids with a tier of words and optionally a tier of phones.

A text file beside the recording, as the Montreal Forced Aligner requires it, overrides the tier of
words, which has no punctuation.

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
from fonoteka.corpus.importers.layouts.audio_path import AudioPathResolver
from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    Interval,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
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
PARSE_ERRORS = (PraatioException, ValueError, ArithmeticError, AttributeError, LookupError,
              RecursionError, TypeError)  # fmt: skip
"""Exceptions that praatio is known to raise on files that are not TextGrids."""

BINARY = "ooBinaryFile"
GAP_S = 0.001  # largest gap between two intervals; a longer one means that lines are missing
SNAP_S = 1e-6
"""Intervals with a smaller overlap or gap are adjacent: rounding of sums in floating point and of
times with six decimals is smaller; a sample at 16 kHz takes 62.5 times as long."""

_SMALL = re.compile(r"^([ \t]*(?:xmin|xmax|number) = )(-?[\d.]+[eE]-\d+)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Tiers:
    """The labels of a TextGrid, and the speaker if the names of its tiers contain one."""

    words: tuple[Interval, ...]
    phones: tuple[Interval, ...]
    speaker: str


def claims(source: SourceFolder, name: str) -> bool:  # noqa: ARG001
    """Return whether a file is a TextGrid, by its name."""
    return PurePosixPath(name).suffix.lower() == ".textgrid"


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:
    """Return a clip for each TextGrid, and for each text beside audio without a TextGrid."""
    parsed = ParsedLayout(texts="their tier of words or files beside them named .txt or .lab")
    parsed.used.update(index)
    texts, parsed.refused = sidecar.texts_of(source)
    resolver = AudioPathResolver(
        source.folder, ((stem_of(name), name) for name in source.audio), by_name=True
    )
    seen = set()
    for name in index:
        place = str(source.folder / name)
        try:
            path = _recording(source, name, resolver)
            tiers = read_tiers(source.folder / name, options)
        except RefusedError as error:
            parsed.refused.append(error)
            continue
        seen.add(path)
        text = " ".join(label for _, _, label in tiers.words if label.lower() not in SILENCES)
        sidecar_text = texts.get(nfc(stem_of(path)), ("", ""))[1]
        parsed.clips.append(
            UncheckedClip(place, path, sidecar_text or text, tiers.speaker, intervals=tiers.phones)
        )
    # A corpus may have TextGrids for some recordings only: the other texts are clips too.
    for stem, (name, text) in texts.items():
        audio = source.audio_by_stem.get(stem, [])
        parsed.used.add(name)
        if not audio:
            parsed.refused.append(sidecar.no_audio(source, name))
        parsed.clips += [
            UncheckedClip(str(source.folder / name), p, text) for p in audio if p not in seen
        ]
    if resolver.by_end:
        name, path = resolver.by_end[0]
        note = f"{len(resolver.by_end)} TextGrids lie elsewhere, as that of {path} in {name}"
        parsed.notes.append(("by name", note))
    return parsed


def _recording(source: SourceFolder, name: str, resolver: AudioPathResolver) -> str:
    """Return the recording beside a TextGrid, or the one with the most similar path.

    Aligners often write TextGrids to a folder of their own.

    Raises:
        RefusedError: there is no recording, or several match equally.
    """
    stem, place = stem_of(name), str(source.folder / name)
    if nfc(stem) in source.audio_by_stem:
        return resolver.resolve(stem, "", place)
    try:
        return resolver.resolve(f"/{stem}", "", place)
    except RefusedError as error:
        raise sidecar.no_audio(source, name) if error.kind == "no audio" else error from None


def read_tiers(path: Path, options: ImportOptions) -> Tiers:
    """Return the labels of the tiers of words and of phones.

    Raises:
        RefusedError: the file is not a TextGrid, ends early, or its tiers are ambiguous.
    """
    try:
        tiers, end_s = _parsed(_text(path))
    except PARSE_ERRORS as error:
        if isinstance(error, RefusedError):
            raise
        raise RefusedError(
            "wrong row", f"{path}: not a TextGrid: {type(error).__name__}"
        ) from error
    # If two tiers have one name, the first counts.
    named, names = dict(reversed(tiers)), [name for name, _ in tiers]
    chosen = {kind: _tier(kind, names, options, path) for kind in USUAL_TIERS}
    if not any(chosen.values()):
        raise RefusedError(
            "wrong row",
            f"{path}: which of the tiers {names} holds words? say with --words-tier",
        )
    speakers = {name.rpartition(" - ")[0] for name in chosen.values() if name}
    if len(speakers) > 1:
        chosen_tiers = sorted(filter(None, chosen.values()))
        raise RefusedError("wrong row", f"{path}: {chosen_tiers} are tiers of different speakers")
    for name in filter(None, chosen.values()):
        _check_whole(named[name], end_s, f"{path}: tier {name!r}")
    words, phones = named.get(chosen["words"], ()), named.get(chosen["phones"], ())
    return Tiers(words, phones, speakers.pop())


def _text(path: Path) -> str:
    """Return the text of a file.

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
    """Return the tiers of intervals in order, with possibly repeated names, and the latest end.

    praatio's `openTextgrid` refuses two tiers of one name and an overlap of 2e-16 s in any tier;
    its parser alone does not. The parser does not know exponents such as `1e-05`, so they are
    rewritten.
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
    """Return intervals in order; an end within SNAP_S of the next start is moved to it.

    An interval of at most SNAP_S without a label is a rounding error and is dropped.
    """
    snapped: list[Interval] = []
    for start, end, label in sorted((float(s), float(e), text.strip()) for s, e, text in entries):
        if abs(end - start) <= SNAP_S and not label:
            continue
        if snapped and abs(snapped[-1][1] - start) <= SNAP_S:
            snapped[-1] = (snapped[-1][0], start, snapped[-1][2])
        snapped.append((start, end, label))
    return tuple(snapped)


def _tier(kind: str, names: list[str], options: ImportOptions, path: Path) -> str:
    """Return the tier of words or of phones; MFA writes `speaker - words`."""
    wanted = options.tiers.get(kind)
    if wanted is not None:
        if wanted not in names:
            raise RefusedError("wrong row", f"{path}: no tier {wanted!r}; found {names}")
        matches = [name for name in names if name == wanted]
    else:
        matches = _usual(kind, names)
    if len(matches) > 1 and len(set(matches)) == 1:
        raise RefusedError(
            "wrong row",
            f"{path}: {len(matches)} tiers are named {matches[0]!r}; rename one in Praat",
        )
    if len(matches) > 1:
        raise RefusedError(
            "wrong row",
            f"{path}: the tier of {kind} could be any of {matches}; name one with --{kind}-tier",
        )
    return matches[0] if matches else ""


def _usual(kind: str, names: list[str]) -> list[str]:
    return [n for n in names if n.rpartition(" - ")[2].strip().lower() in USUAL_TIERS[kind]]


def _check_whole(intervals: tuple[Interval, ...], end_s: float, place: str) -> None:
    """Refuse a tier with an overlap or a gap, or one that ends early.

    The parser skips lines that it cannot read, which leaves an incomplete tier.
    """
    expected = intervals[0][0] if intervals else 0.0
    for start, end, label in intervals:
        if not start < end:
            sentence = f"{place}: {label!r} begins at {start:.9g} s and ends at {end:.9g} s"
            raise RefusedError("wrong row", sentence)
        if start < expected:
            sentence = (
                f"{place}: {label!r} begins at {start:.9g} s, before {expected:.9g} s where the "
            )
            raise RefusedError("wrong row", f"{sentence}interval before it ends")
        expected = end
    expected = intervals[0][0] if intervals else 0.0
    for start, end, _ in (*intervals, (end_s, end_s, "")):
        if not abs(start - expected) <= GAP_S:  # refuses NaN too
            raise RefusedError("wrong row", f"{place} has nothing from {expected:g} to {start:g} s")
        expected = end
