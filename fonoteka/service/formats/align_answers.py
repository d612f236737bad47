"""The answers to an alignment, in the formats of `fonoteka.alignment.formats`."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from starlette.responses import Response

from fonoteka.alignment.aligned_text import broken_into_lines
from fonoteka.alignment.formats.writers import FORMATS, render
from fonoteka.core.errors import UserError
from fonoteka.service.api_errors import ApiError
from fonoteka.service.formats.aligned import aligned_text
from fonoteka.service.interfaces import ModelVersion
from fonoteka.service.recordings import RecordingResult, version_headers

JSON = "json"
MEDIA_TYPES = dict.fromkeys(FORMATS, "text/plain") | {
    JSON: "application/json", "srt": "application/x-subrip", "vtt": "text/vtt",
    "ass": "text/x-ssa",
}  # fmt: skip


def align_response(
    result: RecordingResult, model: ModelVersion, format_name: str, file_name: str
) -> Response:
    """Return the response in a format; its headers name the model, and why the result is doubtful.

    Lines of the text stay lines. A text of one line is broken at pauses and after 42 letters, as
    by `fonoteka align`.

    Args:
        result: of an `AlignJob`.
        model: that computed it.
        format_name: a key of `FORMATS`.
        file_name: that the client gave, which CTM and ASS contain.

    Raises:
        ApiError: 400, the format cannot contain the result.
    """
    finished = result.finished
    text = aligned_text(result.segments, finished.language, finished.usage.audio_s, model.name)
    if len(text.lines) == 1:
        text = broken_into_lines(text)
    try:
        content = render(text, format_name, recording_name(file_name))
    except UserError as error:
        raise ApiError(400, str(error), "unanswerable", "format") from error
    headers = version_headers(model, finished.doubt)
    if format_name == JSON:
        additions = {"model_version": model.version, "doubt": finished.doubt}
        content = json.dumps(json.loads(content) | additions, ensure_ascii=False)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[format_name])


def recording_name(file_name: str) -> str:
    r"""Return the name of a recording for the text of a format; it is not used as a path.

    >>> recording_name("../a/clip.wav"), recording_name("c:\\x\\song.mp3"), recording_name("")
    ('clip', 'song', 'recording')
    """
    return PurePosixPath(file_name.replace("\\", "/")).stem or "recording"
