"""What compose.yaml promises of each service; a rule returns its problems, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LIMITS = ("mem_limit", "pids_limit", "cpus")


def problems_of(compose: dict[str, Any]) -> list[str]:
    """Return the problems of a compose file: parsed, with its anchors merged."""
    return [
        f"{name}: {problem}"
        for name, service in compose["services"].items()
        for problem in (*_confined(service), *_mounts(service), *_exposed(service))
    ]


def _confined(service: dict[str, Any]) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its root can be written"
    if service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        yield "it has capabilities"
    if "no-new-privileges:true" not in service.get("security_opt", []):
        yield "its programs can gain privileges"
    if service.get("privileged") or service.get("network_mode") == "host":
        yield "it is not separated from the host"
    if str(service.get("user", "1000")).startswith(("0", "root")):
        yield "it runs as root"
    if not any(
        entry.startswith("/tmp:") and "size=" in entry for entry in service.get("tmpfs", [])
    ):
        yield "/tmp is without a tmpfs of a stated size"
    yield from (f"no {limit}" for limit in LIMITS if limit not in service)
    if not service.get("profiles"):
        yield "it is in no profile"
    if ":latest" in service.get("image", ":latest"):
        yield "its image has no tag of its own"


def _mounts(service: dict[str, Any]) -> Iterator[str]:
    for mount in service.get("volumes", []):
        text = mount if isinstance(mount, str) else str(mount.get("source", ""))
        if "docker.sock" in text or text.startswith(("/", "~")):
            yield f"it mounts {text} of the host"
        if text.startswith("./") and not text.endswith(":ro"):
            yield f"it can write {text}"


def _exposed(service: dict[str, Any]) -> Iterator[str]:
    for port in service.get("ports", []):
        if not str(port).startswith("127.0.0.1:"):
            yield f"port {port} is open to other machines, without TLS"
