"""Commands that use trained models, and that check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer()
realtime = typer.Typer(help="The causal models for an audio thread.", no_args_is_help=True)


@app.command()
def transcribe(
    file: Annotated[list[Path], typer.Argument(help="recordings of any rate", metavar="FILE")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="a model in data/models, or a folder  [default: ensemble; for words "
            "whisper_package/tuned, or whisper/tuned without it]",
            show_default=False,
        ),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words/--phones", help="words by Whisper, of any length")
    ] = False,
    times: Annotated[
        bool, typer.Option("--times", help="a line per phone or window, with seconds")
    ] = False,
    language: Annotated[
        str | None,
        typer.Option(
            metavar="CODE", help="of the words, or auto  [default: auto]", show_default=False
        ),
    ] = None,
    script: Annotated[
        str | None, typer.Option(metavar="SCRIPT", help="of words: latin, or cyrillic for bs, sr")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="use the quantized files")] = False,
) -> None:
    """Print the phones or words of recordings, after the hash of the model is checked."""

    def run() -> None:
        # Each side imports its own module, and so only what it needs.
        if words:
            _transcribe_words(file, model, language, script, times, int8)
        else:
            _transcribe_phones(file, model, language, script, times, int8)

    run_command(run, undecided=FAILED)


def _transcribe_words(
    recordings: list[Path], model: str | None, language: str | None, script: str | None,
    times: bool, int8: bool,
) -> None:  # fmt: skip
    from fonoteka.transcribe_words import AUTO, Options, run

    run(recordings, model, Options(language or AUTO, script, times), int8=int8)


def _transcribe_phones(
    recordings: list[Path], model: str | None, language: str | None, script: str | None,
    times: bool, int8: bool,
) -> None:  # fmt: skip
    from fonoteka.transcribe import run

    if language or script:
        option = "--language" if language else "--script"
        raise UserError(f"{option} is an option of --words; add --words or leave it out")
    run(recordings, model or "ensemble", times=times, int8=int8)


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


@realtime.command()
def features(
    recording: Annotated[Path, typer.Argument(metavar="WAV", help="at 16, 44.1 or 48 kHz")],
    npz: Annotated[Path, typer.Option("--npz", metavar="FILE", help="the archive to write")],
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="a bundle  [default: data/models/realtime]", show_default=False
        ),
    ] = None,
) -> None:
    """Write the features, outputs and decisions of each hop, to compare a host with."""
    from fonoteka.realtime.feature_file import run

    run_command(lambda: run(recording, npz, bundle), undecided=FAILED)
