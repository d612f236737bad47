"""docs/service-logs.md lists the fields of a line and the metrics as the code has them."""

from __future__ import annotations

import json
import re
from dataclasses import fields

from dvc_yaml import TOP
from telemetry_app import LINE, USAGE, FixedModels, FixedWorkers

from fonoteka.service.telemetry.access_line import AccessLine
from fonoteka.service.telemetry.metrics import ServiceMetrics

PAGE = (TOP / "docs" / "service-logs.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, str]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.M))


def test_the_page_lists_the_fields_of_a_line_in_their_order():
    assert [*rows("Lines")] == [field.name for field in fields(AccessLine)]


def test_the_example_of_the_page_is_a_line():
    example = re.search(r"```json\n(.*?)```", PAGE, re.S).group(1)
    names = [field.name for field in fields(AccessLine) if field.name not in ("text", "exception")]
    assert [*json.loads(example)] == ["time", "level", "event", *names]


def test_the_page_lists_the_metrics_with_their_labels():
    metrics = ServiceMetrics(FixedWorkers(), FixedModels())
    for line in (LINE, AccessLine(**vars(LINE) | {"status": 101, "error": "x"})):
        metrics.count(line, USAGE)
    listed = {name: {*re.findall(r"`(\w+)`", labels)} for name, labels in rows("Metrics").items()}
    existing: dict[str, set[str]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            name = re.sub(r"_(bucket|count|sum)$", "", sample.name)
            existing.setdefault(name, set()).update({*sample.labels} - {"le"})
    assert listed == {n: labels for n, labels in existing.items() if n.startswith("fonoteka")}
