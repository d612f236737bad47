"""Commands that name remotes, move data between them and the cache, and check the cache."""

from __future__ import annotations

from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command

Paths = Annotated[
    list[str] | None, typer.Argument(metavar="PATH", help="outputs; all of them by default")
]
NoRunCache = Annotated[bool, typer.Option("--no-run-cache", help="leave the run-cache out")]

app = typer.Typer()
checkpoints = typer.Typer(
    help="Checkpoints of a fine-tuning, which DVC does not push.", no_args_is_help=True
)
RunName = Annotated[str, typer.Argument(metavar="RUN", help="folder in checkpoints/whisper")]


@app.command()
def remote(
    url: Annotated[str | None, typer.Option(help="read and write here")] = None,
    read: Annotated[str | None, typer.Option(metavar="URL", help="read here")] = None,
    write: Annotated[str | None, typer.Option(metavar="URL", help="write here")] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="the server of an S3 address not Amazon's")
    ] = None,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="OPTION",
            help="store this option of a remote in .dvc/config.local; its value is typed unseen, "
            "or read from FONOTEKA_SECRET",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--remote", metavar="NAME", help="the remote that the secret opens")
    ] = "storage",
) -> None:
    """Show where data is stored, or set the addresses to read from and to write to."""
    from fonoteka.pipeline.remote.command import run

    run_command(
        lambda: run(url, read=read, write=write, endpoint=endpoint, secret=secret, remote=name),
        undecided=FAILED,
    )


@app.command()
def push(
    paths: Paths = None,
    no_run_cache: NoRunCache = False,
    again: Annotated[
        list[str] | None,
        typer.Option(metavar="MD5", help="send this damaged object again; may be repeated"),
    ] = None,
) -> None:
    """Send data and the run-cache to the remote to write to."""
    from fonoteka.pipeline.remote import transfer

    run_command(
        lambda: print(transfer.push(paths or (), not no_run_cache, again or ())), undecided=FAILED
    )


@app.command()
def pull(
    paths: Paths = None,
    no_run_cache: NoRunCache = False,
    if_public: Annotated[
        bool, typer.Option("--if-public", help="pull nothing if that takes a secret")
    ] = False,
) -> None:
    """Fetch data and the run-cache from the remote to read from, and check it out."""
    from fonoteka.pipeline.remote import transfer

    fetch = transfer.pull_if_public if if_public else transfer.pull
    run_command(lambda: print(fetch(paths or (), not no_run_cache)), undecided=FAILED)


@app.command()
def fsck(
    stages: Annotated[
        list[str] | None,
        typer.Argument(metavar="STAGE", help="stages; all of them by default"),
    ] = None,
) -> None:
    """Hash cache and workspace again, remove what is damaged, and repair dvc.lock."""
    from fonoteka.pipeline.fsck import run
    from fonoteka.pipeline.runner.repair_lock import repair

    def work() -> None:
        repair()  # dvc refuses to start if dvc.lock is half written
        run(stages or ())

    run_command(work, undecided=FAILED)


@checkpoints.command("push")
def push_checkpoint(run: RunName = "tuned") -> None:
    """Send the last checkpoint of a run to the remote to write to."""
    from fonoteka.pipeline.remote.checkpoints import push

    run_command(lambda: print(push(run)), undecided=FAILED)


@checkpoints.command("pull")
def pull_checkpoint(run: RunName = "tuned") -> None:
    """Restore the checkpoint that was pushed last, so that a training continues there."""
    from fonoteka.pipeline.remote.checkpoints import pull

    run_command(lambda: print(pull(run)), undecided=FAILED)
