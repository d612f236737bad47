"""Check what a layout found, clip by clip, and plan what is copied, cut and left out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from fonoteka.corpus.clip_terms import AS_THE_CORPUS, Terms
from fonoteka.corpus.corpus import Clip, TimedPhones
from fonoteka.corpus.importers.clip_record import check_told, clip_of
from fonoteka.corpus.importers.layouts.audio_io import (
    SAME_S,
    Sound,
    needs_ffmpeg,
    sound_of,
    suffix_of_part,
    within,
)
from fonoteka.corpus.importers.layouts.audio_path import Finder, check_inside
from fonoteka.corpus.importers.layouts.base import (
    Found,
    Given,
    Reading,
    RefusedError,
    Source,
    stem_of,
)
from fonoteka.corpus.importers.layouts.phone_labels import timed_phones


@dataclass(frozen=True)
class Planned:
    """One clip of the corpus to be.

    Attributes:
        clip: its row, with the path that it will have.
        source: the file that it comes from.
        span_s: the part of it to cut out; None for the whole.
        timed: its phones, where they are known.
        terms: its licence and source, where they aren't those of the corpus.
    """

    clip: Clip
    source: str
    span_s: tuple[float, float] | None = None
    timed: TimedPhones | None = None
    terms: Terms = AS_THE_CORPUS


@dataclass
class Plan:
    """What a folder would become.

    Attributes:
        clips: the clips, sorted by path.
        refused: what was said of recordings and can't be used.
        rowless: audio of which nothing is said.
        others: files that are neither audio nor read.
        by_end: paths that were found by their end alone, and what was found.
        sounds: file to what its header says; None where soundfile can't read it.
        unknown_sexes: values that are neither f nor m, and how often.
        unknown_labels: labels of phones that are in no table, and how often.
        phoneless: clips whose phones are left out for such a label.
    """

    clips: list[Planned] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)
    rowless: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    by_end: list[tuple[str, str]] = field(default_factory=list)
    sounds: dict[str, Sound | None] = field(default_factory=dict)
    unknown_sexes: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    phoneless: list[str] = field(default_factory=list)

    @property
    def untranscribed(self) -> list[str]:
        """The audio that has no row or an empty text, sorted."""
        return sorted([*self.rowless, *(p.clip.path for p in self.clips if not p.clip.text)])


def plan(source: Source, reading: Reading, given: Given, ffmpeg: bool) -> Plan:
    """Return what a folder would become; what is wrong with a row is in it.

    Args:
        source: the folder.
        reading: what its layout found.
        given: what the user says of all clips.
        ffmpeg: whether it is installed.

    Raises:
        ValueError: nothing says who speaks or in which language.
    """
    check_told(reading, given, source)
    planner = _Planner(source, reading, given, ffmpeg)
    for found in reading.found:
        planner.take(found)
    planner.link_parents()
    made = planner.made
    for path in sorted(set(source.audio) - planner.heard):
        planner.take_rowless(path)
    made.others = sorted({*source.files, *source.odd} - {*source.audio, *reading.used})
    made.clips.sort(key=lambda planned: planned.clip.path)
    return made


class _Planner:
    """Takes what was found, one after the other, into a plan."""

    def __init__(self, source: Source, reading: Reading, given: Given, ffmpeg: bool) -> None:
        names = ((name, name) for name in source.files)
        self.source, self.given, self.ffmpeg = source, given, ffmpeg
        self.finder = Finder(source.folder, names, reading.by_name)
        self.made = Plan(refused=[*source.refused, *reading.refused], by_end=self.finder.by_end)
        self.found: dict[str, Found] = {}
        self.heard: set[str] = set()

    def take(self, found: Found) -> None:
        """Plan one clip, or count why not."""
        try:
            path = self.finder.find(found.path, found.base, found.where)
            self.heard.add(path)
            planned = self._planned(found, path)
            self._claim(planned.clip.path, found)
        except RefusedError as error:
            self.heard.add(error.value)
            self.made.refused.append(error)
        else:
            self.made.clips.append(planned)

    def take_rowless(self, path: str) -> None:
        """Count a recording of which nothing is said."""
        try:
            check_inside(self.source.folder, path, str(self.source.folder))
        except RefusedError as error:
            self.made.refused.append(error)
        else:
            self.made.rowless.append(path)

    def _claim(self, name: str, found: Found) -> None:
        if name in self.found:
            first = self.found[name].where
            raise RefusedError("named twice", f"{found.where}: {name!r} is already at {first}")
        self.found[name] = found

    def link_parents(self) -> None:
        """Name each parent by the path that its clip has; a clip whose parent is none goes."""
        named = {p.source: p.clip.path for p in self.made.clips if p.span_s is None}
        linked = []
        for planned in self.made.clips:
            try:
                linked.append(self._linked(planned, named))
            except RefusedError as error:
                self.made.refused.append(error)
        there: set[str] = set()
        while len(linked) != len(there):  # who goes may have been a parent
            there = {planned.clip.path for planned in linked}
            gone = {p.clip.path for p in linked if p.clip.parent and p.clip.parent not in there}
            self.made.refused += [self._no_parent(p) for p in linked if p.clip.path in gone]
            linked = [planned for planned in linked if planned.clip.path not in gone]
        self.made.clips = linked

    def _linked(self, planned: Planned, named: dict[str, str]) -> Planned:
        clip = planned.clip
        if not clip.parent:
            return planned
        found = self.found[clip.path]
        parent = named.get(self.finder.find(clip.parent, found.base, found.where), "")
        if parent in ("", clip.path):
            raise self._no_parent(planned)
        return replace(planned, clip=replace(clip, parent=parent))

    def _no_parent(self, planned: Planned) -> RefusedError:
        where, parent = self.found[planned.clip.path].where, planned.clip.parent
        return RefusedError(
            "wrong row", f"{where}: parent {parent!r} is not another clip of the corpus"
        )

    def _planned(self, found: Found, path: str) -> Planned:
        clip, odd_sex = clip_of(found, path, self.source, self.given)
        span = self._span(found, path)
        timed = self._timed(found, path, clip)
        self.made.unknown_sexes.update([odd_sex] * bool(odd_sex))
        sound = self.sound(path)
        if span is not None and sound is not None:
            name = re.sub(r"^\.|[/\\\x00-\x1f]", "_", found.name)  # no folder, and not hidden
            name = name or "-".join(f"{round(1000 * second):08d}" for second in span)
            clip = replace(
                clip, path=f"{stem_of(path)}/{name}{suffix_of_part(sound)}",
                session=clip.session or path,
            )  # fmt: skip
        elif self.ffmpeg and needs_ffmpeg(path, sound):
            clip = replace(clip, path=f"{path}.flac")
        return Planned(clip, path, span, timed, found.terms)

    def _span(self, found: Found, path: str) -> tuple[float, float] | None:
        """Return the part of a file to be cut out, or None where it is the whole."""
        if found.span_s is None:
            return None
        sound = self.sound(path)
        if sound is None:
            if not found.span_s[0] and not found.name:
                return None  # NeMo says the length of whole files too
            sentence = f"{found.where}: {path!r} can't be read to cut it; convert it, say to FLAC"
            raise RefusedError("wrong times", sentence)
        try:
            return within(found.span_s, sound)
        except ValueError as error:
            raise RefusedError("wrong times", f"{found.where}: {path!r}: {error}") from error

    def _timed(self, found: Found, path: str, clip: Clip) -> TimedPhones | None:
        """Return the phones of a clip; count the labels that are in no table."""
        if not found.intervals:
            return found.timed
        sound, end = self.sound(path), found.intervals[-1][1]
        if sound is not None and end > sound.seconds + SAME_S:
            raise RefusedError(
                "wrong times",
                f"{found.where}: its labels end at {end:g} s, but {path!r} has "
                f"{sound.seconds:.3f} s; it is of another recording",
            )
        timed = timed_phones(found.intervals, clip.language)
        if isinstance(timed, TimedPhones):
            return timed if timed.phones else None
        self.made.unknown_labels.update(timed)
        self.made.phoneless.append(path)
        return None

    def sound(self, path: str) -> Sound | None:
        """Return what a file's header says, asked once."""
        if path not in self.made.sounds:
            self.made.sounds[path] = sound_of(self.source.folder / path)
        return self.made.sounds[path]
