"""Refuse a command on Windows that needs process groups, signals or descriptors of POSIX."""

from __future__ import annotations

import sys

from fonoteka.core.errors import UserError

SYSTEM = sys.platform


def require_posix(command: str, way_out: str) -> None:
    """Refuse a command on Windows, before it has started anything.

    Args:
        command: its words, for the message.
        way_out: what to do instead.

    Raises:
        UserError: this is Windows.
    """
    if SYSTEM == "win32":
        raise UserError(f"{command}: runs on Linux and macOS, and this is Windows; {way_out}")
