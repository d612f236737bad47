"""Push the last checkpoint of a fine-tuning to the remote, and restore it on another machine.

    python -m fonoteka checkpoints push [RUN]
    python -m fonoteka checkpoints pull [RUN]

Reads   checkpoints/whisper/<run>: the last step-*.safetensors, log.jsonl
Writes  checkpoints/whisper-<run> of the remote, or checkpoints/whisper/<run>

Checkpoints are not outputs, so DVC does not push them. In the remote a run has two slots:

    1.safetensors  1.jsonl  1.json      the checkpoint, its log, and last the record of both
    2.safetensors  2.jsonl  2.json

A push writes into the slot whose record is older, so an interrupted one leaves the newer slot as it
was. A record has sizes and hashes: what arrives is compared with them before it gets its name. No
file is listed, renamed or removed, because HTTP cannot list and WebDAV cannot rename in one step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, sha256_file, write_json
from fonoteka.pipeline.dvc_api import open_repo, top
from fonoteka.pipeline.remote.transfer import chosen_remote, transfer_errors

FOLDER = Path("checkpoints/whisper")
LOG = "log.jsonl"
SLOTS = ("1", "2")
_STEPS = "step-*.safetensors"
_NAME = re.compile(r"step-\d{6}\.safetensors|log\.jsonl")
_RUN = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class SentFile:
    """A file of a slot.

    Attributes:
        name: in the local folder.
        bytes: size.
        sha256: of the contents.
    """

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class SlotRecord:
    """What a slot contains.

    Attributes:
        slot: its name.
        number: of the push; the slot with the higher one is the newer one.
        files: the log first, if there is one, and the checkpoint last.
    """

    slot: str
    number: int
    files: tuple[SentFile, ...]

    @property
    def checkpoint(self) -> SentFile:
        """The file of the checkpoint."""
        return self.files[-1]


class DamagedSlotError(Exception):
    """A file of a slot is missing or damaged."""


class RemoteSlots:
    """The slots of a run in a remote."""

    def __init__(self, fs: Any, path: str) -> None:
        self.fs, self.path = fs, path

    def path_of(self, slot: str, name: str) -> str:
        """Return the path of a file of a slot; the name is local, or empty for the record."""
        return str(self.fs.join(self.path, f"{slot}{Path(name).suffix or '.json'}"))

    def records(self) -> list[SlotRecord]:
        """Return the records that are whole, the newest first."""
        records = [record for slot in SLOTS if (record := self._record(slot))]
        return sorted(records, key=lambda record: record.number, reverse=True)

    def _record(self, slot: str) -> SlotRecord | None:
        path = self.path_of(slot, "")
        return parse_record(slot, self.fs.cat_file(path)) if self.fs.exists(path) else None

    def send(self, slot: str, name: str, path: Path) -> None:
        """Write a local file into a slot."""
        self.fs.makedirs(self.path)
        self.fs.put_file(str(path), self.path_of(slot, name))

    def fetch(self, record: SlotRecord, file: SentFile, target: Path) -> None:
        """Read a file of a slot into `target`.

        Raises:
            DamagedSlotError: it is missing, or not what was sent.
        """
        path = self.path_of(record.slot, file.name)
        if not self.fs.exists(path):
            raise DamagedSlotError(f"{file.name} is missing")
        self.fs.get_file(path, str(target))
        if target.stat().st_size != file.bytes or sha256_file(target) != file.sha256:
            raise DamagedSlotError(f"{file.name} is not what was sent")


def parse_record(slot: str, data: bytes) -> SlotRecord | None:
    """Return the record of a slot; None if its upload was interrupted.

    A name of another form is not accepted, because it becomes a path on this machine.

    >>> parse_record("1", b'{"number": 1, "files": [{"name": "../x", "bytes": 1, "sha256": ""}]}')
    """
    try:
        value = json.loads(data)
        files = tuple(SentFile(**entry) for entry in value["files"])
        record = SlotRecord(slot, int(value["number"]), files)
        valid = all(_NAME.fullmatch(file.name) for file in files) and files[-1].name != LOG
    except (ValueError, TypeError, KeyError, IndexError):
        return None
    return record if valid else None


def push(run: str) -> str:
    """Send the last checkpoint of a run with its log, and return a sentence.

    Args:
        run: the name of its folder in `checkpoints/whisper`.

    Raises:
        UserError: there is no checkpoint or no remote to write to, the checkpoint is damaged, or
            the transfer failed.
    """
    folder = _folder(run)
    path = last_checkpoint(folder)
    with open_repo() as repo:
        remote, url = chosen_remote(repo, "push")
        with transfer_errors(
            "push to", remote, url, "the checkpoint that was pushed before it is unchanged"
        ):
            slots = _slots(repo, remote, run)
            records = slots.records()
            slot = next(slot for slot in SLOTS if not records or slot != records[0].slot)
            number = records[0].number + 1 if records else 1
            with TemporaryDirectory() as scratch:
                files = _sendable(folder, path, Path(scratch))
                for name, source in files.items():
                    slots.send(slot, name, source)
                record = Path(scratch) / "record.json"
                write_json(record, {"number": number, "files": _described(files)})
                slots.send(slot, "", record)
    size = path.stat().st_size / 2**20
    return f"pushed {path.name} of run {run!r}, {size:.0f} MiB, to {remote} ({url})"


def _sendable(folder: Path, checkpoint: Path, scratch: Path) -> dict[str, Path]:
    """Return the files to send by name; the log is a copy, because a training may add lines."""
    log = folder / LOG
    files: dict[str, Path] = {}
    if log.is_file():
        files[LOG] = scratch / LOG
        files[LOG].write_bytes(log.read_bytes())
    return files | {checkpoint.name: checkpoint}


def _described(files: Mapping[str, Path]) -> list[dict[str, Any]]:
    return [
        {"name": name, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for name, path in files.items()
    ]


def pull(run: str) -> str:
    """Restore the checkpoint of a run that was pushed last, and return a sentence.

    Args:
        run: the name of its folder in `checkpoints/whisper`.

    Raises:
        UserError: there is no remote to read from, or no undamaged checkpoint in it; this machine
            has another checkpoint of that run; or the transfer failed.
    """
    folder, failed = _folder(run), "nothing was restored, pull it again"
    with open_repo() as repo:
        remote, url = chosen_remote(repo, "pull")
        with transfer_errors("pull from", remote, url, failed):
            slots = _slots(repo, remote, run)
            records = slots.records()
        for record in records:
            _refuse_other_checkpoints(folder, record.checkpoint)
            with transfer_errors("pull from", remote, url, failed):
                restored = _restore(slots, record, folder)
            if restored:
                return (
                    f"pulled {record.checkpoint.name} of run {run!r} from {remote} ({url}); a "
                    "training with the same code, data and parameters continues there"
                )
    reason = "every one is damaged" if records else "none was pushed"
    raise UserError(
        f"{remote} ({url}) has no checkpoint of run {run!r} to restore, because {reason}; push it "
        "with python -m fonoteka checkpoints push, from a machine that has it"
    )


def _refuse_other_checkpoints(folder: Path, wanted: SentFile) -> None:
    """Refuse a folder with another checkpoint, which a training could continue from.

    Raises:
        UserError: it has one.
    """
    for path in sorted(folder.glob(_STEPS)):
        if path.name != wanted.name or sha256_file(path) != wanted.sha256:
            raise UserError(
                f"{path}: differs from {wanted.name} in the remote, and nothing is overwritten; "
                "move it elsewhere, and pull again"
            )


def _restore(slots: RemoteSlots, record: SlotRecord, folder: Path) -> bool:
    """Restore a slot as a whole; return False, with a line, if a file of it is damaged."""
    try:
        with ExitStack() as stack:
            for file in record.files:
                part = stack.enter_context(atomic_file(folder / file.name))
                slots.fetch(record, file, part)
    except DamagedSlotError as error:
        print(f"push {record.number}: ignored, because {error}")
        return False
    return True


def last_checkpoint(folder: Path) -> Path:
    """Return the path of the last checkpoint of a run.

    Raises:
        UserError: there is none, or it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    paths = sorted(folder.glob(_STEPS))
    if not paths:
        raise UserError(
            f"{folder}: no checkpoint; a training writes one every train_whisper.checkpoint_every "
            "steps, and removes them when it is finished"
        )
    try:
        with safe_open(paths[-1], framework="np"):
            pass
    except SafetensorError as error:
        raise UserError(
            f"{paths[-1]}: damaged ({error}); remove it, and the one before it is pushed"
        ) from error
    return paths[-1]


def _folder(run: str) -> Path:
    """Return the folder of a run.

    Raises:
        UserError: the name is not one of a folder.
    """
    if not _RUN.fullmatch(run):
        raise UserError(f"run {run!r}: expected the name of a folder in {FOLDER}")
    return top() / FOLDER / run


def _slots(repo: Any, remote: str, run: str) -> RemoteSlots:
    storage = repo.cloud.get_remote(remote)
    # Not whisper/<run>: DVC's garbage collection takes a file in a folder with a name of two
    # letters for an object of its own.
    path = storage.fs.join(storage.path, FOLDER.parent.name, f"{FOLDER.name}-{run}")
    return RemoteSlots(storage.fs, str(path))
