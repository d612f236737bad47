"""Validation of a file for RTNeural: everything that makes RTNeural crash or compute wrong values.

RTNeural's loader throws at some mistakes, reads past the end of an array at others, drops unknown
layers and ignores keys. Each mistake is a diagnostic with the place, the value found, the value
expected and the effect in RTNeural.

Some mistakes load without an error (a square kernel that is not transposed, gates in another
order); only a comparison of outputs finds them, see parity.py.

Source: RTNeural's loader, https://github.com/jatinchowdhury18/RTNeural, commit 1fb1f075, observed
on such files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Generator, Iterator
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.rtneural.schema import ACTIVATIONS, LAYER_SCHEMAS
from fonoteka.rtneural.shapes import Diagnostic, LayerInput, is_positive_integer

KEYS = {"in_shape", "layers"}
STATE_DICT = (".weight", ".bias", "weight_ih_l0", "weight_hh_l0", "state_dict")


def diagnose(text: str | bytes) -> list[Diagnostic]:
    """Return the diagnostics of a file, in the order of the file; if none, RTNeural runs it.

    >>> [str(diagnostic) for diagnostic in diagnose('{"in_shape": [null, null, 2], "layers": []}')]
    ['file: layers is empty: RTNeural makes a model whose forward is undefined; add a layer']
    """
    return list(_check_file(text))


def require_valid(text: str | bytes, file_name: str) -> dict[str, Any]:
    """Return the document of a file without faults; `file_name` is the name of the file.

    Raises:
        UserError: the file has faults; the message lists all of them.
    """
    if faults := [diagnostic for diagnostic in diagnose(text) if diagnostic.fault]:
        raise UserError("; ".join(f"{file_name}: {fault}" for fault in faults))
    document: dict[str, Any] = json.loads(_decoded(text))
    return document


def _decoded(text: str | bytes) -> str:
    return text if isinstance(text, str) else text.decode("utf-8-sig")


def _check_file(text: str | bytes) -> Iterator[Diagnostic]:
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [name for name, _ in items]
        duplicates.extend(sorted({name for name in keys if keys.count(name) > 1}))
        return dict(items)

    def refuse(constant: str) -> None:
        raise UserError(
            f"{constant} is not JSON; train the model again, one of its weights is not finite"
        )

    # Python's parser silently accepts duplicate keys, NaN and infinities; a file must have none.
    try:
        document = json.loads(_decoded(text), object_pairs_hook=pairs, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        yield Diagnostic("file", f"it is not JSON, so RTNeural throws: {error}")
        return
    for name in duplicates:
        yield Diagnostic(
            "file", f"key {name!r} occurs twice in one object; parsers differ in which they use"
        )
    if not isinstance(document, dict):
        yield Diagnostic(
            "file", f"expected an object, found {_shortened(document)}; RTNeural throws"
        )
        return
    yield from _check_document(document)


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:36]} ..."


def _check_document(document: dict[str, Any]) -> Iterator[Diagnostic]:
    if not KEYS & set(document) and any(
        key.endswith(STATE_DICT) or key in STATE_DICT for key in document
    ):
        yield Diagnostic(
            "file", "this is a dumped state_dict, at which RTNeural throws \"key 'in_shape' not "
            'found"; export the module itself',
        )  # fmt: skip
        return
    size, diagnostics = _input_size(document)
    yield from diagnostics
    for name in sorted(set(document) - KEYS):
        yield Diagnostic("file", f"RTNeural ignores the key {name!r}", fault=False)
    layers = document.get("layers")
    # Without a list of layers nothing else can be checked.
    if not isinstance(layers, list):
        value, effect = "no such key", "throws"
        if "layers" in document:
            value, effect = _shortened(layers), "loads no model"
        yield Diagnostic(
            "file", f"layers must be a list of layers, found {value}; RTNeural {effect}"
        )
        return
    if not layers:
        effect = "RTNeural makes a model whose forward is undefined"
        yield Diagnostic("file", f"layers is empty: {effect}; add a layer")
    inputs = LayerInput(size, "in_shape")
    for number, layer in enumerate(layers):
        inputs = yield from _check_layer(layer, number, inputs)


def _input_size(document: dict[str, Any]) -> tuple[int | None, list[Diagnostic]]:
    """Return the declared number of inputs, None if absent, and diagnostics."""
    if "in_shape" not in document:
        return None, [Diagnostic("file", "key 'in_shape' is missing; RTNeural throws")]
    shape = document["in_shape"]
    if not isinstance(shape, list) or not shape:
        message = f"in_shape must be a list like [null, null, 3], found {_shortened(shape)}"
        return None, [Diagnostic("file", f"{message}; RTNeural loads no model")]
    used = shape[2:] if len(shape) == 4 else shape[-1:]
    if not all(is_positive_integer(value) for value in used):
        read = "the product of its last two elements" if len(shape) == 4 else "its last element"
        message = f"in_shape is {_shortened(shape)}; {read} must be whole and at least 1"
        return None, [Diagnostic("file", f"{message}; RTNeural throws or runs with garbage")]
    return math.prod(used), []


def _check_layer(
    layer: Any, number: int, inputs: LayerInput
) -> Generator[Diagnostic, None, LayerInput]:
    """Yield diagnostics for a layer; return the inputs of the next layer."""
    location = f"layers[{number}]"
    if not isinstance(layer, dict):
        yield Diagnostic(
            location, f"expected an object, found {_shortened(layer)}; RTNeural throws"
        )
        return LayerInput(None, location)
    kind = layer.get("type")
    if not isinstance(kind, str):
        value = "no such key" if "type" not in layer else _shortened(kind)
        yield Diagnostic(location, f"type must be a string, found {value}; RTNeural throws")
        return LayerInput(None, location)
    location = f"{location} ({kind})"
    # The checks below need a known type, and lists of weights and sizes: return at the first fault.
    if kind not in LAYER_SCHEMAS:
        effect = "drops the layer and runs without it" if "weights" in layer else "throws"
        hint = f"; did you mean {kind.lower()!r}?" if kind.lower() in LAYER_SCHEMAS else ""
        yield Diagnostic(
            location,
            f"type {kind!r} is not one of {sorted(LAYER_SCHEMAS)}; RTNeural {effect}{hint}",
        )
        return inputs
    for key in ("weights", "shape"):
        if not isinstance(layer.get(key), list):
            value = "no such key" if key not in layer else _shortened(layer[key])
            yield Diagnostic(location, f"{key} must be a list, found {value}; RTNeural throws")
            return LayerInput(None, location)
    schema = LAYER_SCHEMAS[kind]
    size = yield from _output_size(layer["shape"], schema.planes, location)
    yield from _check_activation(layer, kind, location)
    for name in sorted(set(layer) - {"type", "weights", "shape", "activation", *schema.keys}):
        yield from _check_unknown_key(name, layer[name], location)
    for diagnostic in schema.check(layer, inputs, size):
        yield Diagnostic(location, diagnostic.message, diagnostic.fault)
    return LayerInput(size or None, location)


def _output_size(
    shape: list[Any], planes: bool | None, location: str
) -> Generator[Diagnostic, None, int | None]:
    """Yield diagnostics for a shape; return its number of outputs, or None."""
    has_planes = len(shape) == 4
    used = shape[2:] if has_planes else shape[-1:]
    if not used or not all(is_positive_integer(value) for value in used):
        message = f"shape is {_shortened(shape)}; it must end in a whole number of at least 1"
        yield Diagnostic(location, f"{message}; RTNeural throws or runs with garbage")
        return None
    if has_planes and planes is False:
        yield Diagnostic(
            location, f"shape {_shortened(shape)} has four elements, of which RTNeural takes "
            f"{shape[2]} x {shape[3]} as the number of outputs; write three",
        )  # fmt: skip
    if planes and not has_planes:
        message = f"shape {_shortened(shape)} must be [null, null, features, channels]"
        yield Diagnostic(location, f"{message}; RTNeural loads no model or a wrong one")
    return int(math.prod(used))


def _check_activation(layer: dict[str, Any], kind: str, location: str) -> Iterator[Diagnostic]:
    schema, value = LAYER_SCHEMAS[kind], layer.get("activation", "")
    if kind == "activation" and not value:
        yield Diagnostic(location, "it has no activation; RTNeural drops the layer")
    elif not isinstance(value, str):
        yield Diagnostic(
            location, f"activation must be a string, found {_shortened(value)}; RTNeural throws"
        )
    elif not schema.activated and value:
        # Keras writes tanh on recurrent layers, and RTNeural computes tanh there.
        is_note = kind in ("lstm", "gru") and value == "tanh"
        message = f"RTNeural ignores the activation {value!r} of this type"
        advice = "" if is_note else "; write it as a separate layer"
        yield Diagnostic(location, f"{message}{advice}", not is_note)
    elif schema.activated and value and value not in ACTIVATIONS:
        hint = f"; did you mean {value.lower()!r}?" if value.lower() in ACTIVATIONS else ""
        message = f"activation {value!r} is not one of {sorted(ACTIVATIONS)}"
        yield Diagnostic(location, f"{message}; RTNeural crashes on it without an exception{hint}")


def _check_unknown_key(name: str, value: Any, location: str) -> Iterator[Diagnostic]:
    """Yield a fault for an ignored key if it would change the result, else a note."""
    harmless = {"stride": 1, "strides": 1, "padding": "causal", "padding_mode": "zeros"}
    number = value[-1] if isinstance(value, list) and value else value
    if name in harmless and number != harmless[name]:
        message = f"RTNeural ignores {name} {_shortened(value)} and computes {harmless[name]!r}"
        yield Diagnostic(location, f"{message}; the file is not the trained model")
    else:
        yield Diagnostic(location, f"RTNeural ignores the key {name!r}", fault=False)
