"""Commands for languages that the pipeline does not have yet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

DescriptionName = Annotated[
    str, typer.Argument(metavar="NAME", help="a description's file or folder, or sl, mk")
]

app = typer.Typer(help="Check a language's description, and speak it.", no_args_is_help=True)


@app.command()
def check(name: DescriptionName) -> None:
    """List what is missing, ambiguous or wrong in a description; 1 if anything is."""
    from fonoteka.languages.voices.command import check

    run_command(lambda: check(name), undecided=FAILED)


@app.command()
def synthesize(
    name: DescriptionName,
    folder: Annotated[Path, typer.Argument(parser=given_path, metavar="FOLDER", help="a new one")],
    voices: Annotated[
        str, typer.Option(metavar="NAMES", help="variants of espeak-ng, one speaker each")
    ] = "f2,m3,anika,boris",
    clips: Annotated[int, typer.Option(metavar="N", help="per voice")] = 10,
    seed: Annotated[str, typer.Option(metavar="TEXT", help="of the sentences")] = "1",
) -> None:
    """Write a small corpus of synthetic speech in the format of data/raw."""
    from fonoteka.languages.voices.command import synthesize
    from fonoteka.languages.voices.synthetic_corpus import CorpusSize

    run_command(
        lambda: synthesize(name, folder, CorpusSize(tuple(voices.split(",")), clips, seed)),
        undecided=FAILED,
    )
