"""Fetch single files of a model from a hub at a pinned commit."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

from fonoteka.core.errors import UserError

ANSWER_S = 10.0  # longest wait for the hub's first answer


@dataclass(frozen=True)
class HubRevision:
    """A model of a hub, `owner/name`, and the commit."""

    name: str
    revision: str

    @classmethod
    def parse(cls, text: str, key: str) -> HubRevision:
        """Return the model that `owner/name@commit` names; `key` is its place in params.yaml.

        Raises:
            UserError: the text is another. A branch is refused too, because it can move.
        """
        match = re.fullmatch(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})", text)
        if not match:
            raise UserError(
                f"{key} must be owner/name@commit with 40 hexadecimal digits, got {text!r}"
            )
        return cls(match[1], match[2])


def fetch_files(model: HubRevision, names: tuple[str, ...], folder: Path) -> None:
    """Write files of a model into an existing folder; those in the hub's cache are not requested.

    Raises:
        UserError: the hub does not answer, refuses, or does not have a file at that commit.
    """
    disable_progress_bars()
    try:
        for name in names:
            _ask(model, name)
            path = hf_hub_download(model.name, name, revision=model.revision, etag_timeout=ANSWER_S)
            shutil.copyfile(path, folder / name)
    except Exception as error:  # the client's errors share no base class
        raise UserError(
            f"{model.name}@{model.revision}: cannot get {name}; check the network and "
            f"whisper_base.hub, or set whisper_base.source to package or folder ({error})"
        ) from error


def _ask(model: HubRevision, name: str) -> None:
    """Request a file once, because the client would repeat a failed request for minutes."""
    if isinstance(try_to_load_from_cache(model.name, name, revision=model.revision), str):
        return
    url = hf_hub_url(model.name, name, revision=model.revision)
    get_hf_file_metadata(url, timeout=ANSWER_S)
