"""The cost of a shard besides its work."""

import json

import pytest
from toy_task import noted, write_params

from fonoteka.bench.scale import hand_over
from fonoteka.core.errors import UserError


def test_times_of_each_executor_are_printed_and_leave_nothing(capsys, tmp_path):
    write_params("dask")
    before = {path.name for path in tmp_path.iterdir()}
    hand_over.run(["serial", "processes"], shards=20)
    times = json.loads(capsys.readouterr().out)
    assert [*times] == ["serial", "processes"]
    for executor in times.values():
        # The target is 20 ms on an idle machine; ten times that on one that runs other tests.
        assert 0 < executor["shard_ms"] < 200
        assert executor["first_s"] > 0
    assert {path.name for path in tmp_path.iterdir()} == before
    assert not noted("calls")


def test_a_single_shard_cannot_be_measured():
    with pytest.raises(UserError, match="--shards: expected 2 or more, got 1"):
        hand_over.run(["serial"], shards=1)
