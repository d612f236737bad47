"""Commands that release models, assign stages to versions, list them and verify packages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonoteka.core.run_stage import FAILED, run_command

DECIDES = "Exit codes: 0 {0}; 1 refused; 2 it cannot be decided."

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="an artifact in dvc.yaml")]
VersionName = Annotated[str, typer.Argument(metavar="VERSION", help="for example v1.1.0")]
Message = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="for the tag")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="check, and write nothing")]
RequirePushed = Annotated[
    bool,
    typer.Option("--require-pushed", help="refuse a package that the remote lacks, not only warn"),
]

app = typer.Typer()


@app.command(epilog=DECIDES.format("tagged"))
def release(
    name: ModelName,
    version: VersionName,
    rev: Annotated[str, typer.Option(metavar="REV", help="the commit to release")] = "HEAD",
    message: Message = "",
    dry_run: DryRun = False,
    require_pushed: RequirePushed = False,
) -> None:
    """Tag a version of a model if its gates pass at that commit and its package verifies."""
    from fonoteka.release.release import run

    run_command(
        lambda: run(
            name, version, rev=rev, message=message, dry_run=dry_run, require_pushed=require_pushed
        )
    )


@app.command(epilog=DECIDES.format("tagged"))
def promote(
    name: ModelName,
    version: VersionName,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="for example prod")],
    message: Message = "",
    remove: Annotated[
        bool, typer.Option("--unassign", help="remove the stage from the version")
    ] = False,
    dry_run: DryRun = False,
    require_pushed: RequirePushed = False,
) -> None:
    """Assign a stage to a released version if it passes the stricter limits of that stage."""
    from fonoteka.release.promote import run, unassign

    if remove:
        run_command(lambda: unassign(name, version, stage, message=message, dry_run=dry_run))
    run_command(
        lambda: run(
            name, version, stage, message=message, dry_run=dry_run, require_pushed=require_pushed
        )
    )


@app.command()
def releases(
    name: Annotated[str, typer.Argument(metavar="NAME", help="one model; all by default")] = "",
    json: Annotated[bool, typer.Option("--json", help="print JSON in place of tables")] = False,
) -> None:
    """List released versions with stages, numbers, data, licence and how to fetch them."""
    from fonoteka.release.listing import run

    run_command(lambda: run(name, as_json=json), undecided=FAILED)


@app.command()
def check_package(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="a package that was fetched")],
    sha256: Annotated[
        str, typer.Option(metavar="HASH", help="of package.json, as the tag of the release has it")
    ] = "",
) -> None:
    """Verify that the files of a package are those that were packaged."""
    from fonoteka.release.check_package import run

    run_command(lambda: run(folder, sha256), undecided=FAILED)
