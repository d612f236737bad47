"""Commands that choose what to transcribe next, and bring the transcripts back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

app = typer.Typer(no_args_is_help=True)


@app.callback(invoke_without_command=True)
def select(
    context: typer.Context,
    hours: Annotated[
        float | None, typer.Option(help="of recordings to choose, above 0", show_default=False)
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="below data/raw; may be repeated  [default: all]"),
    ] = None,
    strategy: Annotated[
        Literal["both", "uncertainty", "diversity", "random"],
        typer.Option(help="what a recording is chosen by"),
    ] = "both",
    per_language: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE=HOURS", help="at most this much of a language, and no other; repeatable"
        ),
    ] = None,
    per_speaker: Annotated[
        float | None,
        typer.Option(metavar="HOURS", help="at most this much of each speaker", show_default=False),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="a phone recogniser in data/models, or a folder")
    ] = "ensemble",
    words: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="the Whisper model whose texts are corrected  [default: as "
            "transcribe --words]", show_default=False,
        ),
    ] = "",
    no_words: Annotated[
        bool, typer.Option("--no-words", help="show the phones, without Whisper")
    ] = False,
    queue: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FILE",
            help="the queue to write  [default: data/selection/queue-001.json, ...]",
        ),
    ] = None,
    audio_url: Annotated[
        str, typer.Option(metavar="PREFIX", help="of the recordings in Label Studio")
    ] = "/data/local-files/?d=raw/",
    seed: Annotated[int, typer.Option(help="of --strategy random")] = 0,
) -> None:  # fmt: skip
    """Queue the recordings to transcribe next, as tasks for Label Studio."""
    if context.invoked_subcommand is not None:
        return
    from fonoteka.selection.choose import quotas
    from fonoteka.selection.select import SelectOptions, run

    def chosen() -> None:
        limits = quotas(hours, per_language or (), per_speaker)
        run(
            SelectOptions(
                limits, corpus or (), strategy, model, None if no_words else words, queue,
                audio_url, seed,
            )
        )  # fmt: skip

    run_command(chosen, undecided=FAILED)


@app.command("import")
def import_(
    export: Annotated[
        Path, typer.Argument(parser=given_path, metavar="EXPORT", help="JSON, JSON-MIN or CSV")
    ],
    name: Annotated[str, typer.Option(help="the new folder below data/raw; letters, digits, - _")],
    licence: Annotated[
        str, typer.Option(help="of the new corpus, if its recordings have several")
    ] = "",
    leave_out: Annotated[
        bool, typer.Option("--leave-out", help="import what is right, and no more")
    ] = False,
    no_dvc: Annotated[
        bool, typer.Option("--no-dvc", help="do not track the corpus by DVC")
    ] = False,
) -> None:
    """Write a corpus of the answers that Label Studio exported."""
    from fonoteka.selection.import_answers import run

    run_command(lambda: run(export, name, licence, leave_out, dvc=not no_dvc), undecided=FAILED)
