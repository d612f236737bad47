"""The command that recognises speech while it is spoken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonoteka.core.run_stage import FAILED, run_command

app = typer.Typer()

DecoderName = Literal["greedy", "beam"]
Device = Annotated[
    str | None,
    typer.Option(metavar="NAME", show_default=False,
                 help="a number or name of python -m sounddevice  [default: the system's]"),
]  # fmt: skip


@app.command()
def listen(
    wav: Annotated[
        Path | None,
        typer.Option("--wav", metavar="FILE", show_default=False, help="a recording of any format"),
    ] = None,
    mic: Annotated[bool, typer.Option("--mic", help="the microphone")] = False,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="raw samples: 16 bits, little-endian, interleaved")
    ] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="print JSON lines, for programs")] = False,
    model: Annotated[
        str, typer.Option(metavar="NAME", help="a model in data/models, or a folder")
    ] = "streaming",
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="when phones are committed")
    ] = "exact",
    decoder: Annotated[DecoderName, typer.Option(help="from frames to phones")] = "greedy",
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="read a recording as if it were spoken now")
    ] = True,
    rate: Annotated[int, typer.Option(metavar="HZ", help="of --stdin and --mic")] = 16_000,
    channels: Annotated[int, typer.Option(min=1, help="of --stdin and --mic")] = 1,
    chunk_ms: Annotated[int, typer.Option(min=1, max=1000, help="length of a chunk")] = 20,
    timeout_s: Annotated[
        float, typer.Option(min=0.1, help="longest wait for samples of --stdin and --mic")
    ] = 10.0,
    device: Device = None,
) -> None:  # fmt: skip
    """Print phones while they are spoken: committed ones, and dimmed those that may change."""
    if (wav is not None) + mic + stdin != 1:
        raise typer.BadParameter("name one source: --wav FILE, --mic or --stdin")

    def run() -> int:
        from fonoteka.streaming import listen as command

        return command.run(
            command.ListenRequest(
                wav, mic, jsonl, model, policy, decoder, realtime, rate, channels, chunk_ms,
                timeout_s, device,
            )
        )  # fmt: skip

    run_command(run, undecided=FAILED)
