"""What the service and a decoder process send each other: one line of JSON per message."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

READY = b"ready\n"
"""The first line of a decoder process."""


@dataclass(frozen=True)
class DecodeRequest:
    """A file to be decoded.

    Attributes:
        path: of the file.
        target: of the samples; it does not exist yet.
        budget_s: seconds after which the process stops and answers `later`; None for no budget.
    """

    path: Path
    target: Path
    budget_s: float | None = None

    def line(self) -> bytes:
        """Return the message."""
        return _line({"path": str(self.path), "target": str(self.target), "budget": self.budget_s})

    @classmethod
    def parsed(cls, line: bytes) -> DecodeRequest:
        """Return the request of a message."""
        values = json.loads(line)
        return cls(Path(values["path"]), Path(values["target"]), values["budget"])


@dataclass(frozen=True)
class DecodeReply:
    """What became of a file.

    Attributes:
        samples: that were written.
        later: the budget was exceeded; nothing was written.
        full: the disk is full; nothing was written.
        status, code, message: of the answer to the client if the file was refused; else 0 and "".
        fault: the traceback of an exception that the decoder does not expect.
    """

    samples: int = 0
    later: bool = False
    full: bool = False
    status: int = 0
    code: str = ""
    message: str = ""
    fault: str = ""

    def line(self) -> bytes:
        """Return the message."""
        return _line(asdict(self))

    @classmethod
    def parsed(cls, line: bytes) -> DecodeReply:
        """Return the reply of a message.

        Raises:
            ValueError: the process died while it wrote, or did not write what it should.
        """
        values = json.loads(line)
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"not a reply: {line[:80]!r}") from error


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values).encode("ascii") + b"\n"
