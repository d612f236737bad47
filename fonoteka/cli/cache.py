"""Commands that show, empty, push and pull the cache of results per clip."""

from __future__ import annotations

from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer(
    help="Results of clips from earlier runs, which stages do not compute again.",
    no_args_is_help=True,
)


@app.command()
def status() -> None:
    """List entries, size and last run per stage, with the folder and its limit."""
    from fonoteka.compute import cache_command

    run_command(cache_command.status, undecided=FAILED)


@app.command()
def prune() -> None:
    """Remove the entries above the limit, those whose last use is the longest ago."""
    from fonoteka.compute import cache_command

    run_command(cache_command.prune, undecided=FAILED)


@app.command()
def clear(
    stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="only the entries of this stage")
    ] = None,
) -> None:
    """Remove all entries; the next run computes every clip."""
    from fonoteka.compute.cache_command import clear

    run_command(lambda: clear(stage), undecided=FAILED)


@app.command()
def push(
    again: Annotated[
        bool,
        typer.Option("--again", help="send all, and remove what was sent before, as after erase"),
    ] = False,
) -> None:
    """Send the entries that the remote to write to lacks."""
    from fonoteka.pipeline.remote.results import push

    run_command(lambda: print(push(again=again)), undecided=FAILED)


@app.command()
def pull() -> None:
    """Fetch the entries that this machine lacks from the remote to read from."""
    from fonoteka.pipeline.remote.results import pull

    run_command(lambda: print(pull()), undecided=FAILED)
