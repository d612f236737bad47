"""Each number of a model card is in the reports that the card was made from.

A `Claim` states which numbers the lines of one kind may contain, read from the reports and not from
package.json. A number that no claim of its line explains is a failure. Programs and C++ types are
code and have tests of their own; so have hashes, and names in backticks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from clones import to_read
from dvc_yaml import TOP

from fonoteka.core.files import read_json
from fonoteka.packaging import CARD, PACKAGE
from fonoteka.phones import LABELS
from fonoteka.realtime.resampler import delay_ms
from stages.export.package import card as phone_card
from stages.export.package.stage import headline
from stages.realtime.package_realtime import page as causal_page
from stages.streaming.package_streaming import card as stream_card
from stages.streaming.package_streaming.stage import metrics_of
from stages.words.package_whisper import card as word_card
from stages.words.package_whisper.stage import PackageWhisperParams, contract, scores

PHONE_MODELS = ("mlp", "wav2vec2_ctc", "wavlm_ctc", "whisper_ctc", "ensemble")
ENDS = ("", "_low", "_high")
PARTS = ("train", "valid", "test")

# Not attached to a letter, as in int8, nor part of a name or version, as in Apache-2.0.
_NUMBER = re.compile(r"(?<![\w.,/=-])-?\d[\d,]*(?:\.\d+)?(?![\w])(?!\.\d)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`|\S+==\S+", re.DOTALL)
_RANGE = re.compile(r"(?<=\d)-(?=\d)")
CONSTANTS = {
    r"Test split: ": {95: "per cent of the intervals"},
    r"A phone recogniser": {50: "frames per second of every encoder", len(LABELS): "labels"},
    r"\| +\| +at ": {16000: "Hz of all audio"},
    r".*segment accuracy, top 3$": {3: "part of the metric's name"},
    r".*CC BY 4\.0": {4.0: "version of a licence"},
    r".*padded to 30 s": {30: "seconds of input that Whisper was released for"},
    r" takes  \(from the samples before": {16000: "Hz of all audio"},
    r"\| viseme .*one of 15": {15: "mouth shapes, a name of the inventory"},
    r"\| model +\| metric": {95: "per cent of the intervals"},
    r"- One speaker at a time, 16 kHz": {16: "kHz of all audio"},
    r" contains every constant of the features": {17: "C++17"},
    r"Sound of ": {16: "kHz of all audio", 44.1: "kHz of a host", 48: "kHz of a host"},
    r".*: below 0 nothing was done": {
        0: "status of a call without remark",
        44.1: "kHz of a host",
        48: "kHz of a host",
        **{delay_ms(rate): "ms of the resampler, computed" for rate in (44_100, 48_000)},
    },
    r"- RTNeural's softmax": {88: "logit above which exp overflows float32"},
}
"""Numbers that no report contains, by the lines that may have them, with what they are."""


@dataclass(frozen=True)
class Claim:
    """Numbers that some lines of a card may contain.

    Attributes:
        lines: pattern of the beginning of a line, without code.
        values: as shown: a share in per cent for example.
        row: whether a line has exactly these numbers, in this order.
    """

    lines: str
    values: tuple[float, ...]
    row: bool = False

    def explains(self, line: str, number: str) -> bool:
        """Return whether a number of a line is one of the values."""
        if not re.match(self.lines, line):
            return False
        if self.row:
            numbers = _NUMBER.findall(line)
            return len(numbers) == len(self.values) and all(map(is_shown, self.values, numbers))
        return any(is_shown(value, number) for value in self.values)


def numbers_of(card: str) -> Iterator[tuple[str, str]]:
    """Yield each line, without code, with each number in it."""
    for line in _RANGE.sub(" to ", _CODE.sub("", card)).splitlines():
        for number in _NUMBER.findall(line):
            yield line, number


def unexplained(card: str, claims: Sequence[Claim]) -> list[str]:
    """Return the numbers that no claim explains, each with its line."""
    constants = [Claim(lines, tuple(reasons)) for lines, reasons in CONSTANTS.items()]
    card = re.sub(r"(?<=\S) {2,}", " ", card)  # cells of a table are padded to their column
    return [
        f"{number}: {line}"
        for line, number in numbers_of(card)
        if not any(claim.explains(line, number) for claim in (*claims, *constants))
    ]


def is_shown(value: float, number: str) -> bool:
    """Return whether a number is a value, to the precision that it is shown with."""
    digits = len(number.partition(".")[2])
    return abs(float(number.replace(",", "")) - value) <= 0.5 * 10**-digits + 1e-9


def leaves(*trees) -> tuple[float, ...]:
    """Return all numbers of JSON values."""
    numbers: list[float] = []
    for tree in trees:
        if isinstance(tree, dict | list | tuple):
            numbers += leaves(*(tree.values() if isinstance(tree, dict) else tree))
        elif isinstance(tree, int | float) and not isinstance(tree, bool):
            numbers.append(tree)
    return tuple(numbers)


def percent(*trees) -> tuple[float, ...]:
    return tuple(100 * value for value in leaves(*trees))


def corpus_claims(corpus) -> list[Claim]:
    """Return the claims on clips per split, of the one corpus of a build without own recordings."""
    counts = [corpus["parts"][part]["utterances"] for part in PARTS]
    return [
        Claim(r"\| embedded ", tuple(counts)),
        Claim(r"- \d+ of \d+ training clips are synthetic", tuple(counts[:1])),
    ]


def phone_claims(metrics, onnx, corpus, ensemble, files) -> list[Claim]:
    """Return the claims of the card of a phone recogniser."""
    titles = phone_card.TITLES
    own = [metrics, *metrics["languages"].values()]
    int8 = metrics.get("int8") or {}
    tests = [part.get(f"per{end}") for part in (metrics, int8) for end in ENDS]
    valid = onnx["int8"]
    return [
        Claim(" +value: ", leaves([metrics[key] for key in titles])),
        Claim("A phone recogniser", leaves(onnx["parameters"])),
        Claim("Members and their weights", leaves(ensemble["average"]["weights"])),
        # Hashes of these files are in the card, and fonoteka.packaging compares the sizes.
        Claim(r"\| +\| (labels, rates and|the head's weights)", leaves(files)),
        Claim(r"\| +\| ", leaves(onnx["bytes"])),
        Claim("Test split: ", leaves([metrics[k] for k in ("speakers", "utterances", "phones")])),
        *(
            Claim(
                rf"\| {re.escape(title)} +\|",
                # The title of this row has a number too.
                (3,) * title.endswith(" 3")
                + percent([part.get(f"{key}{end}") for part in own for end in ENDS]),
                row=True,
            )
            for key, title in titles.items()
        ),
        Claim(
            r"\| model, test split",
            percent(tests, [int8.get(f"difference{end}") for end in ENDS]),
            row=True,
        ),
        *(
            Claim(
                rf"\| {name}, validation split",
                percent(
                    part["valid_per_fp32"], part["valid_per_int8"],
                    part["valid_per_int8"] - part["valid_per_fp32"],
                ),
                row=True,
            )
            for name, part in valid.items()
        ),
        Claim("Size of the int8 files", percent([part["size_ratio"] for part in valid.values()])),
        Claim("- The intervals cover", (metrics["speakers"],)),
        Claim(
            r"\| \S+ +\| \S+ +\|",
            leaves([pair["count"] for pair in metrics["most_frequent_substitutions"]]),
        ),
        *corpus_claims(corpus),
    ]  # fmt: skip


def interval(part, key="rate") -> list[float | None]:
    return [part[key], part["low"], part["high"]]


def word_claims(words, onnx, corpus, limits) -> list[Claim]:
    """Return the claims of the card of a Whisper."""
    tuned, base = words["tuned"], words["base"]
    worst = max(part["wer"]["canonical"]["rate"] for part in tuned["languages"].values())
    difference = words["tuned_minus_base"]
    sides = [difference, *(difference["languages"][code] for code in tuned["languages"])]
    changes = [interval(side["wer"]["canonical"], "difference") for side in sides]
    int8 = onnx["int8"]
    return [
        Claim(" +value: ", leaves([tuned[unit]["canonical"]["rate"] for unit in ("wer", "cer")])),
        Claim("A Whisper model", (onnx["parameters"],)),
        Claim("Stage: ", percent(worst, limits)),
        Claim(r"\| +\| ", leaves(onnx["bytes"])),
        Claim("Test split: ", leaves([tuned[key] for key in ("speakers", "clips", "words")])),
        Claim("Test split: ", (base["clips"],)),
        *(
            Claim(
                rf"\| {title}, {place} +\|",
                percent([
                    interval(own[unit][spelling])
                    for own in (part, *(part["languages"][code] for code in tuned["languages"]))
                ]),
                row=True,
            )
            for unit, spelling, title in word_card.RATES
            for part, place in ((tuned, "this model"), (base, "before training"))
        ),
        Claim(r"\| WER, canonical, difference", percent(changes), row=True),
        Claim(r"On \d+ test clips", leaves(onnx["clips"], onnx["batch_sizes"])),
        Claim(r"On \d+ test clips", (onnx["max_error_below"],)),
        Claim("WER on ", (int8["valid_clips"], 100 * int8["valid_wer_fp32"])),
        *(
            Claim(f"- {part} in int8, {recipe} products", percent(tried))
            for part in ("decoder", "encoder")
            for recipe, tried in int8.get(part, {"tried": {}})["tried"].items()
        ),
        Claim(r"- \d+ of \d+ test clips have a text", (tuned["loops"], tuned["clips"])),
        *corpus_claims(corpus),
    ]  # fmt: skip


def causal_claims(realtime, sizes, package) -> list[Claim]:
    """Return the claims of the page of the causal models.

    Args:
        realtime: reports/realtime.json.
        sizes: of each model, reports/rtneural.
        package: package.json. Costs, settling hops and the bound of the logits are computed from
            the packaged files by the stage itself, and no report contains them.
    """
    claims = [
        Claim("Each model reads the features", (realtime["hop_ms"],)),
        Claim("Test split: |## Evaluation", leaves([realtime[k] for k in ("speakers", "hops")])),
        Claim("The interval is a bootstrap", (realtime["tolerance_ms"],)),
        Claim("All weights together", (package["weight_bytes"], package["macs_per_hop"])),
        Claim("All weights together", (package["settling_tolerance"],)),
        Claim("An onset is a peak", (package["models"]["onset"]["decision"]["threshold"],)),
        Claim("Sound of ", (package["frontend"]["bands"],)),
        Claim(
            "- RTNeural's softmax", leaves([m["max_abs_logit"] for m in package["models"].values()])
        ),
    ]
    scored = ("score", "low", "high", "baseline", "latency_ms_p50", "latency_ms_p90")
    costs = ("weight_bytes", "macs", "exponentials", "settling_hops")
    for name, metrics in realtime["models"].items():
        own = package["models"][name]
        row = [sizes[name]["parameters"], *(own[key] for key in costs)]
        claims += [
            Claim(rf"\| {name} \| (f1|accuracy) ", leaves([metrics[k] for k in scored]), row=True),
            Claim(rf"\| {name} \| \d", leaves(row), row=True),
            Claim(rf"\| {name} \| .* \d+ probabilities", (len(own["labels"]),)),
            *decision_claims(name, own["decision"], metrics),
        ]
    return claims


def decision_claims(name, decision, metrics) -> Iterator[Claim]:
    """Yield the claims of the two rows of a model in the table of decisions.

    The stage tunes decisions itself, so their figures are those of package.json. Without hysteresis
    the score on test is that of reports/realtime.json.
    """
    keys = {"state": ("threshold", "release"), "label": ("margin",), "event": ("threshold",)}
    settings = [decision[key] for key in keys[decision["kind"]]]
    # The cell of the name is empty in the second row, where the settings tell the models apart.
    words = {"state": "on > {:g}, off <= {:g}", "label": "margin {:g}", "event": "peak > {:g}"}
    setting = re.escape(words[decision["kind"]].format(*settings))
    for part, cell in (("validation", f"{name} "), ("test", "")):
        row = [*settings, decision["hold_hops"]]
        for side in ("hop_by_hop", "with_hysteresis"):
            figures = decision[part][side]
            score = metrics["score"] if (part, side) == ("test", "hop_by_hop") else figures["score"]
            row += [score, figures["changes"] / figures["true_changes"]]
            row += [figures["latency_ms_p50"]] if figures["latency_ms_p50"] else []
        yield Claim(rf"\| {cell}\| {part} \| {setting} \|", tuple(row), row=True)


def stream_claims(streaming, step, corpus, shape, files) -> list[Claim]:
    """Return the claims of the card of the streaming recogniser.

    Args:
        streaming: reports/streaming.json.
        step: reports/onnx/stream_step.json.
        corpus: reports/corpus.json.
        shape: train_stream.shape in params.yaml, in frames of 20 ms.
        files: bytes of the other files, which fonoteka.packaging compares.
    """
    exact = streaming["models"]["stream_ctc"]["exact"]
    (chosen,) = (m for m in streaming["confidence"]["stream_ctc"].values() if m["chosen"])
    ahead_ms = 20 * (shape["chunk"] + shape["look_ahead"])
    shares = {"phone error rate": "per", "phone error rate of whole recordings": "offline_per",
              "streams equal to whole recordings": "equal_to_offline"}  # fmt: skip
    counts = {"committed phones that changed": "committed_changed",
              "shown phones taken back, per final phone": "erasure"}  # fmt: skip
    times = {"commit lag p50, p90": "commit_lag_ms", "first phone p50, p90": "first_emission_ms"}
    rows = {title: percent(exact[key]) for title, key in shares.items()}
    rows |= {title: leaves(exact[key]) for title, key in counts.items()}
    rows |= {title: leaves([exact[key]["p50"], exact[key]["p90"]]) for title, key in times.items()}
    rows |= {"calibration error of the confidence": percent(chosen["ece"]["value"])}
    own = (shape["layers"], shape["history"], ahead_ms, shape["chunk"], step["parameters"])
    tested = (exact["streams"], exact["speakers"], streaming["chunk_ms"])
    return [
        Claim("Recognises phones", own, row=True),
        Claim(r"\| step\.onnx +\|", (step["bytes"],), row=True),
        Claim(r"\| (confidence\.json|phones\.arpa) +\|", tuple(files)),
        Claim(r"\d+ streams of", tested, row=True),
        *(Claim(rf"\| {title} +\|", values, row=True) for title, values in rows.items()),
        *corpus_claims(corpus),
    ]


def reports(top: Path) -> dict:
    """Return the reports of a build that cards are made from."""
    folder = top / "reports"
    return {
        "corpus": read_json(folder / "corpus.json"),
        "ensemble": read_json(folder / "ensemble.json"),
        "metrics": {name: read_json(folder / f"metrics/{name}.json") for name in PHONE_MODELS},
        "onnx": {path.stem: read_json(path) for path in (folder / "onnx").glob("*.json")},
        "realtime": read_json(folder / "realtime.json"),
        "rtneural": {path.stem: read_json(path) for path in (folder / "rtneural").glob("*.json")},
        "streaming": read_json(folder / "streaming.json"),
        "words": read_json(folder / "words/tuned.json"),
    }


def section_of(top: Path, name: str) -> dict:
    return yaml.safe_load((top / "params.yaml").read_text(encoding="utf-8"))[name]


def limits_of(top: Path) -> dict[str, float]:
    return section_of(top, "package_whisper")


def claims_of(name: str, own: dict, top: Path, package: dict) -> list[Claim]:
    """Return the claims of the card in data/models/<name>."""
    if name in PHONE_MODELS:
        files = [
            entry["bytes"]
            for file, entry in package["files"].items()
            if file in ("model.json", "model.safetensors")
        ]
        return phone_claims(
            own["metrics"][name], own["onnx"][name], own["corpus"], own["ensemble"], files
        )
    if name == "realtime":
        return causal_claims(own["realtime"], own["rtneural"], package)
    if name == "streaming":
        files = [entry["bytes"] for entry in package["files"].values()]
        shape = section_of(top, "train_stream")["shape"]
        step = own["onnx"]["stream_step"]
        return stream_claims(own["streaming"], step, own["corpus"], shape, files)
    return word_claims(own["words"], own["onnx"]["whisper_tuned"], own["corpus"], limits_of(top))


CARDS = (*PHONE_MODELS, "realtime", "streaming", "whisper_package/tuned")


def problems_of_build(top: Path) -> list[str]:
    """Return the unexplained numbers of all cards of a built pipeline."""
    own, problems = reports(top), []
    for name in CARDS:
        folder = top / "data/models" / name
        text = (folder / CARD).read_text(encoding="utf-8")
        claims = claims_of(name, own, top, read_json(folder / PACKAGE))
        problems += [f"{name}: {problem}" for problem in unexplained(text, claims)]
        assert len([*numbers_of(text)]) > 20, name
    return problems


@pytest.mark.pipeline
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # dvc's use of pygtrie
def test_every_number_of_the_built_cards_is_in_a_report(tmp_path_factory):
    top = to_read(tmp_path_factory).folder
    cards = {path.parent for path in (top / "data/models").rglob(CARD)}
    assert cards == {top / "data/models" / name for name in CARDS}
    assert problems_of_build(top) == []


def made_card(name: str, own: dict) -> str:
    """Return the card of a model by the reports of this repository, without its files."""
    corpora = [{
        "corpus": "embedded", "licence": "CC BY 4.0", "synthetic": True,
        "clips": {part: own["corpus"]["parts"][part]["utterances"] for part in PARTS},
    }]  # fmt: skip
    licence = {"weights": "Apache-2.0", "training_data": ["CC BY 4.0"], "fetched_weights": {}}
    package = {"name": name, "languages": ["en", "hr"], "licence": licence}
    if name == "realtime":
        return causal_page.page(causal_package(own) | {
            "licence": licence, "lineage": {"corpora": corpora, "training_parts": PARTS[:2]},
        })  # fmt: skip
    if name == "streaming":
        step = own["onnx"]["stream_step"]
        return stream_card.card(package | {
            "stream": section_of(TOP, "train_stream")["shape"], "frames_per_second": 50,
            "sample_rate_hz": 16_000, "parameters": step["parameters"],
            "metrics": metrics_of(own["streaming"], "stream_ctc"),
            "files": sized({"step.onnx": step["bytes"]}), "licence": licence,
            "lineage": {"corpora": corpora},
        })  # fmt: skip
    lineage = {"corpora": corpora, "manifests": {}, "segments.parquet": "0" * 64, "encoders": {},
               "training_data_sha256": None, "members": []}  # fmt: skip
    if name not in PHONE_MODELS:
        limits, onnx = PackageWhisperParams(**limits_of(TOP)), own["onnx"]["whisper_tuned"]
        base = {"source": "package", "fetched": "wheel==1.0.0", "licence": "MIT"}
        return word_card.card(package | {
            "contract": contract(own["words"]["tuned"], limits), "metrics": scores(own["words"]),
            "export": onnx, "parameters": onnx["parameters"], "files": sized(onnx["bytes"]),
            "lineage": lineage | {"base": base, "sha256": {}},
        })  # fmt: skip
    onnx = own["onnx"][name]
    names = {"model": "model.onnx", "model_int8": "model.int8.onnx", "head": "head.onnx",
             "head_int8": "head.int8.onnx"}  # fmt: skip
    members = [{"name": k, "weight": w} for k, w in own["ensemble"]["average"]["weights"].items()]
    return phone_card.card(package | {
        "kind": "ensemble" if name == "ensemble" else "tdnn", "encoder": {"wavlm": {}},
        "labels": list(LABELS), "sample_rate_hz": 16_000, "frames_per_second": 50,
        "files": sized({names[key]: size for key, size in onnx["bytes"].items()}),
        "metrics": headline(own["metrics"][name], onnx),
        "lineage": lineage | {"members": members if name == "ensemble" else []},
    })  # fmt: skip


def causal_package(own: dict) -> dict:
    """Return the package of the causal models; what no report contains is made up."""
    realtime = own["realtime"]
    models = {
        name: {
            "labels": LABELS if name == "phone" else ["a"] * (15 if name == "viseme" else 1),
            "metrics": metrics, "threshold": metrics["threshold"], "weight_bytes": 100 + number,
            "parameters": own["rtneural"][name]["parameters"], "macs": 200 + number,
            "exponentials": 300 + number, "settling_hops": None if number else 77,
            "max_abs_logit": 40 + number, "model_t": "using X = Y<1, 2>;",
            "decision": made_decision(number, metrics),
        }
        for number, (name, metrics) in enumerate(realtime["models"].items())
    }  # fmt: skip
    return {
        "hop_ms": realtime["hop_ms"], "frontend": {"bands": 40, "hop": 160}, "models": models,
        "test": realtime, "weight_bytes": 510, "macs_per_hop": 1010, "settling_tolerance": 0.01,
    }  # fmt: skip


def made_decision(number: int, metrics: dict) -> dict:
    """Return the decision of a model; only its score on test is in a report."""
    kind = ("state", "label", "event")[number % 3]
    parts = {
        part: {
            side: {
                "score": 0.7 + 0.011 * number, "changes": 1000 + 37 * number, "true_changes": 900,
                "latency_ms_p50": None if kind == "event" else 40.0 + number,
            }
            for side in ("hop_by_hop", "with_hysteresis")
        }
        for part in ("validation", "test")
    }  # fmt: skip
    parts["test"]["hop_by_hop"]["score"] = metrics["score"]
    return {
        "kind": kind, "threshold": 0.5 + 0.01 * number, "release": 0.2, "margin": 0.1,
        "hold_hops": 1 + number, **parts,
    }  # fmt: skip


def sized(sizes: dict[str, int]) -> dict:
    return {name: {"bytes": size, "sha256": "0" * 64} for name, size in sizes.items()}


@pytest.mark.parametrize("name", CARDS)
def test_every_number_of_a_card_is_in_a_report_and_another_one_is_noticed(name):
    own = reports(TOP)
    package = causal_package(own) | {"files": {}}
    card, claims = made_card(name, own), claims_of(name, own, TOP, package)
    assert unexplained(card, claims) == []
    noticed = []
    for line, number in numbers_of(card):
        digits = len(number.partition(".")[2])
        other = f"{float(number.replace(',', '')) + 3 * 10**-digits:.{digits}f}"
        changed = line.replace(number, other, 1)
        noticed.append(bool(unexplained(changed, claims)))
    assert len(noticed) > 20
    # A neighbour in the same row may have the other number by chance.
    assert sum(noticed) > 0.9 * len(noticed)


def test_numbers_of_names_versions_and_code_are_not_claims():
    text = "int8 of wav2vec2, Apache-2.0, `16 kHz`, wheel==1.0.0; 1,234 of 5.5 % (-0.1 to 2)\n"
    assert [number for _, number in numbers_of(text)] == ["1,234", "5.5", "-0.1", "2"]


@pytest.mark.parametrize(
    ("value", "number", "expected"),
    [(9.04, "9.0", True), (9.06, "9.0", False), (0.05, "0.1", True), (12, "12", True),
     (12.4, "12", True), (11.4, "12", False), (1234, "1,234", True)],
)  # fmt: skip
def test_a_number_is_a_value_to_the_precision_that_it_is_shown_with(value, number, expected):
    assert is_shown(value, number) == expected
