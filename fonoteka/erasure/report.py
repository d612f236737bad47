"""Say where a person is, what was taken out, and what is left to do and by whom."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from fonoteka.corpus.importers.portable_names import shown
from fonoteka.corpus.importers.preview import few
from fonoteka.erasure.cache import Storage, removal
from fonoteka.erasure.find_clips import Who
from fonoteka.erasure.git_history import branch
from fonoteka.erasure.lineage import holds
from fonoteka.erasure.trace import Past, Places, Trace
from fonoteka.erasure.workspace import Theirs
from fonoteka.git import prefix

WIDTH = 10  # of the words on the left


def found(places: Places, who: Who, theirs: Theirs, trace: Trace) -> Iterator[str]:
    """Give what there is of them, a line a place."""
    folder = places.folder(who)
    if theirs.files:
        yield line(
            "here",
            f"{folder}: {theirs.recordings} recordings, {theirs.beside} files beside them, "
            f"{theirs.rows} rows, {theirs.lines} lines of phones"
            + ("; no other row is left, so the whole folder goes" if theirs.whole else ""),
        )
    names = sorted(theirs.found.spelled - {who.speaker}) if who.speaker else []
    if names:
        yield line("spelled", f"{few(names)} too, which the split takes for the same voice")
    if theirs.found.elsewhere:
        clips = [f"{path} of {other}" for path, other in theirs.found.elsewhere.items()]
        yield line("copies", f"{len(clips)} under another name, by their parents: {few(clips)}")
    for what, examples in theirs.look:
        yield line("look", f"{len(examples)} {what}: {few(examples)}")
    if trace.alike:
        said = f"{len(trace.alike)} clips of others that sound the same: {few(trace.alike)}"
        yield line("look", said)
    if trace.table:
        yield line("table", f"{places.speakers}: {len(trace.table)} rows")
    if trace.built:
        yield line("built", f"{len(trace.built)} outputs of the last build came from them")
        yield from (f"{'':{WIDTH}} {a.path} ({a.stage}): {holds(a.path)}" for a in trace.built)
    yield from map(past_line, trace.past)
    if trace.older:
        paths = sorted({artefact.path for artefact in trace.older})
        yield line("older", f"{len(trace.older)} outputs of builds in history: {few(paths)}")
    if trace.objects:
        yield line(
            "objects",
            f"{len(trace.objects)} that nothing else uses are theirs or were built of them: "
            f"{trace.cached} are in the cache, {trace.runs} are remembered runs",
        )
    if trace.names:
        yield line("named", f"in {few(trace.names)}")
    if trace.named:
        yield line("history", f"commits named them in {few(trace.named)}")


def past_line(past: Past) -> str:
    """Return one version of the corpus that holds them."""
    version = past.version
    may = "holds them" if version.known else "may hold them: it isn't in the cache, dvc fetch it"
    where = f"{len(past.commits)} commits" if past.commits else "no commit yet"
    tips = f", at the tip of {few(past.tips)}" if past.tips else ""
    return line("version", f"{version.md5[:8]} of the corpus {may}; in {where}{tips}")


def line(label: str, text: str) -> str:
    """Return a line with its label."""
    return f"{label:<{WIDTH}} {text}"


def command(who: Who) -> str:
    """Return what to run to ask again."""
    return f"make forget {who.option}={shlex.quote(shown(str(who)))}"


def steps(
    places: Places, who: Who, theirs: Theirs, trace: Trace, storage: Storage | None, listed: Path
) -> list[str]:
    """Return what is left to do, in order, each with its command; only what applies.

    Args:
        places: where things are.
        who: they.
        theirs: what was taken out, or would be.
        trace: where they are beside that.
        storage: dvc's cache and remotes; None where there is no dvc.
        listed: the file that names the objects to delete.
    """
    return [
        *_settings(who, theirs, trace),
        *_rebuild(places, who, trace),
        *_caches(trace, storage, listed),
        *_history(places, who, trace),
        *_others(trace, storage),
    ]


def _settings(who: Who, theirs: Theirs, trace: Trace) -> Iterator[str]:
    if theirs.whole:
        yield f"take {who.corpus} out of inventory.corpora in params.yaml"
    if trace.names:
        yield f"take {few([str(who)])} out of {few(trace.names)}"
    if theirs.look or trace.alike:
        yield f"look at what is listed as look; {command(who)} ARGS='--also PATH' takes a file too"


def _rebuild(places: Places, who: Who, trace: Trace) -> Iterator[str]:
    if trace.built:
        yield "make the rest anew without them: make repro"
    pointer, table = places.pointer(who), places.speakers
    changed = [pointer, *[table] * bool(trace.table)]
    changed += [path for path in (places.lock, Path("reports")) if (places.root / path).exists()]
    yield f"commit it: git add -A {' '.join(map(str, changed))} && git commit"
    if trace.built:
        yield (
            f"then ask again: {command(who)} ARGS=--yes; only then it is known which objects of "
            "earlier builds nothing uses any more"
        )


def _caches(trace: Trace, storage: Storage | None, listed: Path) -> Iterator[str]:
    if storage is None or not trace.objects:
        return
    yield (
        f"delete their objects from the cache, after which the versions above can't be checked "
        f"out: (cd {shlex.quote(str(storage.cache))} && xargs rm -f) < {listed}"
    )
    for remote in storage.remotes:
        yield f"and from remote {remote.name}: {removal(remote, listed)}"
    yield (
        "or let dvc drop all that the files here don't need, also what only other branches and "
        "tags do: dvc gc --workspace"
    )
    for remote in storage.remotes:
        yield (
            f"and on remote {remote.name}: dvc gc --workspace --cloud -r {remote.name}; with "
            "--all-commits instead it would keep them, for history still points to them"
        )


def _history(places: Places, who: Who, trace: Trace) -> Iterator[str]:
    tips = {tip for past in trace.past for tip in past.tips}
    if others := sorted(
        tips - {branch(places.root)}
    ):  # this branch is past it with the next commit
        yield (
            f"move or delete the branches and tags at whose tip they still are, {few(others)}: git "
            "branch -D, git tag -d, git push --delete; a commit that stays names hashes, not sounds"
        )
    if trace.named:
        files = " ".join(shlex.quote(shown(name)) for name in list(trace.named)[:5])
        inside = prefix(places.root)
        around = f", of the whole repository that {inside} is a folder of" if inside else ""
        yield (
            f"earlier commits name them in {files}: to rewrite history, write "
            f"{shlex.quote(shown(str(who)) + '==>' + who.corpus + '/removed')} into a file "
            "and run git filter-repo --replace-text FILE, then git push --force --all --tags; "
            f"every clone has to be made anew{around}"
        )
    left = [path for path in (Path("checkpoints"), Path(".dvc/tmp/repro"), Path(".dvc/tmp/exps"))
            if (places.root / path).exists()]  # fmt: skip
    if left:
        yield f"delete what runs left behind: rm -rf {' '.join(map(str, left))}"


def _others(trace: Trace, storage: Storage | None) -> Iterator[str]:
    if trace.built or trace.older:
        yield "withdraw models and packages that were handed out; weights learned from them stay so"
    if trace.past or (storage is not None and storage.remotes):
        yield "tell those who have a clone, a fork, a backup or a cache of their own"


def numbered(lines: Sequence[str]) -> Iterable[str]:
    """Return steps with their numbers."""
    return (f"{number:>2}. {text}" for number, text in enumerate(lines, start=1))
