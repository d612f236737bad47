"""Apply one mutant to the code at a time and run the tests that should fail.

    python tests/mutate.py                          all mutants of tests/mutants.toml
    python tests/mutate.py --only ID ...            some of them
    python tests/mutate.py --new --write            those that tests/mutants.md lacks; add them
    python tests/mutate.py --list                   their ids, files and changes; nothing is run
    python tests/mutate.py --tests-from FOLDER      with the tests of another checkout
    python tests/mutate.py --json FILE --write      write the results; write tests/mutants.md

Reads   the working tree, tests/mutants.toml
Writes  tests/mutants.md, with --write; nothing else in the working tree

The working tree is copied to a temporary folder, where each mutant is applied, tested and
reverted. The tests run in a forked process, because the import of torch, onnxruntime and scipy
costs 6 CPU seconds, more than most mutants: the parent process imports these packages once, and
no module of this project. A mutant is killed if a test fails or takes too long. The exit code is
0 if each mutant is killed that was killed before (its `before` in the list names a test), 1 if one
survives, and 2 if the list is wrong or the tests fail without a mutant.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from mutants import (
    KILLED,
    PAGE,
    SURVIVED,
    TOP,
    Mutant,
    Result,
    change,
    check,
    kept_rows,
    new_ids,
    page,
    read,
    row,
)

THIRD_PARTY = (
    "pytest", "hypothesis", "yaml", "numpy", "scipy.signal", "sklearn.metrics", "jiwer", "torch",
    "onnx", "onnxruntime", "dvc.repo",
)  # fmt: skip
# One thread per process: OpenBLAS would start its threads at the import, before the fork.
ALONE = {
    "DVC_NO_ANALYTICS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip
OPTIONS = (
    "-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov",
    "-m", "not faults and not pipeline", "--hypothesis-profile=mutants",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",  # of the parent's imports
)  # fmt: skip
PATIENCE_S = 60.0
TICK_S = 0.02


def copy(target_folder: Path, tests: Path) -> None:
    """Copy what git tracks or would track, changes included, with the folder `tests` of `tests`."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=TOP, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (TOP / name).is_file() and not (tests != TOP and name.startswith("tests/")):
            (target_folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, target_folder / name)
    if tests != TOP:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(tests / "tests", target_folder / "tests", ignore=ignored)
    # With a repository of its own, tests that call git or dvc use it, and not this one.
    # Its commit is empty: dvclive fails without one, and no test needs the files in it.
    identity = ("-c", "user.name=mutants", "-c", "user.email=mutants@example.org")
    for words in (("init",), (*identity, "commit", "--allow-empty", "--message=empty")):
        subprocess.run(["git", *words, "--quiet"], cwd=target_folder, check=True)


class Watch:
    """A plugin of pytest that records the first failure, and runs the most likely test first.

    That is the test that killed the mutant before, in whichever file it is now, so that most runs
    end early. The order of the other tests does not change.
    """

    def __init__(self, likely: str) -> None:
        self.first = ""
        self._name = likely.rpartition("::")[2]

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        function = self._name.partition("[")[0]
        items.sort(key=lambda i: (i.name != self._name, i.name.partition("[")[0] != function))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self._keep(report)

    def pytest_collectreport(self, report: Any) -> None:
        self._keep(report)

    def _keep(self, report: Any) -> None:
        if report.failed and not self.first:
            self.first = report.nodeid


