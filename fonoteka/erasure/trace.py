"""Put together where a person is beside the corpus itself: what was built, cached and committed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.erasure import git_history as git
from fonoteka.erasure.cache import Storage, Version, here, look_into, object_name
from fonoteka.erasure.find_clips import Who
from fonoteka.erasure.lineage import (
    Artefact,
    Entry,
    all_hashes,
    artefacts,
    read_lock,
    run_cache,
    tainted_runs,
)
from fonoteka.erasure.workspace import Theirs, source_of
from fonoteka.manifest import utterance_id
from fonoteka.tables import Row, read_table
from fonoteka.text.transliteration import name_key


@dataclass(frozen=True)
class Places:
    """Where things are, from the top of the repository.

    Attributes:
        root: the top.
        raw: the folder of corpora.
        inventory: the table that the pipeline made of them.
        duplicates: the table of what it found to be alike.
        speakers: the committed table of speakers.
        lock: what dvc built last.
    """

    root: Path = Path()
    raw: Path = Path("data/raw")
    inventory: Path = Path("data/corpus/inventory.csv")
    duplicates: Path = Path("data/corpus/duplicates.csv")
    speakers: Path = Path("data/speakers.csv")
    lock: Path = Path("dvc.lock")

    def folder(self, who: Who) -> Path:
        """The corpus."""
        return self.raw / who.corpus

    def pointer(self, who: Who) -> Path:
        """Where dvc says which version of the corpus it is."""
        return self.raw / f"{who.corpus}.dvc"


@dataclass
class Past:
    """A version of the corpus in git's history that holds them, or may."""

    version: Version
    commits: list[str]
    tips: list[str]


