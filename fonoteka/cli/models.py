"""Commands that use trained models, and that check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer()
realtime = typer.Typer(help="The causal models for an audio thread.", no_args_is_help=True)


@app.command()
def transcribe(
    wav: Annotated[list[Path], typer.Argument(help="recordings of any rate", metavar="WAV")],
    model: Annotated[
        str, typer.Option(metavar="NAME", help="a model in data/models, or a folder")
    ] = "ensemble",
    times: Annotated[bool, typer.Option("--times", help="a line per phone, with seconds")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="use the quantized file")] = False,
) -> None:
    """Print the phones of recordings, after the hash of the model is checked."""
    from fonoteka.transcribe import run

    run_command(lambda: run(wav, model, times=times, int8=int8), undecided=FAILED)


@realtime.callback()
def group() -> None:
    """Keep the name of the one command of the group."""


@realtime.command()
def check(
    folder: Annotated[
        Path | None,
        typer.Argument(help="the bundle  [default: data/models/realtime]", show_default=False),
    ] = None,
    wav: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a recording  [default: bursts of noise]")
    ] = None,
    seconds: Annotated[float, typer.Option(help="how long the bursts are")] = 20.0,
) -> None:
    """Check a bundle of causal models, and run them on a sound, whole and in blocks."""
    from fonoteka.realtime.bundle_check import run

    run_command(lambda: run(folder, wav=wav, seconds=seconds), undecided=FAILED)
