"""The names of models: which requests may use, and which are models at all.

A package is named after its folder, as `fonoteka transcribe --model` and section `gate` name it.
The package of words is `whisper`, as in the artifacts of dvc.yaml. `whisper-1`, the name that
OpenAI's clients send, is the default model for words.

A name of a request is only ever compared with these; it never becomes a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from fonoteka.service.interfaces import ModelKind, ModelVersion, UnknownModelError

NAMES = {"whisper_package/tuned": "whisper"}
"""Names of packages that are not the name of their folder."""

NUMBERS = {"whisper": "words"}
"""By which name section `gate` has the numbers of a model, if it is not the name of the model."""

DEFAULTS = {
    ModelKind.WORDS: "whisper",
    # `align` needs this one in any case, and the ensemble computes three times as long.
    ModelKind.PHONES: "whisper_ctc",
    ModelKind.STREAM: "streaming",
}

ALIASES = {"stream_ctc": "streaming"}
"""Further names; the model was trained as `stream_ctc`."""

OPENAI = "whisper-1"

_FOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_MOST_LISTED, _LONGEST_SHOWN = 20, 40


def package_name(path: str) -> str | None:
    """Return the name of the package at a path below the folder of models.

    None if the name would not be plain ASCII, because it is in URLs, logs and metrics.

    >>> package_name("wavlm_ctc"), package_name("whisper_package/tuned"), package_name("a/b")
    ('wavlm_ctc', 'whisper', 'a_b')
    >>> package_name("wаvlm") is None  # the second letter is Cyrillic
    True
    """
    if not all(map(_FOLDER.fullmatch, path.split("/"))):
        return None
    return NAMES.get(path, path.replace("/", "_"))


def aliases_of(model: ModelVersion, models: Mapping[str, ModelVersion]) -> list[str]:
    """Return the further names by which requests reach a model, sorted."""
    names = [alias for alias, name in ALIASES.items() if name == model.name and alias not in models]
    if OPENAI not in models and default_name(ModelKind.WORDS, models) == model.name:
        names.append(OPENAI)
    return sorted(names)


def default_name(kind: ModelKind, models: Mapping[str, ModelVersion]) -> str | None:
    """Return the model of a kind for requests that name none.

    It is that of `DEFAULTS`, or the only one of its kind. None if there are several others, because
    then a request would get a model that no one chose.
    """
    if (preferred := models.get(DEFAULTS[kind])) and preferred.kind == kind:
        return preferred.name
    names = [model.name for model in models.values() if model.kind == kind]
    return names[0] if len(names) == 1 else None


def find(name: str, kind: ModelKind | None, models: Mapping[str, ModelVersion]) -> ModelVersion:
    """Return the model of a name or alias; an empty name is the default of the kind, or of words.

    Raises:
        UnknownModelError: no model has this name, or it is of another kind.
    """
    model = models.get(_resolved(name, kind, models))
    if model is None:
        names = (m.name for m in models.values() if kind in (None, m.kind))
        raise UnknownModelError(f"{_unknown(name, kind)}; {_choice(names)}")
    if kind is not None and model.kind != kind:
        names = (m.name for m in models.values() if m.kind == kind)
        raise UnknownModelError(
            f"model {shown(name)} is of kind {model.kind}, and {kind} was expected; "
            f"{_choice(names)}"
        )
    return model


def _resolved(name: str, kind: ModelKind | None, models: Mapping[str, ModelVersion]) -> str:
    if not name:
        return default_name(kind or ModelKind.WORDS, models) or ""
    if name in models:
        return name
    if name == OPENAI:
        return default_name(ModelKind.WORDS, models) or ""
    return ALIASES.get(name, "")


def _unknown(name: str, kind: ModelKind | None) -> str:
    if name:
        return f"no model {shown(name)} is offered"
    return f"no model was named, and none is the default of kind {kind or ModelKind.WORDS}"


def shown(name: str) -> str:
    r"""Return a name in quotes and in ASCII, so that a look-alike shows, and of bounded length.

    >>> print(shown("../mlp\0"), shown("mlр"), len(shown(10_000 * "x")))
    '../mlp\x00' 'ml\u0440' 45
    """
    short = name[:_LONGEST_SHOWN] + "..." * (len(name) > _LONGEST_SHOWN)
    return ascii(short)


def _choice(names: Iterable[str]) -> str:
    offered = sorted(names)
    if not offered:
        return "no such model is offered now"
    more = len(offered) - _MOST_LISTED
    return f"use one of {', '.join(offered[:_MOST_LISTED])}" + f" and {more} more" * (more > 0)
