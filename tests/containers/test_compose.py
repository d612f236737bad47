"""compose.yaml confines its services, and agrees with the images and the service."""

from __future__ import annotations

import copy
import re

import image_smoke
import pytest
import yaml
from compose_rules import problems_of
from dockerfile_steps import stages
from dvc_yaml import TOP

from fonoteka.images.build import DOCKERFILES
from fonoteka.service.settings import ServiceSettings, UploadLimits

COMPOSE = yaml.safe_load((TOP / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]


def test_the_services_are_confined():
    assert problems_of(COMPOSE) == []


# An entry of the service, its spoilt value, and the problem that must be noticed.
SPOILT = [
    ("read_only", False, "its root can be written"),
    ("read_only", "true", "its root can be written"),
    ("cap_drop", [], "it has capabilities"),
    ("cap_add", ["SYS_ADMIN"], "it has capabilities"),
    ("security_opt", [], "its programs can gain privileges"),
    ("privileged", True, "it is not separated from the host"),
    ("network_mode", "host", "it is not separated from the host"),
    ("user", "0:0", "it runs as root"),
    ("tmpfs", ["/tmp"], "/tmp is without a tmpfs of a stated size"),
    ("mem_limit", None, "no mem_limit"),
    ("pids_limit", None, "no pids_limit"),
    ("cpus", None, "no cpus"),
    ("profiles", [], "it is in no profile"),
    ("image", "fonoteka-serve:latest", "its image has no tag of its own"),
    ("volumes", ["/var/run/docker.sock:/x"], "it mounts /var/run/docker.sock:/x of the host"),
    ("volumes", ["./data/models:/project/data/models"], "it can write ./data/models:/project"),
    ("ports", ["8080:8080"], "port 8080:8080 is open to other machines, without TLS"),
]


@pytest.mark.parametrize(("key", "value", "problem"), SPOILT)
def test_a_spoilt_service_is_noticed(key, value, problem):
    spoilt = copy.deepcopy(COMPOSE)
    if value is None:
        del spoilt["services"]["serve"][key]
    else:
        spoilt["services"]["serve"][key] = value
    assert any(text.startswith(f"serve: {problem}") for text in problems_of(spoilt))


def test_both_profiles_serve_and_build_and_one_of_them_has_a_gpu():
    profiles = {name: entry["profiles"] for name, entry in SERVICES.items()}
    assert profiles == {"serve": ["cpu", "gpu"], "train": ["cpu"], "train-gpu": ["gpu"]}
    devices = SERVICES["train-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert [(each["driver"], each["capabilities"]) for each in devices] == [("nvidia", ["gpu"])]
    assert SERVICES["train-gpu"]["image"] == SERVICES["train"]["image"]
    assert "deploy" not in SERVICES["train"]


def test_the_images_are_those_that_make_builds():
    for name, service in SERVICES.items():
        kind = name.partition("-")[0]
        assert service["image"].startswith(f"fonoteka-{kind}:${{")
        assert (
            service.get("build", {"dockerfile": DOCKERFILES[kind]})["dockerfile"]
            == (DOCKERFILES[kind])
        )


def test_mounts_and_ports_fit_the_image():
    final = stages((TOP / "Dockerfile").read_text(encoding="utf-8"))[-1]
    serve = SERVICES["serve"]
    assert serve["ports"][0].endswith(f":{final.named('EXPOSE')[0].value}")
    for mount in serve["volumes"]:
        source, target, _ = mount.split(":")
        assert target == final.named("WORKDIR")[0].value + source.removeprefix(".")
        assert source == "./data/models" or (TOP / source).exists()
    assert SERVICES["train"]["volumes"][0] == ".:/project"


def test_the_engine_waits_until_recordings_are_answered_and_the_disk_holds_stored_uploads(tmp_path):
    serve = SERVICES["serve"]
    assert int(serve["stop_grace_period"].rstrip("s")) > ServiceSettings(tmp_path).drain_s + 5
    (size,) = re.findall(r"size=(\d+)g", serve["tmpfs"][0])
    assert int(size) * 1024 > UploadLimits().stored_mib


def test_the_smoke_test_confines_as_compose_does():
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"} < {
        *image_smoke.CONFINED
    }
    for service, image in (("serve", image_smoke.SERVE), ("train", image_smoke.TRAIN)):
        written = SERVICES[service]["tmpfs"][0]
        assert re.sub(r"size=\d+g", "", written) == re.sub(
            r"size=\d+g", "", image_smoke.TMPFS[image]
        )
