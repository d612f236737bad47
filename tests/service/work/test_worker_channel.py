"""The worker's end of its socket: messages that have come, and no wait for others."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

import pytest

from fonoteka.service.interfaces import ModelKind, ModelVersion
from fonoteka.service.work.framing import frame
from fonoteka.service.work.messages import Unload
from fonoteka.service.work.worker_process import Channel

MESSAGE = Unload(ModelVersion("toy", "1", ModelKind.PHONES, Path("toy")))
BEYOND_SELECT = 1500  # select(2) takes numbers below 1024


@pytest.fixture
def ends():
    service, worker = socket.socketpair()
    with service, worker:
        yield service, worker


def test_what_has_come_is_returned_and_nothing_is_waited_for(ends):
    service, worker = ends
    channel = Channel(worker)
    assert [*channel.receive(wait=False)] == []
    service.sendall(frame(MESSAGE) + frame(MESSAGE))
    assert [*channel.receive(wait=True)] == [MESSAGE, MESSAGE]
    assert [*channel.receive(wait=False)] == []
    service.close()
    with pytest.raises(EOFError):
        list(channel.receive(wait=False))


def test_the_socket_of_a_service_with_many_connections_has_any_number(ends):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] <= BEYOND_SELECT:
        pytest.skip(f"this process may open fewer than {BEYOND_SELECT} files")
    service, worker = ends
    with socket.socket(fileno=os.dup2(worker.fileno(), BEYOND_SELECT)) as high:
        channel = Channel(high)
        service.sendall(frame(MESSAGE))
        assert [*channel.receive(wait=False)] == [MESSAGE]
