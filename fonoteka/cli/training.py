"""Commands around trainings: augmented copies of recordings, and a search for parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.cli.corpus import NoDvc, RawFolder
from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import entered, given_path

app = typer.Typer()


@app.command()
def augment(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="folder below data/raw")],
    recipe: Annotated[str, typer.Option(help="what is changed: a name in configs/augment.yaml")],
    copies: Annotated[int, typer.Option(help="of each recording")] = 1,
    seed: Annotated[int, typer.Option(help="another seed draws other copies")] = 1,
    name: Annotated[
        str, typer.Option(help="of the new corpus  [default: CORPUS-RECIPE]", show_default=False)
    ] = "",
    raw: RawFolder = None,
    no_dvc: NoDvc = False,
) -> None:
    """Write a corpus that has changed copies beside the recordings of another one."""
    # Imported here: the task of copies takes longer to load than `--help` takes to print.
    from fonoteka.corpus.augment_corpus import run
    from fonoteka.corpus.importers.add import track

    def write() -> None:
        with entered():
            out = run(corpus, name, recipe, copies, seed, raw or Path("data/raw"))
            if not no_dvc:
                track(out)

    run_command(write, undecided=FAILED)


@app.command()
def sweep(
    space: Annotated[
        Path, typer.Argument(parser=given_path, metavar="SPACE", help="file of the sweep")
    ],
    trials: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="of each search  [default: of the space]", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(metavar="N", min=0, help="trainings side by side; 0: one per core")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="continue an interrupted sweep, or add trials to it")
    ] = False,
    restart: Annotated[
        bool,
        typer.Option(
            "--restart", help="remove recorded trials if the space, an input or a parameter changed"
        ),
    ] = False,
    work: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FOLDER", show_default=False,
            help="journal and trainings  [default: checkpoints/sweep/NAME]",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FOLDER", show_default=False,
            help="results  [default: reports/bench/sweep/NAME]",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Search values of params.yaml: docs/sweeps.md."""

    def work_at_the_top() -> None:
        from fonoteka.sweep.command import SweepOptions, run

        options = SweepOptions(trials, workers, resume, restart, work, out)
        with entered():
            run(space, options)

    run_command(work_at_the_top, undecided=FAILED)