class TestTree:
    """A copy of the working tree in which one process at a time runs tests."""

    def __init__(self, folder: Path, tests: Path) -> None:
        self.folder = folder / "tree"
        self.log, self.answer = folder / "log.txt", folder / "answer.json"
        self.scratch = folder / "tmp"
        copy(self.folder, tests)
        self._time_s = 10**9

    def write(self, file: str, text: str) -> None:
        """Write a module, with a new modification time, so that Python compiles it again."""
        path = self.folder / file
        path.write_text(text, encoding="utf-8")
        self._time_s += 1
        os.utime(path, (self._time_s, self._time_s))

    def start(self, files: Sequence[str], likely: str = "") -> int:
        """Run tests in a new process, the likely one first, and return the process id."""
        self.answer.unlink(missing_ok=True)
        shutil.rmtree(self.scratch, ignore_errors=True)
        sys.stdout.flush()
        number = os.fork()
        if not number:
            self._run(files, likely)
        return number

    def _run(self, files: Sequence[str], likely: str) -> NoReturn:
        code = 70
        try:
            # A session of its own, so that a timeout kills the tests' own children too.
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            log = os.open(self.log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for source, target in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(source, target)
            os.chdir(self.folder)
            removed = {
                "",
                str(TOP),
                *(str(TOP / "tests" / name) for name in ("", "support", "factories")),
            }
            sys.path[:] = [str(self.folder), *(path for path in sys.path if path not in removed)]
            sys.argv[:] = ["pytest"]
            import pytest

            watch = Watch(likely)
            code = int(
                pytest.main([*OPTIONS, f"--basetemp={self.scratch}", *files], plugins=[watch])
            )
            self.answer.write_text(json.dumps(watch.first), encoding="utf-8")
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def first_failure(self) -> str:
        """Return the first test that failed; empty if the process ended before writing it."""
        try:
            return str(json.loads(self.answer.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return ""


@dataclass(frozen=True)
class TestRun:
    """A finished run of tests: its exit code (None: timeout), first failure and CPU seconds."""

    code: int | None
    first: str
    seconds: float
    output: str


def wait(tree: TestTree, number: int, limit_s: float) -> TestRun:
    """Wait for a run of tests, at most `limit_s` seconds, and kill the processes that it left."""
    begin_s, code, pid = time.monotonic(), None, 0
    try:
        while not pid and time.monotonic() - begin_s < limit_s:
            time.sleep(TICK_S)
            pid, status, used = os.wait4(number, os.WNOHANG)
    finally:  # also if this process is interrupted
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(number, signal.SIGKILL)
    if pid:
        code = os.waitstatus_to_exitcode(status)
    else:
        _, _, used = os.wait4(number, 0)
    output = tree.log.read_text(encoding="utf-8", errors="replace")
    return TestRun(code, tree.first_failure(), used.ru_utime + used.ru_stime, output)


def baseline(tree: TestTree, mutants: Sequence[Mutant]) -> dict[str, float]:
    """Return the wall time of each test file without a mutant, in seconds.

    Raises:
        ValueError: a test fails.
    """
    seconds = {}
    for name in dict.fromkeys(name for mutant in mutants for name in mutant.run_files):
        begin_s = time.monotonic()
        test_run = wait(tree, tree.start([name]), 1800)
        # 5: nothing was collected, as in a module without a doctest.
        if test_run.code != 0 and not (
            test_run.code == 5 and name.startswith(("fonoteka/", "stages/"))
        ):
            reason = test_run.first or f"exit code {test_run.code}"
            raise ValueError(f"without a mutant, {name} fails: {reason}\n{test_run.output[-3000:]}")
        seconds[name] = time.monotonic() - begin_s
        print(f"{name}: passes without a mutant, {test_run.seconds:.1f} CPU s", flush=True)
    return seconds


def tested(tree: TestTree, mutant: Mutant, limit_s: float) -> Result:
    """Apply a mutant, run its tests and revert it.

    Raises:
        ValueError: the tests neither passed nor failed.
    """
    path = tree.folder / mutant.file
    text = path.read_text(encoding="utf-8")
    tree.write(mutant.file, mutant.applied(text))
    try:
        number = tree.start(mutant.run_files, mutant.before)
        test_run = wait(tree, number, limit_s)
    finally:
        tree.write(mutant.file, text)
    seconds = round(test_run.seconds, 1)
    if test_run.code == 0:
        return Result(mutant.id, SURVIVED, "no test fails", seconds)
    if test_run.code is None:
        return Result(mutant.id, KILLED, f"more than {limit_s:.0f} s", seconds)
    if not test_run.first:
        raise ValueError(f"{mutant.id}: exit code {test_run.code}\n{test_run.output[-3000:]}")
    return Result(mutant.id, KILLED, test_run.first, seconds)


def run(mutants: Sequence[Mutant], tests: Path) -> Iterator[Result]:
    """Yield the result of each mutant.

    Raises:
        ValueError: the list does not fit the code, or a test fails without a mutant.
    """
    check(mutants, TOP, tests)
    os.environ |= ALONE
    # A shell makes background processes ignore SIGINT, and the tests would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    sys.dont_write_bytecode = False
    for name in THIRD_PARTY:
        importlib.import_module(name)
    # The same examples each time, without shrinking: the first failing example is enough.
    hypothesis = sys.modules["hypothesis"]
    hypothesis.settings.register_profile(
        "mutants", hypothesis.settings.get_profile("ci"),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )  # fmt: skip
    sys.modules["torch"].set_num_threads(1)
    gc.freeze()  # otherwise each child copies the memory pages of all imported modules
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = TestTree(Path(folder), tests)
        seconds = baseline(tree, mutants)
        for mutant in mutants:
            usual_s = sum(seconds[name] for name in mutant.run_files)
            yield tested(tree, mutant, PATIENCE_S + 4 * usual_s)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="mutate", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="ID", help="run only these mutants")
    parser.add_argument(
        "--new", action="store_true",
        help="run only those of which tests/mutants.md has no row, or one of another change",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="show the mutants and run nothing")
    parser.add_argument(
        "--tests-from", type=Path, default=TOP, metavar="FOLDER",
        help="a checkout whose folder `tests` is used instead",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    parser.add_argument(
        "--write", action="store_true",
        help="write tests/mutants.md; the rows of mutants that are not run stay",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.write and options.tests_from != TOP:
        parser.error("--write needs the tests of this checkout")
    if options.new and options.only:
        parser.error("--new and --only exclude each other")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = parse(arguments)
    try:
        mutants, text = read(), PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
        chosen = chosen_of(mutants, new_ids(mutants, text) if options.new else options.only)
        if options.list:
            for mutant in chosen:
                print(f"{mutant.id}: {mutant.file}: {change(mutant)}")
            return 0
        # Before the run, so that a row that the page lacks costs no run.
        rows = kept_rows(mutants, chosen, text) if options.write else {}
        results = []
        for result in run(chosen, options.tests_from.resolve()):
            results.append(result)
            print(f"{result.id}: {result.outcome}: {result.killer}, {result.seconds} s", flush=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps([asdict(r) for r in results], indent=1) + "\n")
    if options.write:
        rows |= {m.id: row(m, result) for m, result in zip(chosen, results, strict=True)}
        PAGE.write_text(page(mutants, rows), encoding="utf-8")
    return verdict(chosen, results)


def chosen_of(mutants: Sequence[Mutant], ids: Sequence[str] | None) -> list[Mutant]:
    """Return the mutants of some ids, or all without a list of ids.

    Raises:
        ValueError: there is no mutant of an id.
    """
    if ids is None:
        return [*mutants]
    if unknown := set(ids) - {mutant.id for mutant in mutants}:
        raise ValueError(f"there is no mutant {sorted(unknown)[0]!r}; see --list")
    return [mutant for mutant in mutants if mutant.id in ids]


def verdict(mutants: Sequence[Mutant], results: Sequence[Result]) -> int:
    """Print the number of killed mutants and the ids that survive; return the exit code."""
    alive = {result.id for result in results if result.outcome == SURVIVED}
    lost = [mutant.id for mutant in mutants if mutant.id in alive and mutant.before]
    print(f"{len(results) - len(alive)} of {len(results)} mutants are killed")
    if others := sorted(alive - set(lost)):
        print(f"these survive, as before: {', '.join(others)}")
    if lost:
        print(f"error: these were killed before and survive: {', '.join(lost)}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
