"""The text fields of a form or a query, each read once with its type checked."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from reprlib import repr as short_repr

from fonoteka.core.errors import UserError
from fonoteka.phones import LANGUAGES
from fonoteka.scripts import SCRIPTS, check_script
from fonoteka.service.api_errors import ApiError

AUTO = "auto"
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


def invalid(param: str, message: str) -> ApiError:
    """Return the error of a field whose value cannot be used."""
    return ApiError(400, message, "invalid_value", param)


def missing(param: str, purpose: str) -> ApiError:
    """Return the error of a field that is needed."""
    return ApiError(400, f"the field {param} is missing; it {purpose}", "missing_field", param)


class FormFields:
    """The text fields of a request.

    Raises:
        ApiError: 400, a field is unknown: without this a misspelt option would have no effect.
    """

    def __init__(self, fields: Mapping[str, Sequence[str]], names: Collection[str]) -> None:
        for name in fields:
            if name not in names:
                raise ApiError(
                    400, f"the field {short_repr(name)} is unknown; expected {', '.join(names)}",
                    "unknown_field", name,
                )  # fmt: skip
        self._fields = fields

    def many(self, name: str, choices: Collection[str]) -> tuple[str, ...]:
        """Return all values of a field, each of which must be one of the choices."""
        values = tuple(self._fields.get(name, ()))
        for value in values:
            _check_choice(name, value, choices)
        return values

    def text(self, name: str) -> str | None:
        """Return the value of a field; None if it is missing.

        Raises:
            ApiError: 400, it has several values.
        """
        values = self._fields.get(name, ())
        if len(values) > 1:
            raise invalid(name, f"the field {name} occurs {len(values)} times; send it once")
        return values[0] if values else None

    def filled(self, name: str) -> str | None:
        """Return the value of a field, which must not be blank; None if it is missing."""
        value = self.text(name)
        if value is not None and not value.strip():
            raise invalid(name, f"the field {name} is blank; fill it in or leave it out")
        return value

    def required(self, name: str, purpose: str) -> str:
        """Return the value of a field that must have one."""
        value = self.filled(name)
        if value is None:
            raise missing(name, purpose)
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return the value of a field, which must be one of the choices."""
        value = self.text(name)
        if value is None:
            return default
        _check_choice(name, value, choices)
        return value

    def flag(self, name: str) -> bool:
        """Return the value of a field that is true or false; false if it is missing."""
        return _FLAGS[self.choice(name, _FLAGS, "false")]

    def number(self, name: str) -> float | None:
        """Return the value of a field that is a finite number."""
        value = self.text(name)
        if value is None:
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise invalid(name, f"{name} is {short_repr(value)}; expected a number")
        return number

    def language(self) -> str:
        """Return the language: a code, or `auto`."""
        return self.choice("language", (AUTO, *LANGUAGES), AUTO)

    def script(self, language: str) -> str | None:
        """Return the script; None for the one that the model writes.

        Raises:
            ApiError: 400, it is unknown, or the language is not written in it.
        """
        script = self.choice("script", SCRIPTS, "") or None
        try:
            check_script(None if language == AUTO else language, script)
        except UserError as error:
            raise invalid(
                "script",
                f"language {language} is not written in script {script} here; leave out script, "
                "or send language sr or bs",
            ) from error
        return script


def _check_choice(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise invalid(
            name, f"{name} is {short_repr(value)}; expected one of {', '.join(sorted(choices))}"
        )
