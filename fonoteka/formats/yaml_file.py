"""Read a YAML file that a person wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError


def read_yaml(path: Path) -> Any:
    """Return the document of an existing file; values have the types of YAML 1.1.

    Raises:
        UserError: it is not UTF-8 or not YAML.
        OSError: it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
