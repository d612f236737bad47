"""A hash of the code that a result depends on: this project's, and the libraries' versions.

Without torch, so that stages which do not use it can call it.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fonoteka.compute.processor import OLDER, processor
from fonoteka.core.files import sha256_file, sha256_json

TOPS = ("fonoteka", "stages")
ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "numpy", "scipy", "soundfile", "miniaudio", "scikit-learn", "torch", "torchaudio",
    "transformers", "onnxruntime", "safetensors", "espeakng-loader", "silero-vad",
    "webrtcvad-wheels", "python-stretch",
)  # fmt: skip
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+((?:fonoteka|stages)[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    r"|import[ \t]+((?:fonoteka|stages)[\w.]*))",
    re.MULTILINE,
)


def loaded_sources() -> dict[str, str]:
    """Return the SHA-256 of the source of each imported module of this project, by name."""
    return {
        name: sha256_file(Path(str(module.__file__)))
        for name, module in sorted(sys.modules.items())
        if name.split(".")[0] in TOPS and module.__file__
    }


def source_fingerprint(*modules: str, anywhere: bool = False) -> str:
    """Return a hash of code, of the versions of libraries and of the kind of processor.

    Args:
        modules: the modules that do the work, usually `__name__` of the caller; what they import,
            inside functions too, is included. By default all imported modules of the project.
        anywhere: whether the results are the same on all kinds of processors, so that machines
            can share them; then the kind is left out.

    Two clones of one commit have the same hash, because paths are not part of it.
    """
    sources = {name: sha256_file(path) for name, path in sorted(_closure(modules).items())}
    surroundings = [] if anywhere else [processor().kind, [os.environ.get(k) for k in OLDER]]
    libraries = {name: _version(name) for name in LIBRARIES}
    python = ".".join(platform.python_version_tuple()[:2])
    return sha256_json([sources, libraries, python, surroundings])


def _closure(modules: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of modules and of all that they import, by name.

    The text of the modules is searched and not `sys.modules`: a module that a function imports
    later counts too, and the result does not depend on what else a process has imported.
    """
    todo = [_real_name(name) for name in modules]
    if not modules:
        loaded = [name for name in sys.modules if name.split(".")[0] in TOPS]
        todo = [_real_name("__main__"), *loaded]
    files: dict[str, Path] = {}
    while todo:
        name = todo.pop()
        path = _file(name)
        if path is None or name in files:
            continue
        files[name] = path
        todo += _imports(path)
        todo.append(name.rpartition(".")[0])  # a package runs before its modules
    return files


def _real_name(name: str) -> str:
    """Return the name of a module; that of a program which `python -m` runs is `__main__`."""
    if name not in ("__main__", "__mp_main__"):
        return name
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return str(spec.name) if spec else name


@cache
def _file(name: str) -> Path | None:
    """Return the file of a module of this project; None if it has none."""
    if name.split(".")[0] not in TOPS:
        return None
    path = ROOT.joinpath(*name.split("."))
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


@cache
def _imports(path: Path) -> list[str]:
    """Return the names that a file imports from this project; some are not modules."""
    names: list[str] = []
    for package, imported, plain in _IMPORT.findall(path.read_text(encoding="utf-8")):
        names.append(plain or package)
        if package:
            names += [f"{package}.{each}" for each in re.findall(r"\w+", imported)]
    return names


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
