"""The command that writes augmented copies of recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

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
    raw: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FOLDER", help="where corpora are  [default: data/raw]"
        ),
    ] = None,
    no_dvc: Annotated[bool, typer.Option("--no-dvc", help="do not track the copy by DVC")] = False,
) -> None:
    """Write a corpus that has changed copies beside the recordings of another one."""
    # Imported here: the task of copies takes longer to load than `--help` takes to print.
    from fonoteka.corpus.augment_corpus import run
    from fonoteka.corpus.importers.add import track
    from fonoteka.git import entered

    def write() -> None:
        with entered():
            out = run(corpus, name, recipe, copies, seed, raw or Path("data/raw"))
            if not no_dvc:
                track(out)

    run_command(write, undecided=FAILED)
