"""What `fonoteka client` is asked for, and the address and key of the service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

from fonoteka.core.errors import UserError

DEFAULT_URL = "http://127.0.0.1:8080"
SUFFIXES = {
    "json": ".json", "text": ".txt", "srt": ".srt", "vtt": ".vtt", "verbose_json": ".json"
}  # fmt: skip
"""The end of a result's name by its format."""

ALIGNED_FORMATS = ("json", "srt", "vtt")
LIVE_FORMATS = ("json", "text")


@dataclass(frozen=True)
class ClientRequest:
    """What is sent, and where results go.

    Attributes:
        paths: recordings and folders of recordings.
        live: a recording that is streamed as if it were spoken now.
        microphone: whether the microphone is streamed.
        align: a file with the text of the one recording; None to recognise.
        url: of the service.
        key_file: its first line is a key; None for a service without keys.
        model: None for the default of the service.
        format: a key of `SUFFIXES`; None for json, or for a stream what suits the output.
        language: code, or None to let the service find it.
        script: `latin`, `cyrillic`, or None for the one that the model writes.
        out: folder of the results; None for beside the recordings.
        timeout_s: longest wait for an answer.
        device: of the microphone; None for the default of the system.
    """

    paths: tuple[Path, ...] = ()
    live: Path | None = None
    microphone: bool = False
    align: Path | None = None
    url: str = DEFAULT_URL
    key_file: Path | None = None
    model: str | None = None
    format: str | None = None
    language: str | None = None
    script: str | None = None
    out: Path | None = None
    timeout_s: float = 3600.0
    device: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether a stream is sent."""
        return self.live is not None or self.microphone


def check_request(request: ClientRequest) -> None:
    """Refuse a request whose parts do not fit each other.

    Raises:
        UserError: it says which.
    """
    if bool(request.paths) + (request.live is not None) + request.microphone != 1:
        raise UserError("name recordings or folders, or one of --live FILE and --mic")
    allowed = tuple(SUFFIXES)
    if request.is_live:
        allowed = LIVE_FORMATS
        if request.align or request.out or request.language or request.script:
            raise UserError(
                "a stream of phones has no --align, --out, --language or --script; leave them out"
            )
    elif request.align:
        allowed = ALIGNED_FORMATS
        if len(request.paths) != 1 or request.paths[0].is_dir():
            raise UserError("--align needs one recording, because its text is that of one")
    if request.format and request.format not in allowed:
        raise UserError(f"--format {request.format}: expected {', '.join(allowed)}")


def read_key(path: Path | None) -> str | None:
    """Return the first line of a key file.

    Raises:
        UserError: the file is missing or empty, or its first line cannot be a key.
    """
    if path is None:
        return None
    if not path.is_file():
        raise UserError(f"{path}: no such file; write a key into it")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    key = lines[0].strip() if lines else ""
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"{path}: its first line is not a key; expected one word of ASCII letters")
    return key


def headers_of(key: str | None) -> dict[str, str]:
    """Return the headers that present a key."""
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def base_url(url: str) -> str:
    """Return an address without a slash at its end.

    Raises:
        UserError: it is not one of a service.

    >>> base_url("http://localhost:8080/")
    'http://localhost:8080'
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UserError(f"--url {url}: expected an address as {DEFAULT_URL}")
    return url.rstrip("/")


def stream_url(url: str, **query: object) -> str:
    """Return the address of a live stream.

    >>> stream_url("https://localhost/api", model="streaming")
    'wss://localhost/api/v1/stream?model=streaming'
    """
    parts = urlsplit(base_url(url))
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, f"{parts.path}/v1/stream", urlencode(query), ""))
