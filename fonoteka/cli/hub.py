"""Commands that export models and data for model hubs, and that publish them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

app = typer.Typer()

LayoutName = Literal["audiofolder", "webdataset"]


@app.command("export-hub")
def export_hub(
    model: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL",
            help="models with a package, as wavlm_ctc, whisper_tuned, streaming, realtime  "
            "[default: all of them, unless --dataset is given]",
            show_default=False,
        ),
    ] = None,
    dataset: Annotated[bool, typer.Option("--dataset", help="export the data set")] = False,
    layout: Annotated[
        LayoutName, typer.Option("--format", help="of the data set")
    ] = "audiofolder",
    data_id: Annotated[
        str,
        typer.Option(
            metavar="OWNER/NAME", help="the data set on a hub, for the cards of models",
            show_default=False,
        ),
    ] = "",
    out: Annotated[
        Path, typer.Option(parser=given_path, metavar="FOLDER", help="where folders are written")
    ] = Path("hub"),
) -> None:  # fmt: skip
    """Write folders with cards that transformers, datasets and model hubs read."""
    from fonoteka.hub.export import run

    run_command(
        lambda: run(model or (), out, dataset=dataset, form=layout, data_id=data_id),
        undecided=FAILED,
    )


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="written by export-hub")],
    target: Annotated[str, typer.Option("--to", metavar="hf:OWNER/NAME", help="the repository")],
    private: Annotated[
        bool, typer.Option("--private", help="make a new repository private")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what would be uploaded, and send nothing")
    ] = False,
) -> None:
    """Push an exported folder to a model hub."""
    from fonoteka.hub.publish import run

    run_command(lambda: run(folder, target, private=private, dry_run=dry_run), undecided=FAILED)
