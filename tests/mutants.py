"""The list of mutants, and the page with the result of each."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
LIST = TOP / "tests/mutants.toml"
PAGE = TOP / "tests/mutants.md"
AREAS = ("rtneural", "scoring", "split", "runner", "diff", "text", "alignment")
KILLED, SURVIVED = "killed", "survived"


@dataclass(frozen=True)
class Mutant:
    """A change of the code that makes it wrong.

    Attributes:
        id: its area and a word.
        file: the module that is changed.
        old, new: the text that is replaced, which occurs once, and what replaces it.
        breaks: what becomes wrong.
        tests: files that can fail, relative to the top, or pytest ids of tests in them; the
            module's doctests run after them.
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

    def applied(self, text: str) -> str:
        """Return the source with the change.

        Raises:
            ValueError: the old text does not occur exactly once, or the change is not valid Python.
        """
        if (times := text.count(self.old)) != 1:
            raise ValueError(f"{self.id}: {self.file} has the old text {times} times, expected 1")
        changed = text.replace(self.old, self.new)
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


def page(mutants: Sequence[Mutant], results: Sequence[Result]) -> str:
    """Return tests/mutants.md."""
    by_id = {result.id: result for result in results}
    killed = sum(result.outcome == KILLED for result in results)
    lines = [
        "# Mutants",
        "",
        f"{len(mutants)} changes that make the code wrong: a constant, a comparison, a sign or a",
        f"line each. {killed} of them are killed, which means that a test fails.",
        "",
        "    python tests/mutate.py --write",
        "",
        "runs the tests against each of them and writes this page; `--only ID` runs one, and",
        "`--help` shows the rest. The list is `tests/mutants.toml`. *Before* is the test that",
        "killed the mutant at commit fb60376, before the tests were made faster, or in a younger",
        "area when it was listed. If a mutant was killed then and survives now, the exit code is",
        "1. Seconds are CPU seconds until the first failure.",
    ]
    for area in AREAS:
        header = ("id", "file", "change", "breaks", "killed by", "s", "before")
        lines += ["", f"## {area}", "", f"| {' | '.join(header)} |", "|---" * 5 + "|--:|---|"]
        lines += [_line(mutant, by_id[mutant.id]) for mutant in mutants if mutant.area == area]
    return "\n".join(lines) + "\n"


def _line(mutant: Mutant, result: Result) -> str:
    killer = _test(result.killer) if result.outcome == KILLED else "**survives**"
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
