"""Make packages look as if they were not installed: those of the variable BLOCKED_IMPORTS.

A folder with this file on PYTHONPATH blocks them in a process and in its children.
"""

from __future__ import annotations

import os
import sys

BLOCKED = frozenset(os.environ["BLOCKED_IMPORTS"].split())


class MissingPackages:
    """The first finder of modules, which refuses the blocked ones."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return None, so that the next finder is asked, or raise as for a missing package."""
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}: not in the image", name=name)
        return


sys.meta_path.insert(0, MissingPackages())
