"""Check the clips of a layout, and plan what is copied, cut and left out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms
from fonoteka.corpus.corpus import CorpusClip, TimedPhones
from fonoteka.corpus.importers.clip_record import check_required_fields, make_clip
from fonoteka.corpus.importers.layouts.audio_io import (
    SAME_S,
    AudioHeader,
    needs_ffmpeg,
    sound_of,
    suffix_of_part,
    within,
)
from fonoteka.corpus.importers.layouts.audio_path import AudioPathResolver, check_inside
from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
    stem_of,
)
from fonoteka.corpus.importers.layouts.phone_labels import timed_phones


@dataclass(frozen=True)
class PlannedClip:
    """One clip of the future corpus.

    Attributes:
        clip: its row, with its path in the corpus.
        source: the file that contains it.
        span_s: the part of the file to cut out, in seconds; None for the whole file.
        timed: its phones, if known.
        terms: its licence and source, if they differ from those of the corpus.
    """

    clip: CorpusClip
    source: str
    span_s: tuple[float, float] | None = None
    timed: TimedPhones | None = None
    terms: ClipTerms = AS_THE_CORPUS


@dataclass
class ImportPlan:
    """The corpus that an import of a folder would write.

    Attributes:
        clips: the clips, sorted by path.
        refused: rows and files that cannot be used, with the reasons.
        rowless: audio without a row.
        others: files that are neither audio nor read.
        by_end: pairs of a path that matched by its last parts only, and the file.
        sounds: header by file; None if soundfile cannot read it.
        unknown_sexes: counts of values that are neither f nor m.
        unknown_labels: counts of phone labels that are in no table.
        phoneless: clips whose phones are omitted because of such a label.
    """

    clips: list[PlannedClip] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)
    rowless: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    by_end: list[tuple[str, str]] = field(default_factory=list)
    sounds: dict[str, AudioHeader | None] = field(default_factory=dict)
    unknown_sexes: Counter[str] = field(default_factory=Counter)
    unknown_labels: Counter[str] = field(default_factory=Counter)
    phoneless: list[str] = field(default_factory=list)

    @property
    def untranscribed(self) -> list[str]:
        """The audio that has no row or an empty text, sorted."""
        return sorted([*self.rowless, *(p.clip.path for p in self.clips if not p.clip.text)])


def plan(
    source: SourceFolder, parsed: ParsedLayout, options: ImportOptions, ffmpeg: bool
) -> ImportPlan:
    """Return the plan of an import; invalid rows are listed in it.

    Args:
        source: the folder.
        parsed: the clips that its layout states.
        options: the user's options.
        ffmpeg: whether ffmpeg is installed.

    Raises:
        ValueError: nothing states the speakers or the languages.
    """
    check_required_fields(parsed, options, source)
    planner = _Planner(source, parsed, options, ffmpeg)
    for entry in parsed.clips:
        planner.add(entry)
    planner.link_parents()
    result = planner.plan
    for path in sorted(set(source.audio) - planner.used_audio):
        planner.add_rowless(path)
    result.others = sorted({*source.files, *source.special_files} - {*source.audio, *parsed.used})
    result.clips.sort(key=lambda planned: planned.clip.path)
    return result


class _Planner:
    """Adds the clips of a layout to a plan, one after the other."""

    def __init__(
        self, source: SourceFolder, parsed: ParsedLayout, options: ImportOptions, ffmpeg: bool
    ) -> None:
        names = ((name, name) for name in source.files)
        self.source, self.options, self.ffmpeg = source, options, ffmpeg
        self.resolver = AudioPathResolver(source.folder, names, parsed.by_name)
        self.plan = ImportPlan(
            refused=[*source.refused, *parsed.refused], by_end=self.resolver.by_end
        )
        self.entries: dict[str, UncheckedClip] = {}
        self.used_audio: set[str] = set()

    def add(self, entry: UncheckedClip) -> None:
        """Plan one clip, or record why it is refused."""
        try:
            path = self.resolver.resolve(entry.path, entry.base, entry.place)
            self.used_audio.add(path)
            planned = self._planned(entry, path)
            self._claim(planned.clip.path, entry)
        except RefusedError as error:
            self.used_audio.add(error.value)
            self.plan.refused.append(error)
        else:
            self.plan.clips.append(planned)

    def add_rowless(self, path: str) -> None:
        """Record audio without a row, or refuse it if it is outside the folder."""
        try:
            check_inside(self.source.folder, path, str(self.source.folder))
        except RefusedError as error:
            self.plan.refused.append(error)
        else:
            self.plan.rowless.append(path)

    def _claim(self, name: str, entry: UncheckedClip) -> None:
        if name in self.entries:
            first = self.entries[name].place
            raise RefusedError("named twice", f"{entry.place}: {name!r} is already at {first}")
        self.entries[name] = entry

    def link_parents(self) -> None:
        """Replace each parent by its path in the corpus; refuse clips whose parent is missing."""
        named = {p.source: p.clip.path for p in self.plan.clips if p.span_s is None}
        linked = []
        for planned in self.plan.clips:
            try:
                linked.append(self._linked(planned, named))
            except RefusedError as error:
                self.plan.refused.append(error)
        remaining: set[str] = set()
        while len(linked) != len(remaining):  # a refused clip may be the parent of another
            remaining = {planned.clip.path for planned in linked}
            orphans = {
                p.clip.path for p in linked if p.clip.parent and p.clip.parent not in remaining
            }
            self.plan.refused += [self._no_parent(p) for p in linked if p.clip.path in orphans]
            linked = [planned for planned in linked if planned.clip.path not in orphans]
        self.plan.clips = linked

    def _linked(self, planned: PlannedClip, named: dict[str, str]) -> PlannedClip:
        clip = planned.clip
        if not clip.parent:
            return planned
        entry = self.entries[clip.path]
        parent = named.get(self.resolver.resolve(clip.parent, entry.base, entry.place), "")
        if parent in ("", clip.path):
            raise self._no_parent(planned)
        return replace(planned, clip=replace(clip, parent=parent))

    def _no_parent(self, planned: PlannedClip) -> RefusedError:
        place, parent = self.entries[planned.clip.path].place, planned.clip.parent
        return RefusedError(
            "wrong row", f"{place}: parent {parent!r} is not another clip of the corpus"
        )

    def _planned(self, entry: UncheckedClip, path: str) -> PlannedClip:
        clip, odd_sex = make_clip(entry, path, self.source, self.options)
        span = self._span(entry, path)
        timed = self._timed(entry, path, clip)
        self.plan.unknown_sexes.update([odd_sex] * bool(odd_sex))
        sound = self.sound(path)
        if span is not None and sound is not None:
            # The name must not contain a folder or begin with a dot, which hides the file.
            name = re.sub(r"^\.|[/\\\x00-\x1f]", "_", entry.name)
            name = name or "-".join(f"{round(1000 * second):08d}" for second in span)
            clip = replace(
                clip, path=f"{stem_of(path)}/{name}{suffix_of_part(sound)}",
                session=clip.session or path,
            )  # fmt: skip
        elif self.ffmpeg and needs_ffmpeg(path, sound):
            clip = replace(clip, path=f"{path}.flac")
        return PlannedClip(clip, path, span, timed, entry.terms)

    def _span(self, entry: UncheckedClip, path: str) -> tuple[float, float] | None:
        """Return the part of a file to cut out, or None for the whole file."""
        if entry.span_s is None:
            return None
        sound = self.sound(path)
        if sound is None:
            if not entry.span_s[0] and not entry.name:
                return None  # NeMo states the length of whole files too
            sentence = (
                f"{entry.place}: {path!r} cannot be read, so not cut; convert it, say to FLAC"
            )
            raise RefusedError("wrong times", sentence)
        try:
            return within(entry.span_s, sound)
        except ValueError as error:
            raise RefusedError("wrong times", f"{entry.place}: {path!r}: {error}") from error

    def _timed(self, entry: UncheckedClip, path: str, clip: CorpusClip) -> TimedPhones | None:
        """Return the phones of a clip, or None; count labels that are in no table."""
        if not entry.intervals:
            return entry.timed
        sound, end = self.sound(path), entry.intervals[-1][1]
        if sound is not None and end > sound.seconds + SAME_S:
            raise RefusedError(
                "wrong times",
                f"{entry.place}: its labels end at {end:g} s, but {path!r} has "
                f"{sound.seconds:.3f} s; it is of another recording",
            )
        timed = timed_phones(entry.intervals, clip.language)
        if isinstance(timed, TimedPhones):
            return timed if timed.phones else None
        self.plan.unknown_labels.update(timed)
        self.plan.phoneless.append(path)
        return None

    def sound(self, path: str) -> AudioHeader | None:
        """Return a file's header, which is read once; None if it cannot be read."""
        if path not in self.plan.sounds:
            self.plan.sounds[path] = sound_of(self.source.folder / path)
        return self.plan.sounds[path]
