"""Take a person's recordings out of the corpus, and say what else came from them.

    make forget SPEAKER=corpus/name                # shows what there is of them, changes nothing
    make forget SPEAKER=corpus/name ARGS=--yes     # takes it out
    make forget SOURCE=corpus ARGS=--yes           # a whole corpus; corpus/source: a part of one
    python -m fonoteka.erasure.command --speaker corpus/name [--also PATH] [--yes]

Reads   data/raw/NAME, dvc.lock, dvc's cache, git's history
Writes  with --yes: data/raw/NAME and NAME.dvc without them, data/speakers.csv, and in .dvc/tmp a
        list of the objects that are theirs

What can be undone by nobody is left to a person: the commands that empty caches, remotes and
history are printed, each where it applies. Asked again, it says what is still there.
"""

from __future__ import annotations

import argparse
import hashlib
from difflib import get_close_matches
from pathlib import Path

import yaml

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.core.run_stage import stage
from fonoteka.corpus.importers.add import track
from fonoteka.erasure.cache import Storage, storage_of
from fonoteka.erasure.find_clips import Who, who_of
from fonoteka.erasure.report import command, found, line, numbered, steps
from fonoteka.erasure.rewrite import is_unsettled, rewrite, rows_of, settle
from fonoteka.erasure.trace import Places, Trace, trace
from fonoteka.erasure.workspace import Theirs, theirs_in
from fonoteka.git import entered
from fonoteka.tables import read_table, write_table


def check_made(places: Places, who: Who) -> None:
    """Refuse a corpus that a stage makes.

    Raises:
        ValueError: it does.
    """
    path = places.root / "dvc.yaml"
    document = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    folder = places.folder(who).as_posix()
    for name, entry in (document.get("stages") or {}).items():
        if folder in (entry.get("outs") or []):
            raise UserError(
                f"{folder} is made by the stage {name}: its voices are programs and nobody's; "
                f"change section {name} of params.yaml to have others"
            )


def check_here(places: Places, who: Who, yes: bool) -> None:
    """Refuse a corpus that isn't here as a whole, and end what a killed run began.

    Raises:
        ValueError: it isn't here, or was left half-way and nothing may be changed.
    """
    folder, pointer = places.folder(who), places.pointer(who)
    if is_unsettled(folder):
        if not yes:
            raise UserError(f"{folder}: an earlier run was interrupted; {command(who)} ARGS=--yes")
        settle(folder)
    if pointer.is_file() and not folder.is_dir():
        raise UserError(f"{folder} isn't here; fetch it first: dvc pull {pointer}")


def check_found(places: Places, who: Who, theirs: Theirs, traced: Trace) -> None:
    """Refuse a name of which there is nothing.

    Raises:
        ValueError: there is nothing, neither here nor in history.
    """
    if theirs.files or not traced.empty:
        return
    folder = places.folder(who)
    if not folder.is_dir():
        there = sorted(path.name for path in places.raw.glob("[!.]*") if path.is_dir())
        raise UserError(f"{places.raw} holds no corpus {who.corpus!r}, only {there}")
    names = sorted({row["speaker"].strip() for row in rows_of(folder)}) if who.speaker else []
    close = get_close_matches(who.speaker, names)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise UserError(
        f"{folder}: no clip of {who.option.lower()} {who.speaker or who.source!r}, and none in "
        f"git's history{hint}"
    )


def remove(places: Places, who: Who, theirs: Theirs, traced: Trace) -> None:
    """Take them out of the corpus and the table of speakers; what is done already stays done."""
    folder, pointer = places.folder(who), places.pointer(who)
    if theirs.files:
        rewrite(folder, theirs.files)
    if pointer.is_file():
        if folder.is_dir():
            track(folder)
        else:
            pointer.unlink()
    if traced.table:
        rows = read_table(places.speakers, ("speaker",))
        stay = [row for row in rows if row not in traced.table]
        write_table(places.speakers, list(rows[0]), stay)


def write_list(places: Places, who: Who, traced: Trace, storage: Storage | None) -> Path:
    """Write which objects are theirs, by hashes alone, and return where."""
    # The name of a file in .dvc/tmp is seen by whoever lists it; a hash of theirs isn't read off.
    name = hashlib.sha256(str(who).encode()).hexdigest()[:12]
    path = places.root / ".dvc" / "tmp" / "forget" / f"{name}.txt"
    if storage is not None and traced.objects:
        write_text(path, "\n".join(traced.objects))
    return path


def run(places: Places, who: Who, also: list[str], yes: bool) -> None:
    """Show what there is of them and, with `yes`, take it out.

    Raises:
        ValueError: a stage makes the corpus, there is nothing of them, or dvc fails.
    """
    check_made(places, who)
    check_here(places, who, yes)
    storage = storage_of(places.root)
    theirs = theirs_in(places.folder(who), who, also)
    traced = trace(places, who, theirs, storage)
    check_found(places, who, theirs, traced)
    print(line("forget", ascii(str(who))))
    for text in found(places, who, theirs, traced):
        print(text)
    listed = write_list(places, who, traced, storage) if yes else Path("LIST")
    if yes:
        remove(places, who, theirs, traced)
        print(line("done", f"nothing of them is left in {places.folder(who)}"))
    else:
        print(line("not done", f"nothing was changed; to take it out: {command(who)} ARGS=--yes"))
    print("What is left to do" + ("" if yes else " then") + ":")
    for text in numbered(steps(places, who, theirs, traced, storage, listed)):
        print(text)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--speaker", default="", help="corpus/name")
    parser.add_argument("--source", default="", help="corpus, or corpus/source")
    parser.add_argument(
        "--also", action="append", default=[], help="a file of that corpus that is theirs too"
    )
    parser.add_argument("--yes", action="store_true", help="take it out; else only show it")
    given = parser.parse_args()
    with entered():
        run(Places(), who_of(given.speaker, given.source), given.also, given.yes)


if __name__ == "__main__":
    stage(main)
