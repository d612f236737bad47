"""Commands that state what a build costs, and forecast it for more hours of speech."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import entered, given_path

app = typer.Typer(
    help="Measure what a finished build cost, and forecast time, storage and price for more "
    "hours of speech.",
    no_args_is_help=True,
)


@app.command()
def measure(
    build: Annotated[
        Path | None,
        typer.Argument(
            parser=given_path, show_default=False,
            help="a project that was built, with its logs  [default: this one]",
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            parser=given_path, metavar="BUILD",
            help="a build of another size with the same models; may be repeated",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Read the logs of a finished build into reports/bench/planning.json."""

    def work() -> None:
        from fonoteka.planning.command import run_measure

        run_measure(build or Path(), also or ())

    _run(work)


@app.command()
def page(
    check: Annotated[
        bool, typer.Option("--check", help="write nothing; exit 1 if the page would change")
    ] = False,
) -> None:
    """Write PLANNING.md from planning.json and the prices in params.yaml."""

    def work() -> int:
        from fonoteka.planning.command import run_page

        return run_page(compare=check)

    _run(work)


@app.command(epilog="Exit codes: 0 within the limit; 1 an error exceeds it.")
def check(
    builds: Annotated[
        list[Path], typer.Argument(parser=given_path, metavar="BUILD...", help="two sizes or more")
    ],
) -> None:
    """Forecast each build from the others, and compare it with its logs."""

    def work() -> int:
        from fonoteka.planning.command import run_check

        return run_check(builds)

    _run(work)


def _run(work: Callable[[], int | None]) -> None:
    """Run a command at the top of the project, and exit."""

    def inside() -> int | None:
        with entered():
            return work()

    run_command(inside, undecided=FAILED)
