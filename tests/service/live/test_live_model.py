"""A real model and a real detector of endpoints give the same phones through a socket."""

from __future__ import annotations

import json
import random

import pytest
from clip_maker import noise
from live_server import EngineWorkers, pcm16, running_live_server
from live_talk import committed, directly, split, talk
from stream_model_maker import stream_model

from fonoteka.streaming.open_engine import open_engine

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stream_model(tmp_path_factory) / "step"


def test_a_model_gives_the_same_phones_directly_and_for_any_split(folder):
    def engine():
        return open_engine(str(folder))

    data = pcm16(noise(1.5))
    expected = directly(noise(1.5), engine())
    assert len(expected) > 1
    draw = random.Random(0)
    with running_live_server(EngineWorkers(engine), folder=folder) as server:
        for pieces in (0, 3, 50):
            cuts = [draw.randrange(len(data)) for _ in range(pieces)]
            messages, _ = talk(server, split(data, cuts))
            assert symbols(committed(messages)) == symbols(expected), json.dumps(cuts)


def symbols(phones):
    return [symbol for symbol, *_ in phones]
