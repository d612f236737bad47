"""What hadolint does not check in the Dockerfiles: who owns what, what runs, what is in the image.

A rule is a function of the text of a Dockerfile that returns its problems, one sentence each.
"""

from __future__ import annotations

import re

from dockerfile_steps import BuildStage, global_arguments, stages

LABELS = ("title", "description", "licenses", "revision", "version", "source")
COMPILERS = r"\b(?:gcc|g\+\+|cc|clang|build-essential|python3-dev|cargo|rustc|cmake)\b"
CODE = ("/opt/venv", "/opt/fonoteka")


def pinned_base(text: str) -> list[str]:
    """Each stage starts from ARG BASE, whose default has a tag or a digest and is not `latest`."""
    base = global_arguments(text).get("BASE", "")
    problems = [
        f"stage {number} starts from {stage.base}; expected ${{BASE}}"
        for number, stage in enumerate(stages(text), 1)
        if stage.base != "${BASE}"
    ]
    if not re.fullmatch(r"[a-z0-9./_-]+:(?!latest\b)[\w.-]+(?:@sha256:[0-9a-f]{64})?", base):
        problems.append(f"ARG BASE is {base!r}; expected NAME:TAG, with a digest or without")
    return problems


def unprivileged_user(text: str) -> list[str]:
    """The image runs as a numeric user that is not 0, which Kubernetes can check."""
    users = [step.value for step in _final(text).named("USER")]
    last = users[-1] if users else "missing"
    return [] if re.fullmatch(r"[1-9]\d*:[1-9]\d*", last) else [f"USER is {last}"]


def owned_copies(text: str) -> list[str]:
    """What is copied into the image belongs to root, so that a process cannot change its code."""
    return [
        f"line {step.line}: COPY without --chown=root:root"
        for step in _final(text).named("COPY")
        if step.flags.get("chown") != "root:root"
    ]


def no_download_by_add(text: str) -> list[str]:
    """Nothing is added from an address, whose content no hash pins; COPY is for files."""
    return [f"line {step.line}: ADD" for stage in stages(text) for step in stage.named("ADD")]


def small_apt_layers(text: str) -> list[str]:
    """A layer with apt installs no recommended packages and removes apt's lists itself."""
    problems = []
    for stage in stages(text):
        for step in stage.named("RUN"):
            if "apt-get install" in step.value or "apt install" in step.value:
                if "--no-install-recommends" not in step.value:
                    problems.append(f"line {step.line}: apt without --no-install-recommends")
                if "rm -rf /var/lib/apt/lists/*" not in step.value:
                    problems.append(f"line {step.line}: apt's lists stay in the layer")
    return problems


def small_pip_layers(text: str) -> list[str]:
    """pip keeps no cache, and installs what a lock file pins."""
    problems = []
    for stage in stages(text):
        for step in stage.named("RUN"):
            if re.search(r"\bpip install\b", step.value):
                if "--no-cache-dir" not in step.value:
                    problems.append(f"line {step.line}: pip keeps its cache in the layer")
                if not re.search(r"--requirement \S+\.lock\b", step.value):
                    problems.append(f"line {step.line}: pip installs what no lock file pins")
    return problems


def nothing_built_in_the_image(text: str) -> list[str]:
    """The image has no compiler and installs nothing by pip: it copies what was built before."""
    return [
        f"line {step.line}: {match[0]} in the image"
        for step in _final(text).named("RUN")
        if (match := re.search(COMPILERS + r"|\bpip\d* install\b", step.value))
    ]


def exec_form(text: str) -> list[str]:
    """ENTRYPOINT and CMD are lists: a shell as process 1 would keep SIGTERM from the program."""
    final = _final(text)
    problems = [
        f"line {step.line}: {step.name} is not a list"
        for step in [*final.named("ENTRYPOINT"), *final.named("CMD")]
        if not step.value.startswith("[")
    ]
    if not final.named("ENTRYPOINT"):
        problems.append("ENTRYPOINT is missing")
    if [step.value for step in final.named("STOPSIGNAL")] != ["SIGTERM"]:
        problems.append("STOPSIGNAL is not SIGTERM")
    return problems


def stated_health(text: str) -> list[str]:
    """HEALTHCHECK is a list, or NONE for a container that ends by itself."""
    checks = [step.value for step in _final(text).named("HEALTHCHECK")]
    stated = len(checks) == 1 and (checks[0] == "NONE" or "CMD [" in checks[0])
    return [] if stated else [f"HEALTHCHECK is {checks or 'missing'}"]


def labelled(text: str) -> list[str]:
    """The labels of the Open Container Initiative name the image, its code and its licence."""
    written = " ".join(step.value for step in _final(text).named("LABEL"))
    return [
        f"label {name} is missing"
        for name in LABELS
        if not re.search(rf'org\.opencontainers\.image\.{name}="[^"]+"', written)
    ]


def no_address(text: str) -> list[str]:
    """No address is written: those of package indexes are build arguments without defaults."""
    body = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    problems = [f"address {match}" for match in re.findall(r"https?://\S+", body)]
    final = _final(text)
    problems += [
        f"line {step.line}: {step.value} in the image, whose history keeps its value"
        for step in final.named("ARG")
        if step.value.startswith("PIP_")
    ]
    return problems


RULES = (
    pinned_base, unprivileged_user, owned_copies, no_download_by_add, small_apt_layers,
    small_pip_layers, nothing_built_in_the_image, exec_form, stated_health, labelled, no_address,
)  # fmt: skip


def _final(text: str) -> BuildStage:
    return stages(text)[-1]
