"""Replace values in a YAML document without changing its comments and layout.

ruamel.yaml attaches a comment to the value before it. If that value is a block that is replaced,
the comments below it would be lost, so they are moved to the new value.
"""

from __future__ import annotations

import io
import json
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

AFTER_VALUE = 2  # ruamel's index of a comment after the value of a key
AFTER_ITEM = 0  # and after an item of a list
NEVER_WRAP = 10_000

_INDENTS = ({"mapping": 2, "sequence": 2, "offset": 0}, {"mapping": 2, "sequence": 4, "offset": 2})


def editor(text: str = "") -> YAML:
    """Return a YAML reader and writer with the indentation of `text`, or the default one."""
    for indents in _INDENTS:
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = NEVER_WRAP
        yaml.indent(**indents)
        yaml.representer.add_representer(type(None), _null)
        out = io.StringIO()
        try:
            yaml.dump(yaml.load(text), out)
        except YAMLError:  # the next reader raises it with the name of the file
            break
        if out.getvalue() == text:
            return yaml
    return yaml


def _null(representer: Any, _value: None) -> Any:
    return representer.represent_scalar(
        "tag:yaml.org,2002:null", "null"
    )  # ruamel's default is nothing


def same(old: Any, new: Any) -> bool:
    """Return whether two values are the same to a reader of the file; 1 and 1.0 are not.

    >>> same({"a": 1}, {"a": 1}), same(1, True)
    (True, False)
    """
    return json.dumps(old, default=str) == json.dumps(new, default=str)


def put(holder: CommentedMap, key: str, new: Any) -> None:
    """Set `holder[key]` to `new` and keep the comments after the old value.

    A list or mapping takes the style of what it replaces: a block for a block, else `[a, b]`.
    """
    old = holder[key]
    tail = _take_tail(old) if _is_block(old) else None
    value = _bare(new)
    block = _is_block(old) and isinstance(value, CommentedMap | CommentedSeq) and bool(value)
    if isinstance(value, CommentedMap | CommentedSeq) and not block:
        value.fa.set_flow_style()
    holder[key] = value
    if tail is None:
        return
    if block:
        _append_comment(value, tail)
    else:
        holder.ca.items.setdefault(key, [None] * 4)[AFTER_VALUE] = tail


def _is_block(value: Any) -> bool:
    return (
        isinstance(value, CommentedMap | CommentedSeq) and bool(value) and not value.fa.flow_style()
    )


def _last(node: Any) -> tuple[Any, int, Any]:
    """Return a node's last key, the index of the comment after it, and its last value."""
    if isinstance(node, CommentedMap):
        key = next(reversed(node))
        return key, AFTER_VALUE, node[key]
    return len(node) - 1, AFTER_ITEM, node[-1]


def _take_tail(node: Any) -> Any:
    """Remove the comment after the last value in a block and return it, or None."""
    key, place, value = _last(node)
    if _is_block(value):
        return _take_tail(value)
    comments = node.ca.items.get(key)
    if not comments or len(comments) <= place:
        return None
    tail, comments[place] = comments[place], None
    return tail


def _append_comment(node: Any, tail: Any) -> None:
    key, place, _ = _last(node)
    node.ca.items.setdefault(key, [None] * 4)[place] = tail


def _bare(value: Any) -> Any:
    """Return a copy without comments, its inner lists and mappings in one line each."""
    if isinstance(value, CommentedMap):
        copy: Any = CommentedMap((key, _bare(item)) for key, item in value.items())
        inner = list(copy.values())
    elif isinstance(value, CommentedSeq):
        copy = CommentedSeq(_bare(item) for item in value)
        inner = list(copy)
    else:
        return value
    for item in inner:
        if isinstance(item, CommentedMap | CommentedSeq):
            item.fa.set_flow_style()
    return copy
