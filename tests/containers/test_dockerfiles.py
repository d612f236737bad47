"""The Dockerfiles follow the rules of hadolint and those of `image_rules`."""

from __future__ import annotations

import json
import re
import subprocess

import image_rules
import pytest
from dockerfile_steps import instructions, stages
from dvc_yaml import TOP
from image_rules import RULES

FILES = ("Dockerfile", "Dockerfile.train")
GOOD = (TOP / "Dockerfile").read_text(encoding="utf-8")

# Each rule, with a change of the Dockerfile that it must notice.
SPOILT = [
    (image_rules.pinned_base, "3.11-slim-bookworm\n", "latest\n"),
    (image_rules.pinned_base, "=python:3.11-slim-bookworm\n", "=python\n"),
    (image_rules.pinned_base, "FROM ${BASE}\n#", "FROM debian:stable\n#"),
    (image_rules.unprivileged_user, "USER 1000:1000", "USER 0:0"),
    (image_rules.unprivileged_user, "USER 1000:1000", "USER 1000:1000\nUSER root"),
    (image_rules.unprivileged_user, "USER 1000:1000\n", ""),
    (image_rules.owned_copies, "--chown=root:root ", ""),
    (image_rules.owned_copies, "--chown=root:root", "--chown=1000:1000"),
    (image_rules.no_download_by_add, "COPY fonoteka", "ADD https://example.org/fonoteka.tar"),
    (image_rules.small_apt_layers, "--no-install-recommends ", ""),
    (image_rules.small_apt_layers, " \\\n    && rm -rf /var/lib/apt/lists/*", ""),
    (image_rules.small_pip_layers, "--no-cache-dir ", ""),
    (image_rules.small_pip_layers, "--requirement requirements-serve.lock", "fastapi uvicorn"),
    (image_rules.nothing_built_in_the_image, "${SYSTEM_PACKAGES}", "gcc ${SYSTEM_PACKAGES}"),
    (image_rules.nothing_built_in_the_image, "mkdir -p", "pip install torch && mkdir -p"),
    (image_rules.exec_form, 'ENTRYPOINT ["python", "-m", "fonoteka', "ENTRYPOINT python -m x #"),
    (image_rules.exec_form, "STOPSIGNAL SIGTERM", "STOPSIGNAL SIGKILL"),
    (image_rules.exec_form, re.search(r"ENTRYPOINT.*\n", GOOD)[0], ""),
    (image_rules.stated_health, 'CMD ["python", "-m", "fonoteka.images.health', "CMD curl #"),
    (image_rules.stated_health, re.search(r"HEALTHCHECK.*\\\n.*\n", GOOD)[0], ""),
    (image_rules.labelled, 'image.licenses="Apache-2.0"', 'image.vendor="x"'),
    (image_rules.no_address, "ARG PIP_INDEX_URL", "ARG PIP_INDEX_URL=https://example.org/simple"),
    (image_rules.no_address, "ARG REVISION=unknown", "ARG PIP_INDEX_URL"),
]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_dockerfile_follows_the_rule(name, rule):
    assert rule((TOP / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(("rule", "part", "spoilt"), SPOILT)
def test_a_rule_notices_what_it_is_for(rule, part, spoilt):
    assert part in GOOD
    assert rule(GOOD.replace(part, spoilt))


def test_each_rule_has_a_change_that_it_notices():
    assert {rule for rule, _, _ in SPOILT} == {*RULES}


def hadolint(*paths):
    command = ["hadolint", "--format", "json", "--config", str(TOP / ".hadolint.yaml")]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True)
    return done.returncode, [(each["line"], each["code"]) for each in json.loads(done.stdout)]


def test_hadolint_accepts_the_dockerfiles():
    assert hadolint(*(TOP / name for name in FILES)) == (0, [])


def test_hadolint_refuses_a_spoilt_dockerfile(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text(GOOD.replace("WORKDIR /project", "WORKDIR project"), encoding="utf-8")
    code, problems = hadolint(path)
    assert code == 1
    assert [name for _, name in problems] == ["DL3000"]


def test_a_continued_instruction_is_one_with_its_first_line():
    text = 'FROM a AS b\n# comment\nRUN one \\\n    # between\n    && two\nCMD ["x", "y"]\n'
    lines = [(step.line, step.name, step.value) for step in instructions(text)]
    assert lines == [(1, "FROM", "a AS b"), (3, "RUN", "one && two"), (6, "CMD", '["x", "y"]')]
    assert stages(text)[0].steps[-1].words == ["x", "y"]


def test_what_the_images_start_exists_and_the_health_check_reads_the_port_that_is_set():
    serve, train = (stages((TOP / name).read_text(encoding="utf-8"))[-1] for name in FILES)
    (entry,), (check,) = serve.named("ENTRYPOINT"), serve.named("HEALTHCHECK")
    for words in (entry.words, check.words):
        assert words[:2] == ["python", "-m"]
        assert (TOP / words[2].replace(".", "/")).with_suffix(".py").is_file()
    assert "FONOTEKA_PORT=8080" in serve.named("ENV")[0].value
    assert serve.named("EXPOSE")[0].value == "8080"
    copied = [step.words for step in stages((TOP / FILES[1]).read_text())[0].named("COPY")]
    script = train.named("ENTRYPOINT")[0].words[1]
    assert any(words[0].endswith(script.rpartition("/")[2]) for words in copied)