@dataclass
class Trace:
    """Where they are beside the corpus itself.

    Attributes:
        table: rows of the committed table of speakers.
        built: what the last build made of them; empty once it was made without them.
        past: versions of the corpus in history.
        older: what earlier builds made of them.
        objects: names below the cache, and below a remote, that may be deleted now.
        cached: how many of them are in the cache here.
        runs: how many of them are remembered runs.
        alike: clips of others that are the same sound as one of theirs, or nearly.
        names: tracked files that name them, but for the table of speakers.
        named: files that named them in some commit, and in how many commits that changed.
    """

    table: list[Row] = field(default_factory=list)
    built: list[Artefact] = field(default_factory=list)
    past: list[Past] = field(default_factory=list)
    older: set[Artefact] = field(default_factory=set)
    objects: list[str] = field(default_factory=list)
    cached: int = 0
    runs: int = 0
    alike: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    named: Mapping[str, int] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing of them is left."""
        return not (self.table or self.built or self.past)


def trace(places: Places, who: Who, theirs: Theirs, storage: Storage | None) -> Trace:
    """Return where they are beside the corpus: in what was built, in the cache, in history."""
    found = Trace()
    words = words_of(who, theirs)
    if places.speakers.is_file():
        rows = read_table(places.speakers, ("speaker",))
        found.table = [row for row in rows if names_them(row["speaker"], who, theirs)]
    lock: dict[str, Entry] = {}
    if places.lock.is_file():
        lock = read_lock(places.lock.read_text(encoding="utf-8"))
    if built_with(places, who, theirs):
        found.built = artefacts(lock, places.raw.as_posix(), who.corpus)
    found.alike = alike(places, who, theirs)
    table = places.speakers.as_posix()
    found.names = [name for name in git.tracked_that_name(places.root, words) if name != table]
    found.named = git.past_that_names(places.root, words)
    if storage is not None:
        _into_the_past(places, who, storage, found)
        _objects(places, who, storage, found, lock)
    return found


def alike(places: Places, who: Who, theirs: Theirs) -> list[str]:
    """Return the clips that the pipeline grouped with theirs, and that aren't theirs by the table.

    They are recordings of the same person under another name, or in another corpus.
    """
    if not places.duplicates.is_file():
        return []
    ids = {utterance_id(who.corpus, path) for path in theirs.files}
    rows = read_table(places.duplicates, ("group", "id"))
    groups = {row["group"] for row in rows if row["id"] in ids}
    return sorted(row["id"] for row in rows if row["group"] in groups and row["id"] not in ids)


def words_of(who: Who, theirs: Theirs) -> list[str]:
    """Return the words by which files of git name them: `corpus/name`, in each spelling."""
    if not who.speaker:
        return []
    return sorted(f"{who.corpus}/{name}" for name in theirs.found.spelled | {who.speaker} if name)


def names_them(speaker: str, who: Who, theirs: Theirs) -> bool:
    """Tell whether `corpus/name` is one of whom no clip is to be left."""
    corpus, _, name = speaker.partition("/")
    if corpus != who.corpus:
        return False
    return theirs.whole or bool(who.speaker and name_key(name) == name_key(who.speaker))


def built_with(places: Places, who: Who, theirs: Theirs) -> bool:
    """Tell whether the last build had clips that go, or that are gone already."""
    if not places.inventory.is_file():
        return bool(theirs.files)
    folder, start = places.folder(who), f"{who.corpus}/"
    rows = read_table(places.inventory, ("path",))
    paths = [row["path"].removeprefix(start) for row in rows if row["path"].startswith(start)]
    return any(path in theirs.files or not os.path.lexists(folder / path) for path in paths)


def _into_the_past(places: Places, who: Who, storage: Storage, found: Trace) -> None:
    """Find the versions of the corpus that hold them, and what was built of those."""
    history = git.history_of(places.root, places.pointer(who).as_posix(), places.lock.as_posix())
    source, locks = source_of(places.folder(who)), set[str]()
    versions: dict[str, list[str]] = {}
    for blob, commits in history.of_pointer().items():
        if md5 := git.md5_of(git.text_of(places.root, blob)):
            versions.setdefault(md5, []).extend(commits)
    for md5, commits in versions.items():
        version = look_into(storage, md5, who, source)
        if version.holds:
            found.past.append(Past(version, commits, history.tips_at(commits)))
            locks |= {history.commits[commit].lock for commit in commits} - {""}
    for blob in sorted(locks):
        lock = read_lock(git.text_of(places.root, blob))
        found.older |= set(artefacts(lock, places.raw.as_posix(), who.corpus))
    if places.pointer(who).is_file():
        now = git.md5_of(places.pointer(who).read_text(encoding="utf-8"))
        if now and now not in versions and (now_held := look_into(storage, now, who, source)).holds:
            found.past.append(Past(now_held, [], []))


def _objects(
    places: Places, who: Who, storage: Storage, found: Trace, lock: Mapping[str, Entry]
) -> None:
    """Find the objects that are theirs and that nothing uses that stays."""
    used = {md5 for entry in lock.values() for out in entry.get("outs") or []
            for md5 in storage.objects_of(str(out.get("md5", "")))}  # fmt: skip
    for pointer in sorted(places.raw.glob("*.dvc")):
        if pointer != places.pointer(who):
            used |= storage.objects_of(git.md5_of(pointer.read_text(encoding="utf-8")))
    for past in found.past:
        used |= past.version.others
    hashes = set[str]().union(*(past.version.theirs for past in found.past))
    derived = {md5 for artefact in found.older for md5 in storage.objects_of(artefact.md5)}
    kept_in_git = git.tracked(places.root)
    derived -= {artefact.md5 for artefact in found.older if artefact.path in kept_in_git}
    clean = set() if found.built else all_hashes(lock)
    known = {artefact.md5 for artefact in [*found.built, *found.older]}
    runs = tainted_runs(run_cache(storage.cache), who.corpus, known, clean)
    purged = (hashes | derived) - used
    found.objects = sorted({*map(object_name, purged), *runs})
    found.cached, found.runs = len(here(storage, purged)), len(runs)
