"""The whole pipeline on the small profile goes to a folder and comes back, as a colleague does it.

The tests are those of test_remotes.py, where five kinds of servers hold a smaller repository. Here
each command is a process.
"""

import pytest
import servers
from clones import committed
from dvc_yaml import pipeline
from test_remotes import (  # noqa: F401 - tests of the `story` of this module
    Story,
    published,
    test_a_colleague_gets_all_with_the_run_cache_and_runs_nothing,
    test_all_is_sent_once,
    test_one_data_set_comes_alone_and_the_rest_without_the_run_cache,
    test_one_file_and_one_model_come_at_a_tag_without_the_rest,
    test_what_is_committed_holds_no_secret,
)

pytestmark = pytest.mark.pipeline


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folder")
    publisher = committed(tmp_path_factory, folder / "fonoteka")
    with servers.folder(folder) as server:
        output = published(publisher, server, folder)
        stages = len(pipeline())
        yield Story(publisher, server, output, folder, range(101, 10_000), range(10, 100), stages)
