"""Commands that build the pipeline, and that compare and check what it has built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonoteka.cli.posix_only import require_posix
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path, project

CORES = worker_count()
DECIDES = "Exit codes: 0 {0}; 1 {1}; 2 it cannot be decided."

Vary = Literal["nothing", "surroundings", "processor"]
Jobs = Annotated[int, typer.Option(min=1, metavar="N", help="how many stages may run at a time")]
Page = Annotated[
    Path | None, typer.Option(parser=given_path, metavar="FILE", help="write the page there too")
]
Verdict = Annotated[
    Path | None, typer.Option(parser=given_path, metavar="FILE", help="write the verdict as JSON")
]
PrintsJson = Annotated[bool, typer.Option("--json", help="print JSON in place of the table")]

app = typer.Typer()


@app.command()
def repro(
    stages: Annotated[
        list[str] | None,
        typer.Argument(metavar="STAGE", help="stages or groups of them, with all upstream"),
    ] = None,
    jobs: Jobs = CORES,
    show: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="print this file if the whole pipeline is up to date"),
    ] = None,
) -> None:
    """Rebuild what is stale, several stages at a time."""
    from fonoteka.pipeline.runner.run import run

    def work() -> int | None:
        require_posix("repro", "run `dvc repro`, which writes the same dvc.lock")
        return run(stages or (), jobs, show)

    run_command(
        work,
        undecided=FAILED,
        stopped="stopped: what was done is kept, run it again to resume",
    )


@app.command(epilog=DECIDES.format("everything is fresh", "something is to be run or pulled"))
def status(
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="accept outputs that only dvc.lock has")
    ] = False,
    json: PrintsJson = False,
) -> None:
    """List what is stale, missing or not pulled, why, and what a run would cost."""
    from fonoteka.pipeline.status.command import run

    run_command(lambda: run(allow_missing=allow_missing, as_json=json))


@app.command(epilog=DECIDES.format("no regression", "a regression"))
def diff(
    base: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="revision to compare with  [default: main; on main the commit before]",
        ),
    ] = None,
    markdown: Page = None,
    json: Verdict = None,
    plots: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="FOLDER", help="have dvc draw both sides there"),
    ] = None,
) -> None:
    """Compare this branch with its base: metrics, corpus and parameters."""
    from fonoteka.pipeline.diff.command import run

    run_command(lambda: run(base, markdown=markdown, json=json, plots=plots))


@app.command(epilog=DECIDES.format("every number passes", "a number or a model fails"))
def gate(
    base: Annotated[str, typer.Option(metavar="REV", help="revision to compare with")] = "HEAD",
    json: PrintsJson = False,
) -> None:
    """Refuse numbers past a limit or worse than at another revision, and damaged models."""
    from fonoteka.pipeline.diff.gate import run

    run_command(lambda: run(base, as_json=json))


@app.command(epilog=DECIDES.format("the same bytes", "a difference"))
def verify(
    vary: Annotated[
        Vary,
        typer.Option(
            help="build in other surroundings (path, locale, time zone, umask, order of files, "
            "number of cores), or as on an older processor"
        ),
    ] = "nothing",
    sample: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="rebuild one stage, or a group of them, alone"),
    ] = None,
) -> None:
    """Rebuild everything from nothing in a clone and compare it with dvc.lock."""
    from fonoteka.pipeline.verify.command import run

    def work() -> int | None:
        require_posix("verify", "compare with `git diff dvc.lock` after `dvc repro --force`")
        return run(vary, sample)

    run_command(
        work,
        stopped="stopped: the clone is removed, nothing was decided",
    )


@app.command(epilog=DECIDES.format("dvc.lock is settled", "a stage failed"))
def merge_lock(
    run: Annotated[bool, typer.Option("--run", help="compute what the cache lacks too")] = False,
    jobs: Jobs = CORES,
) -> None:
    """Settle dvc.lock after a merge conflict, running only what changed."""
    from fonoteka.pipeline.merge import command

    def work() -> int | None:
        require_posix("merge-lock", "take dvc.lock of one side, then run `dvc repro`")
        return command.run(run_lacking=run, jobs=jobs)

    run_command(
        work,
        stopped="stopped: git's merge is unchanged; run it again to resume",
    )


@app.command(epilog=DECIDES.format("fresh and no regression", "stale or a regression"))
def review(
    base: Annotated[
        str, typer.Option(metavar="REV", help="revision to compare with")
    ] = "origin/main",
    page: Page = None,
    json: Verdict = None,
) -> None:
    """Write the page of a pull request: freshness, data and numbers of this branch."""
    from fonoteka.pipeline.review.command import run

    run_command(lambda: run(base, page=page, json=json))


@app.command()
def profile(
    name: Annotated[
        str,
        typer.Argument(
            help="small, common-voice, fleurs, fsdd, fsdd-with-embedded, fsdd-words, full, "
            "librispeech, mixtures, parlaspeech-hr, parlaspeech-rs, real-english, or a file"
        ),
    ],
    params: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FILE", help="the file to change  [default: params.yaml]"
        ),
    ] = None,
) -> None:
    """Write a set of values into params.yaml, keeping its comments and its order."""
    from fonoteka.pipeline.overrides import run

    run_command(lambda: run(name, params or project() / "params.yaml"), undecided=FAILED)


@app.command()
def folds(
    corpus: Annotated[str, typer.Option(metavar="NAME", help="only speakers of this corpus")] = "",
    speakers: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="the table of stage split  [default: data/splits/speakers.csv]"
        ),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="hand the folds to dvc's queue")] = False,
) -> None:
    """Leave one speaker out, each in turn: list the folds, or queue an experiment for each."""
    from fonoteka.pipeline.leave_one_out import run

    table = speakers or project() / "data/splits/speakers.csv"
    run_command(lambda: run(table, corpus=corpus, queue=queue), undecided=FAILED)
