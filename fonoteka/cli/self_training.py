"""Commands of self-training: labels by a model, and what training gains by them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command
from fonoteka.git import given_path

Embeddings = Annotated[
    Path, typer.Argument(parser=given_path, metavar="EMBEDDINGS", help="a folder of shards")
]
Precision = Annotated[
    float, typer.Option(metavar="SHARE", help="wanted share of kept clips that are right")
]


def _option(metavar: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(parser=given_path, metavar=metavar, help=text)
    return option


app = typer.Typer(
    help="Label untranscribed recordings by a model, and measure the gain.", no_args_is_help=True
)


@app.command()
def words(
    folder: Annotated[
        Path, typer.Argument(parser=given_path, metavar="FOLDER", help="untranscribed audio")
    ],
    out: Annotated[Path, typer.Argument(parser=given_path, metavar="OUT", help="a new corpus")],
    labelled: Annotated[Path, _option("FOLDER", "other speakers, with texts")],
    language: Annotated[str, typer.Option(metavar="CODE", help="of all recordings")],
    licence: Annotated[str, typer.Option(help="under which the recordings may be used")],
    source: Annotated[str, typer.Option(help="where they come from")] = "not stated",
    precision: Precision = 0.9,
    model: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FOLDER", help="Whisper  [default: data/models/whisper_base]"
        ),
    ] = None,
) -> None:
    """Write a corpus of recordings whose texts by Whisper are expected to be right."""
    from fonoteka.corpus.corpus import Card
    from fonoteka.git import project
    from fonoteka.self_training.whisper_corpus import PathColumns, run

    # `--labelled` and this folder are read with the same names of columns.
    base = model or project() / "data" / "models" / "whisper_base"
    card = Card(out.name, licence, source, False)
    run_command(
        lambda: run(folder, labelled, out, base, language, card, precision, PathColumns()),
        undecided=FAILED,
    )


@app.command()
def phones(
    embeddings: Embeddings,
    out: Annotated[Path, typer.Argument(parser=given_path, metavar="OUT", help="a new folder")],
    untranscribed: Annotated[Path, _option("JSONL", "the clips to label")],
    valid: Annotated[Path, _option("JSONL", "labelled clips of other speakers")],
    model: Annotated[Path, _option("FOLDER", "a trained head, as data/models/wavlm_ctc")],
    precision: Precision = 0.9,
) -> None:
    """Write phones that a head predicts for clips whose embeddings are stored."""
    from fonoteka.self_training.label_command import label

    run_command(
        lambda: label(embeddings, valid, untranscribed, model, out, precision), undecided=FAILED
    )


@app.command()
def gain(
    embeddings: Embeddings,
    report: Annotated[Path, typer.Argument(parser=given_path, metavar="REPORT", help="to write")],
    train: Annotated[Path, _option("JSONL", "the labelled clips")],
    valid: Annotated[Path, _option("JSONL", "the validation split")],
    test: Annotated[Path, _option("JSONL", "the test split")],
    pseudo: Annotated[Path, _option("JSONL", "the clips that the model labelled")],
) -> None:
    """Train a head with and without pseudo-labels, and compare their PER by speakers."""
    from fonoteka.git import project
    from fonoteka.self_training.label_command import gain

    run_command(
        lambda: gain(embeddings, train, valid, test, pseudo, report, project()), undecided=FAILED
    )


@app.command()
def simulate(
    folder: Annotated[
        Path, typer.Argument(parser=given_path, metavar="FOLDER", help="labelled audio, a table")
    ],
    report: Annotated[Path, typer.Argument(parser=given_path, metavar="REPORT", help="to write")],
    language: Annotated[str, typer.Option(metavar="CODE", help="of the texts")],
    precision: Precision = 0.9,
    per_speaker: Annotated[int, typer.Option(metavar="N", help="clips; 0 for all")] = 0,
    epochs: Annotated[int, typer.Option(metavar="N", help="of each training")] = 20,
    encoder: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FOLDER", help="its embeddings, instead of log-mel bands"
        ),
    ] = None,
) -> None:
    """Hide the labels of some speakers of a folder, and measure what self-training gains."""
    from fonoteka.git import project
    from fonoteka.self_training.simulation import SimulationOptions, run

    options = SimulationOptions(language, precision, per_speaker, epochs, encoder)
    run_command(lambda: run(folder, report, options, project()), undecided=FAILED)
