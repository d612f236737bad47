"""Read a Dockerfile as a list of instructions, as far as the project's own need it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        line: of its first word, from 1 on.
        name: in capitals, such as RUN.
        value: the rest, with continued lines joined by a space.
    """

    line: int
    name: str
    value: str

    @property
    def flags(self) -> dict[str, str]:
        """Options before the arguments, such as `{"from": "build"}` of `COPY --from=build`."""
        return dict(re.findall(r"(?:(?<=\s)|^)--([a-z-]+)=(\S+)", self.value))

    @property
    def words(self) -> list[str]:
        """The arguments: of an exec form its list, else words without the options."""
        if (text := self.value.partition("CMD ")[2] or self.value).lstrip().startswith("["):
            return json.loads(text)
        return [word for word in self.value.split() if not word.startswith("--")]


@dataclass
class BuildStage:
    """The instructions from one FROM to the next.

    Attributes:
        base: as it is written, for example `${BASE}`.
        name: after AS, or nothing.
        steps: below FROM.
    """

    base: str
    name: str
    steps: list[Instruction] = field(default_factory=list)

    def named(self, name: str) -> list[Instruction]:
        """Return the instructions of one kind."""
        return [step for step in self.steps if step.name == name]


def instructions(text: str) -> list[Instruction]:
    """Return the instructions of a Dockerfile.

    Args:
        text: without heredocs; comments between continued lines are dropped, as docker does.
    """
    steps: list[Instruction] = []
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        start = start if parts else number
        parts.append(line.strip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            name, _, value = " ".join(parts).partition(" ")
            steps.append(Instruction(start, name.upper(), value.strip()))
            parts = []
    return steps


def global_arguments(text: str) -> dict[str, str]:
    """Return the arguments that are declared before the first FROM, with their defaults."""
    values: dict[str, str] = {}
    for step in instructions(text):
        if step.name == "FROM":
            break
        name, _, value = step.value.partition("=")
        values[name] = value
    return values


def stages(text: str) -> list[BuildStage]:
    """Return the build stages of a Dockerfile in their order; the last one is the image."""
    build_stages: list[BuildStage] = []
    for step in instructions(text):
        if step.name == "FROM":
            base, _, name = re.sub(r" as ", " AS ", step.value, flags=re.I).partition(" AS ")
            build_stages.append(BuildStage(base, name))
        elif build_stages:
            build_stages[-1].steps.append(step)
    return build_stages
