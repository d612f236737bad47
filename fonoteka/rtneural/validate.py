"""Find in a file for RTNeural everything on which RTNeural would crash or be silently wrong.

RTNeural's loader throws at some mistakes, reads past the end of an array at others, drops layers it
does not know and ignores keys. Here each of them is a sentence that says where, what was found,
what was expected, and what RTNeural would do with it.

What only a comparison can find (a square kernel that is not transposed, gates in another order)
loads as well as the right thing: see parity.py.

Source: RTNeural's loader, https://github.com/jatinchowdhury18/RTNeural, commit 1fb1f075, as it
behaved on such files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.rtneural.schema import ACTIVATIONS, RULES
from fonoteka.rtneural.shapes import Fed, Said, whole

KEYS = {"in_shape", "layers"}
STATE_DICT = (".weight", ".bias", "weight_ih_l0", "weight_hh_l0", "state_dict")


@dataclass(frozen=True)
class Finding:
    """One thing in a file that is not as RTNeural needs it.

    Attributes:
        fault: RTNeural fails or is wrong; else it is right, but not because of what is written.
        where: `layers[2] (gru)`, or "file".
        message: what was found, what was expected, what RTNeural does.
    """

    fault: bool
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


def findings(text: str | bytes) -> list[Finding]:
    """Return everything found in a file, in the file's order; none: RTNeural runs it as it reads.

    >>> [str(found) for found in findings('{"in_shape": [null, null, 2], "layers": []}')]
    ['file: layers is empty: RTNeural makes a model whose forward is undefined; add a layer']
    """
    return [Finding(said.fault, said.where, said.message) for said in _file(text)]


def require_sound(text: str | bytes, where: str) -> dict[str, Any]:
    """Return the document of a file that has no fault; `where` names the file.

    Raises:
        ValueError: it has faults; all are in the message.
    """
    if faults := [found for found in findings(text) if found.fault]:
        raise UserError("; ".join(f"{where}: {fault}" for fault in faults))
    document: dict[str, Any] = json.loads(_decoded(text))
    return document


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8-sig")


def _file(text: str | bytes) -> Iterator[Said]:
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in items]
        twice.extend(sorted({name for name in names if names.count(name) > 1}))
        return dict(items)

    def refuse(constant: str) -> None:
        raise UserError(f"{constant} is no JSON; a model with such a weight was never right")

    try:
        document = json.loads(_decoded(text), object_pairs_hook=pairs, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        yield Said("file", f"it is no JSON, so RTNeural throws: {error}")
        return
    for name in twice:
        yield Said("file", f"key {name!r} stands twice in one object; which of them counts is luck")
    if not isinstance(document, dict):
        yield Said("file", f"expected an object, found {_brief(document)}; RTNeural throws")
        return
    yield from _top(document)


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."


def _top(document: dict[str, Any]) -> Iterator[Said]:
    if not KEYS & set(document) and any(
        key.endswith(STATE_DICT) or key in STATE_DICT for key in document
    ):
        yield Said(
            "file", "this is a dumped state_dict, of which RTNeural says only \"key 'in_shape' not "
            'found"; export the module itself',
        )  # fmt: skip
        return
    size, said = _input_size(document)
    yield from said
    for name in sorted(set(document) - KEYS):
        yield Said("file", f"RTNeural ignores the key {name!r}", fault=False)
    layers = document.get("layers")
    if not isinstance(layers, list):
        found, does = "no such key", "throws"
        if "layers" in document:
            found, does = _brief(layers), "gives no model"
        yield Said("file", f"layers must be a list of layers, found {found}; RTNeural {does}")
        return
    if not layers:
        does = "RTNeural makes a model whose forward is undefined"
        yield Said("file", f"layers is empty: {does}; add a layer")
    fed = Fed(size, "in_shape")
    for number, layer in enumerate(layers):
        fed = yield from _layer(layer, number, fed)


def _input_size(document: dict[str, Any]) -> tuple[int | None, list[Said]]:
    """Return how many inputs a file says it has; None where it does not say."""
    if "in_shape" not in document:
        return None, [Said("file", "key 'in_shape' is missing; RTNeural throws")]
    shape = document["in_shape"]
    if not isinstance(shape, list) or not shape:
        message = f"in_shape must be a list like [null, null, 3], found {_brief(shape)}"
        return None, [Said("file", f"{message}; RTNeural gives no model")]
    used = shape[2:] if len(shape) == 4 else shape[-1:]
    if not all(whole(value) for value in used):
        read = "the product of its last two elements" if len(shape) == 4 else "its last element"
        message = f"in_shape is {_brief(shape)}; {read} must be whole and at least 1"
        return None, [Said("file", f"{message}; RTNeural throws or runs with garbage")]
    return math.prod(used), []


def _layer(layer: Any, number: int, fed: Fed) -> Generator[Said, None, Fed]:
    """Yield what is wrong with a layer; return what it feeds the next."""
    where = f"layers[{number}]"
    if not isinstance(layer, dict):
        yield Said(where, f"expected an object, found {_brief(layer)}; RTNeural throws")
        return Fed(None, where)
    kind = layer.get("type")
    if not isinstance(kind, str):
        found = "no such key" if "type" not in layer else _brief(kind)
        yield Said(where, f"type must be a string, found {found}; RTNeural throws")
        return Fed(None, where)
    where = f"{where} ({kind})"
    if kind not in RULES:
        does = "drops the layer and runs without it" if "weights" in layer else "throws"
        near = f"; did you mean {kind.lower()!r}?" if kind.lower() in RULES else ""
        yield Said(where, f"type {kind!r} is none of {sorted(RULES)}; RTNeural {does}{near}")
        return fed
    for key in ("weights", "shape"):
        if not isinstance(layer.get(key), list):
            found = "no such key" if key not in layer else _brief(layer[key])
            yield Said(where, f"{key} must be a list, found {found}; RTNeural throws")
            return Fed(None, where)
    rule = RULES[kind]
    size = yield from _output_size(layer["shape"], rule.planes, where)
    yield from _activation(layer, kind, where)
    for name in sorted(set(layer) - {"type", "weights", "shape", "activation", *rule.keys}):
        yield from _stranger(name, layer[name], where)
    for said in rule.check(layer, fed, size):
        yield Said(where, said.message, said.fault)
    return Fed(size or None, where)


def _output_size(shape: list[Any], planes: bool, where: str) -> Generator[Said, None, int | None]:
    """Yield what is wrong with a shape; return the outputs that it says, or None."""
    long = len(shape) == 4
    used = shape[2:] if long else shape[-1:]
    if not used or not all(whole(value) for value in used):
        message = f"shape is {_brief(shape)}; it must end in a whole number of at least 1"
        yield Said(where, f"{message}; RTNeural throws or runs with garbage")
        return None
    if long and not planes:
        yield Said(
            where, f"shape {_brief(shape)} has four elements, of which RTNeural takes "
            f"{shape[2]} x {shape[3]} as the number of outputs; write three",
        )  # fmt: skip
    if planes and not long:
        message = f"shape {_brief(shape)} must be [null, null, features, channels]"
        yield Said(where, f"{message}; RTNeural gives no model or a wrong one")
    return int(math.prod(used))


def _activation(layer: dict[str, Any], kind: str, where: str) -> Iterator[Said]:
    rule, found = RULES[kind], layer.get("activation", "")
    if kind == "activation" and not found:
        yield Said(where, "it says no activation; RTNeural drops the layer")
    elif not isinstance(found, str):
        yield Said(where, f"activation must be a string, found {_brief(found)}; RTNeural throws")
    elif not rule.activated and found:
        # Keras writes tanh on recurrent layers, and that is what RTNeural computes there.
        own = kind in ("lstm", "gru") and found == "tanh"
        message = f"RTNeural ignores the activation {found!r} of this type"
        yield Said(where, f"{message}; give it a layer of its own" * (not own) or message, not own)
    elif rule.activated and found and found not in ACTIVATIONS:
        near = f"; did you mean {found.lower()!r}?" if found.lower() in ACTIVATIONS else ""
        message = f"activation {found!r} is none of {sorted(ACTIVATIONS)}"
        yield Said(where, f"{message}; RTNeural crashes on it, which no catch stops{near}")


def _stranger(name: str, value: Any, where: str) -> Iterator[Said]:
    """Yield what RTNeural's ignoring a key does: harm, where the key would change the result."""
    harmless = {"stride": 1, "strides": 1, "padding": "causal", "padding_mode": "zeros"}
    plain = value[-1] if isinstance(value, list) and value else value
    if name in harmless and plain != harmless[name]:
        message = f"RTNeural ignores {name} {_brief(value)} and computes {harmless[name]!r}"
        yield Said(where, f"{message}; the file is not the model that was trained")
    else:
        yield Said(where, f"RTNeural ignores the key {name!r}", fault=False)
