"""Find a subject's data in a corpus: clips, rows, sidecar files, and what a person must review."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import SOURCE
from fonoteka.corpus.corpus import CARD, PHONES, TABLE, read_card
from fonoteka.erasure.rewrite import COLUMNS, all_files, clip_path
from fonoteka.tables import Row, read_table
from fonoteka.text.transliteration import name_key

RAW = Path("data/raw")


@dataclass(frozen=True)
class Subject:
    """Whose recordings are erased: one speaker, one source (without speaker), or a whole corpus."""

    corpus: str
    speaker: str = ""
    source: str = ""

    def __str__(self) -> str:
        name = self.speaker or self.source
        return f"{self.corpus}/{name}" if name else self.corpus

    @property
    def folder(self) -> Path:
        """The folder of the corpus."""
        return RAW / self.corpus

    @property
    def pointer(self) -> Path:
        """The .dvc file that holds the version of the corpus."""
        return RAW / f"{self.corpus}.dvc"

    def matches(self, row: Row, corpus_source: str) -> bool:
        """Return whether a row of the table is the subject's, however the name is spelled."""
        if self.speaker:
            return name_key(row["speaker"]) == name_key(self.speaker)
        source = " ".join(row.get(SOURCE, "").split()) or corpus_source.strip()
        return not self.source or source == self.source


def parse_subject(speaker: str, source: str) -> Subject:
    """Return the subject that the command line names.

    Raises:
        UserError: none or both are given, or a speaker without a corpus.

    >>> str(parse_subject("mine/Ana M.", "")), str(parse_subject("", "mine"))
    ('mine/Ana M.', 'mine')
    """
    if bool(speaker) == bool(source):
        raise UserError("give --speaker corpus/name, or --source corpus or corpus/source")
    corpus, _, name = (speaker or source).partition("/")
    if not corpus or (speaker and not name.strip()) or corpus.startswith("."):
        raise UserError(f"{speaker or source!r}: expected corpus/name, as data/splits/speakers.csv")
    return Subject(corpus, name, "") if speaker else Subject(corpus, "", name)


def find_clips(subject: Subject, rows: Sequence[Row], corpus_source: str) -> set[str]:
    """Return the paths of a subject's clips and of all clips related to them.

    The source in corpus.json is that of all rows without their own.
    """
    own = {clip_path(row) for row in rows if subject.matches(row, corpus_source)}
    return related_clips(own, rows)


def related_clips(paths: Collection[str], rows: Iterable[Row]) -> set[str]:
    """Return clips with all their parents and all clips derived from those."""
    import networkx

    parents = ((clip_path(row), row.get("parent", "").strip()) for row in rows)
    graph = networkx.Graph((c, PurePosixPath(parent).as_posix()) for c, parent in parents if parent)
    families = networkx.connected_components(graph)
    return set(paths).union(*(family for family in families if not family.isdisjoint(paths)))


def find_sidecars(
    files: Iterable[str], clips: Collection[str], removed: Set[str]
) -> tuple[set[str], set[str]]:
    """Return the files named after removed clips: theirs alone, and those of a remaining clip too.

    >>> find_sidecars(["a.txt", "a.b.lab", "c.txt"], ["a.wav", "a.b.wav"], {"a.wav"})
    ({'a.txt'}, set())
    """
    owners: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        owners[clip.removesuffix(PurePosixPath(clip).suffix)].add(clip)
    alone, shared = set[str](), set[str]()
    for name in set(files) - set(clips) - {CARD, TABLE, PHONES}:
        # A file belongs to the clip with the longest name: a.b.lab to a.b.wav, not to a.wav.
        start = name.rfind("/") + 1
        ends = [end for end in range(len(name) - 1, start - 1, -1) if name[end] == "."]
        clips_of_file = next((owners[name[:end]] for end in ends if name[:end] in owners), set())
        if clips_of_file & removed:
            (alone if clips_of_file <= removed else shared).add(name)
    return alone, shared


@dataclass
class PersonalData:
    """A subject's data in the corpus as it is checked out."""

    files: set[str] = field(default_factory=set)  # to remove; a clip's file may be missing
    counts: str = ""  # of recordings, sidecar files and rows
    whole_corpus: bool = False  # no row remains, so the folder is removed
    spellings: set[str] = field(default_factory=set)  # names taken for the speaker's
    related: list[str] = field(default_factory=list)  # clips by their parents alone, with speaker
    review: list[tuple[str, list[str]]] = field(default_factory=list)  # for a person to decide


def collect(subject: Subject, also: Collection[str] = ()) -> PersonalData:
    """Return a subject's data in the corpus, `also` included; nothing if its folder is removed.

    Raises:
        UserError: the table is broken, or a path of `also` does not exist.
    """
    folder = subject.folder
    if not folder.is_dir():
        return PersonalData()
    rows, files = read_table(folder / TABLE, COLUMNS), set(all_files(folder))
    if missing := sorted(set(also) - files):
        raise UserError(f"--also {missing[0]!r}: no such file in {folder}")
    source = read_card(folder).source
    clips = related_clips(find_clips(subject, rows, source) | set(also), rows)
    sidecars, shared = find_sidecars(files, [clip_path(row) for row in rows], clips)
    removed = [row for row in rows if clip_path(row) in clips]
    data = PersonalData(
        clips | sidecars,
        f"{len(clips & files)} recordings, {len(sidecars)} sidecar files, {len(removed)} rows",
        whole_corpus=bool(rows) and len(removed) == len(rows),
    )
    for row in removed:
        if subject.matches(row, source):
            data.spellings.add(row["speaker"].strip())
        else:
            data.related.append(f"{clip_path(row)} of {row['speaker']}")
    if not data.whole_corpus:
        data.review = _to_review(subject, rows, files - data.files, clips)
        data.review += [("files that also belong to a clip that remains", sorted(shared))]
    return data


def _to_review(
    subject: Subject, rows: Sequence[Row], files: Set[str], clips: Set[str]
) -> list[tuple[str, list[str]]]:
    """Return what may be the subject's as well: in remaining rows, sessions and files."""
    sessions = {clip_path(row): row.get("session", "").strip() for row in rows}
    own = {sessions[clip] for clip in clips & sessions.keys()} - {""}
    remaining = [row for row in rows if clip_path(row) not in clips]
    shared = {(sessions[clip_path(row)], row["speaker"].strip()) for row in remaining}
    key, columns = name_key(subject.speaker), ("path", "text", "session", "source")
    mentions = [
        clip_path(row)
        for row in remaining
        if key and any(key in name_key(row.get(column, "")) for column in columns)
    ]
    others = files - sessions.keys()
    return [
        (
            "sessions with others",
            [f"{name} with {speaker}" for name, speaker in sorted(shared) if name in own],
        ),
        ("rows of other speakers that contain the name", mentions),
        ("files with the name", sorted(f for f in others if key and key in name_key(f))),
    ]
