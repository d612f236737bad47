"""The list of mutants, and the page with the result of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LIST = TOP / "tests/mutants.toml"
PAGE = TOP / "tests/mutants.md"
AREAS = (
    "rtneural", "scoring", "split", "runner", "diff", "text", "alignment", "streaming", "planning",
    "service", "hub", "release", "images", "realtime", "dashboard",
)  # fmt: skip
KILLED, SURVIVED = "killed", "survived"
SURVIVES = "| **survives** |"


@dataclass(frozen=True)
class Mutant:
    """A change of the code that makes it wrong.

    Attributes:
        id: its area and a word.
        file: the module, script of a page or header of a host that is changed.
        old, new: the text that is replaced, which occurs once, and what replaces it.
        breaks: what becomes wrong.
        tests: files that can fail, relative to the top, or pytest ids of tests in them; the
            doctests of a module in Python run after them.
        before: the test that killed it when it was listed; empty if none did.
    """

    id: str
    file: str
    old: str
    new: str
    breaks: str
    tests: tuple[str, ...]
    before: str = ""

    @property
    def area(self) -> str:
        return self.id.partition("-")[0]

    @property
    def run_files(self) -> tuple[str, ...]:
        """What pytest runs: the tests, and the doctests of a module in Python."""
        return (*self.tests, self.file) if self.is_python else self.tests

    @property
    def is_python(self) -> bool:
        return self.file.endswith(".py")

    def applied(self, text: str) -> str:
        """Return the source with the change.

        Raises:
            ValueError: the old text does not occur exactly once, or the change of a module in
                Python is not valid. Scripts and headers are not checked, so their tests must fail
                on what they compute.
        """
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.id}: {self.file} has the old text {times} times, expected 1")
        changed = text.replace(self.old, self.new)
        if not self.is_python:
            return changed
        try:
            compile(changed, self.file, "exec")
        except SyntaxError as error:
            raise ValueError(f"{self.id}: the change is not valid Python: {error}") from error
        return changed


@dataclass(frozen=True)
class Result:
    """The result of a mutant.

    Attributes:
        id: of the mutant.
        outcome: killed or survived.
        by: the first test that failed, or the reason why there is none.
        seconds: CPU seconds, with those of the processes that the tests started.
    """

    id: str
    outcome: str
    killer: str
    seconds: float


def read(path: Path = LIST) -> list[Mutant]:
    """Return the mutants of a list.

    Raises:
        ValueError: an id occurs twice, or a mutant lacks a value.
    """
    mutants = []
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]:
        try:
            mutants.append(Mutant(**row | {"tests": tuple(row["tests"])}))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path.name}: {row.get('id', 'a mutant')}: {error}") from error
    ids = [mutant.id for mutant in mutants]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"{path.name}: {', '.join(twice)} occur more than once")
    return mutants


def check(mutants: Iterable[Mutant], code: Path, tests: Path) -> None:
    """Check that each mutant can be applied and that its test files exist.

    Raises:
        ValueError: one cannot, or a file is missing; the message has one line per reason.
    """
    problems = []
    for mutant in mutants:
        try:
            mutant.applied((code / mutant.file).read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            problems.append(str(error))
        problems += [
            f"{mutant.id}: there is no {name} in {tests}; name the file that has its tests now"
            for name in mutant.tests
            if not (tests / name.partition("::")[0]).is_file()
        ]
    if problems:
        raise ValueError("\n".join(problems))


def kept_rows(mutants: Iterable[Mutant], chosen: Iterable[Mutant], text: str) -> dict[str, str]:
    """Return the rows of a page for the mutants that are not run, by id.

    Args:
        mutants: all.
        chosen: those that are run.
        text: the page as it is.

    Raises:
        ValueError: the page has no row of one that is not run, or one of another change.
    """
    rows, run = rows_of(text), {mutant.id for mutant in chosen}
    others = [mutant for mutant in mutants if mutant.id not in run]
    if lacking := [mutant.id for mutant in others if not _has_row(mutant, rows)]:
        raise ValueError(
            f"{PAGE.name} has no row of the change {', '.join(lacking)}; run --new --write"
        )
    return {mutant.id: rows[mutant.id] for mutant in others}


def new_ids(mutants: Iterable[Mutant], text: str) -> list[str]:
    """Return the ids of the mutants of which a page has no row, or one of another change."""
    rows = rows_of(text)
    return [mutant.id for mutant in mutants if not _has_row(mutant, rows)]


def rows_of(text: str) -> dict[str, str]:
    """Return the rows of a page by id."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines}


def _has_row(mutant: Mutant, rows: Mapping[str, str]) -> bool:
    return f" | {mutant.file} | {change(mutant)} | " in rows.get(mutant.id, "")


def page(mutants: Sequence[Mutant], rows: Mapping[str, str]) -> str:
    """Return tests/mutants.md.

    Args:
        mutants: all.
        rows: of each of them, by id.
    """
    killed = sum(SURVIVES not in rows[mutant.id] for mutant in mutants)
    lines = [
        "# Mutants",
        "",
        f"{len(mutants)} changes that make the code wrong: a constant, a comparison, a sign or a",
        f"line each. {killed} of them are killed, which means that a test fails.",
        "",
        "    python tests/mutate.py --write",
        "",
        "runs the tests against each of them and writes this page; `--only ID` runs one, and",
        "`--new --write` runs those that are not on this page and adds them. `--help` shows the",
        "rest. The list is `tests/mutants.toml`. *Before* is the test that killed the mutant at",
        "commit fb60376, before the tests were made faster, or in a younger area when it was",
        "listed. If a mutant was killed then and survives now, the exit code is 1. Seconds are CPU",
        "seconds until the first failure.",
    ]
    for area in AREAS:
        header = ("id", "file", "change", "breaks", "killed by", "s", "before")
        lines += ["", f"## {area}", "", f"| {' | '.join(header)} |", "|---" * 5 + "|--:|---|"]
        lines += [rows[mutant.id] for mutant in mutants if mutant.area == area]
    return "\n".join(lines) + "\n"


def row(mutant: Mutant, result: Result) -> str:
    """Return the row of a mutant on the page."""
    killer = _test(result.killer) if result.outcome == KILLED else SURVIVES.strip("| ")
    cells = (
        mutant.id, mutant.file, change(mutant), mutant.breaks, killer,
        f"{result.seconds:.0f}", _test(mutant.before) or "survived",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def change(mutant: Mutant) -> str:
    """Return a mutant's old and new code in one line of a table."""
    return f"{_code(mutant.old)} → {_code(mutant.new)}"


def _code(text: str) -> str:
    """Return code in one line of a table."""
    return f"`{' '.join(text.split())}`".replace("|", "\\|")


def _test(name: str) -> str:
    """Return the name of a test without folders and parameters."""
    return name.rpartition("/")[2].partition("[")[0].replace("|", "\\|")
