"""Private names of packages: checked when a module is imported, not when a file is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from operator import attrgetter
from types import ModuleType


def require(package: str, pinned: str, module: ModuleType, names: Iterable[str]) -> None:
    """Check that a package has the private names that are used of it.

    Args:
        package: its name in `requirements.lock`.
        pinned: its version there, with which the names were tested.
        module: of the package.
        names: attributes of the module, and attributes of these, as `lib.open`.

    Raises:
        ImportError: a name is missing.
    """
    for name in names:
        try:
            attrgetter(name)(module)
        except AttributeError as error:
            raise ImportError(
                f"{package} {version(package)} has no {module.__name__}.{name}, a private name "
                f"that fonoteka uses; install {package}=={pinned} as in requirements.lock"
            ) from error
