"""Every logger of the process writes JSON lines, and no text can break one."""

from __future__ import annotations

import io
import json
import logging
import warnings

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from telemetry_app import json_logs

from fonoteka.service.telemetry.json_log import JsonFormatter, mark_as_logged


def formatted(**options) -> dict:
    record = logging.makeLogRecord({"levelname": "WARNING", "created": 0.25, **options})
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    return json.loads(line)


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_no_message_can_break_a_line(text):
    assert formatted(msg="%s", args=(text,))["message"] == text
    assert formatted(msg="e", fields={"text": text})["text"] == text


def test_a_message_has_time_level_and_logger():
    assert formatted(name="uvicorn.error", msg="listening on %d", args=(80,)) == {
        "time": "1970-01-01T00:00:00.250Z", "level": "warning", "event": "message",
        "logger": "uvicorn.error", "message": "listening on 80",
    }  # fmt: skip


def test_an_event_has_its_fields_alone():
    line = formatted(msg="request", fields={"status": 200, "seconds": float("inf")})
    assert [*line] == ["time", "level", "event", "status", "seconds"]
    assert line["seconds"] == "inf"


def test_a_traceback_is_in_the_line():
    with pytest.raises(ValueError, match="second") as raised:
        int("first\nsecond")
    line = formatted(msg="failed", exc_info=raised._excinfo)
    assert line["exception"].endswith(
        "ValueError: invalid literal for int() with base 10: 'first\\nsecond'"
    )
    assert line["exception"].startswith("Traceback (most recent call last):")


@pytest.mark.parametrize(("msg", "args"), [("%d files", ("two",)), ("%s", ()), (b"%s %s", (1,))])
def test_a_message_that_does_not_fit_its_arguments_is_not_lost(msg, args):
    assert str(msg) in formatted(msg=msg, args=args)["message"]


def test_loggers_of_uvicorn_libraries_and_warnings_write_the_same_lines():
    with json_logs() as stream:
        logging.getLogger("uvicorn.error").info("up")
        logging.getLogger("any.library").warning("odd")
        logging.getLogger("any.library").debug("detail")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", stacklevel=1)
        lines = stream.rest()
    assert [line["logger"] for line in lines] == ["uvicorn.error", "any.library", "py.warnings"]


def test_uvicorn_leaves_the_loggers_and_writes_no_access_lines():
    with json_logs() as stream:
        uvicorn.Config("none:app", log_config=None)
        assert not logging.getLogger("uvicorn.access").hasHandlers()
        logging.getLogger("uvicorn.error").error("shown")
        assert stream.next()["message"] == "shown"


def test_uvicorn_does_not_repeat_a_logged_exception_and_writes_no_raw_path():
    error = RuntimeError("x")
    with json_logs() as stream:
        uvicorn_log = logging.getLogger("uvicorn.error")
        uvicorn_log.error("Exception in ASGI application\n", exc_info=error)
        assert stream.next()["exception"] == "RuntimeError: x"
        mark_as_logged(error)
        uvicorn_log.error("Exception in ASGI application\n", exc_info=error)
        uvicorn_log.info('%s - "WebSocket %s" [accepted]', "1.2.3.4", "/ws/secret")
        uvicorn_log.info("connection open")
        logging.getLogger("other").error("mine", exc_info=error)
        assert [line["logger"] for line in stream.rest()] == ["other"]


def test_a_stream_that_fails_does_not_fail_the_service(capsys):
    class Full(io.TextIOBase):
        def write(self, text):
            raise OSError(28, "No space left on device")

    with json_logs():
        logging.getLogger().handlers[0].setStream(Full())
        logging.getLogger("fonoteka").error("lost")
    assert "No space left on device" in capsys.readouterr().err
