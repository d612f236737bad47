"""Describe the plan of an import, so that a person can check it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath

from fonoteka.corpus.corpus import CorpusClip
from fonoteka.corpus.importers.layouts.audio_io import needs_ffmpeg
from fonoteka.corpus.importers.layouts.base import ParsedLayout
from fonoteka.corpus.importers.layouts.detect import DetectedLayout
from fonoteka.corpus.importers.plan import ImportPlan
from fonoteka.corpus.importers.portable_names import shown

WIDTH = 10  # characters of the labels on the left
LONGEST = 40  # characters of a name; speaker ids of Common Voice have 128
FIRST = 3  # clips whose texts are shown, so that swapped columns are visible
LISTED = 5  # messages per kind of problem


def describe(detected: DetectedLayout, parsed: ParsedLayout, plan: ImportPlan, ffmpeg: bool) -> str:
    """Return a description of what would be imported, what would be left out, and why."""
    index = detected.index
    file_count = f"{len(index)} files: " * (len(index) > 1)
    lines = [("layout", f"{detected.name}, by {file_count}{few(index)}"), *parsed.notes]
    lines += _clips(plan) + _left_out(plan, ffmpeg)
    return "\n".join(f"{label:<{WIDTH}} {text}" for label, text in lines)


def few(names: Iterable[str]) -> str:
    """Return the first five names, and dots if there are more."""
    listed = list(names)
    first = ", ".join(_short(shown(name)) for name in listed[:5])
    return first + (", ..." if len(listed) > 5 else "")


def counted(values: Iterable[str]) -> str:
    """Return each value with its count, the most frequent first."""
    counts = Counter(values)
    ordered = sorted(counts, key=lambda value: (-counts[value], value))
    return few(f"{value or '(empty)'} {counts[value]}" for value in ordered)


def _clips(plan: ImportPlan) -> list[tuple[str, str]]:
    """Return the lines on clips, speakers, languages, parts, sexes, sessions and phones."""
    clips = [planned.clip for planned in plan.clips]
    spans = [planned.span_s for planned in plan.clips]
    whole = [plan.sounds.get(p.source) for p in plan.clips if p.span_s is None]
    seconds = sum(sound.seconds for sound in whole if sound is not None)
    seconds += sum(span[1] - span[0] for span in spans if span is not None)
    speakers = sorted({clip.speaker for clip in clips})
    lines = [
        ("clips", f"{len(clips)}, {seconds:.1f} s"),
        ("speakers", f"{len(speakers)}: {few(speakers)}"),
        ("languages", ", ".join(f"{n} {c}" for n, c in sorted(Counter(
            clip.language for clip in clips).items()))),
    ]  # fmt: skip
    lines += [("clip", _first(clip)) for clip in clips[:FIRST]]
    cut = {planned.source for planned in plan.clips if planned.span_s is not None}
    if cut:
        lines.append(("cut", f"{sum(s is not None for s in spans)} clips out of {len(cut)} files"))
    sexes = {(clip.speaker, clip.sex) for clip in clips if clip.sex}
    if sexes:
        lines.append(("sex", f"{counted(sex for _, sex in sexes)} of {len(speakers)} speakers"))
    sessions = {(clip.session, clip.speaker) for clip in clips if clip.session}
    if sessions:
        voices = Counter(session for session, _ in sessions)
        shared = sum(count > 1 for count in voices.values())
        several = f", {shared} of them with several speakers, who stay together" if shared else ""
        lines.append(("sessions", f"{len(voices)}{several}"))
    timed = sum(planned.timed is not None for planned in plan.clips)
    if timed:
        lines.append(("phones", f"{timed} clips with times"))
    return lines


def _first(clip: CorpusClip) -> str:
    """Return path, speaker, language and text of a clip in one line."""
    text = clip.text if len(clip.text) <= 2 * LONGEST else f"{clip.text[: 2 * LONGEST - 3]}..."
    return (
        f"{_short(shown(clip.path))} of {_short(shown(clip.speaker))}, "
        f"{clip.language or 'language by its text'}: {shown(text) if text else '(no text)'}"
    )


def _left_out(plan: ImportPlan, ffmpeg: bool) -> list[tuple[str, str]]:
    """Return the lines on refused rows, missing texts, and files that are not used."""
    lines = []
    # Thousands of rows may be refused for one reason: count each kind and list the first few.
    for kind in sorted({error.kind for error in plan.refused}):
        errors = [error for error in plan.refused if error.kind == kind]
        values = f" ({counted(e.value for e in errors)})" if kind == "unknown language" else ""
        first, *others = (shown(str(error)) for error in errors[:LISTED])
        lines.append((kind, f"{len(errors)}{values}: {first}"))
        lines += [("", sentence) for sentence in others]
        if len(errors) > LISTED:
            lines.append(("", f"and {len(errors) - LISTED} more"))
    if plan.untranscribed:
        lines.append(("no text", f"{len(plan.untranscribed)}: {few(plan.untranscribed)}"))
    if plan.by_end:
        path, file = plan.by_end[0]
        lines.append(("by name", f"{len(plan.by_end)} found so, as {shown(path)!r} in {file!r}"))
    if plan.phoneless:
        labels = counted(plan.unknown_labels.elements())
        lines.append(
            ("no phones", f"{len(plan.phoneless)} clips, for labels in no table: {labels}")
        )
    if plan.unknown_sexes:
        lines.append(("no sex", f"neither f nor m: {counted(plan.unknown_sexes.elements())}"))
    lines += _sounds(plan, ffmpeg)
    if plan.others:
        suffixes = (PurePosixPath(name).suffix.lower() for name in plan.others)
        lines.append(("not audio", f"{len(plan.others)}, not copied: {counted(suffixes)}"))
    return lines


def _sounds(plan: ImportPlan, ffmpeg: bool) -> list[tuple[str, str]]:
    """Return the lines on recordings that soundfile cannot read."""
    unread = sorted({p.source for p in plan.clips if plan.sounds.get(p.source) is None})
    ffmpeg_only = [path for path in unread if needs_ffmpeg(path, None)]
    damaged = [path for path in unread if path not in set(ffmpeg_only)]
    lines = []
    if ffmpeg_only:
        suffixes = counted(PurePosixPath(path).suffix.lower() for path in ffmpeg_only)
        if ffmpeg:
            outcome = "will be written as FLAC by ffmpeg"
        else:
            outcome = "ffmpeg is not installed, so inventory will quarantine them as unreadable"
        lines.append(("ffmpeg", f"{len(ffmpeg_only)} ({suffixes}): {outcome}"))
    if damaged:
        lines.append(
            ("unreadable", f"{len(damaged)}, inventory will quarantine them: {few(damaged)}")
        )
    return lines


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."
