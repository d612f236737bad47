"""The host on the page and the example compile as they stand, and decide as Python does."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from host_programs import (
    COMPILERS,
    NO_COMPILER,
    PROGRAMS,
    SANITIZED,
    STRICT,
    compile_program,
    run_program,
)
from stream_maker import BANDS, END, small

from fonoteka.core.files import read_json
from fonoteka.packaging import CARD, PACKAGE
from fonoteka.realtime.block_check import synthetic_sound
from fonoteka.realtime.decisions import Decider, DecisionSettings, sound_times_s
from fonoteka.rtneural.interpreter import Network

pytestmark = [
    pytest.mark.torch, pytest.mark.skipif(not COMPILERS, reason=NO_COMPILER),
]  # fmt: skip

SOUND = synthetic_sound(4.0)
MOST_LINES = 30
MAIN = """
#include <cstdio>
#include <cstdlib>
#include <vector>
int main (int count, char** words) {
    SpeechHost host;
    float block[333] {};
    if (count < 4 || host.load (words[3], 16000)) return 2;
    host.audioBlock (block, 333);  // without a model nothing is computed
    if (! host.load (words[1], std::strtod (words[2], nullptr))) return 1;
    if (host.load (words[3], 16000)) return 3;  // the model stays that of before
    while (const std::size_t samples = std::fread (block, sizeof (float), 333, stdin))
        host.audioBlock (block, samples);
    for (Change change; host.poll (change);)
        std::printf ("%.6f %d\\n", change.seconds, change.value);
}
"""
RTNEURAL = os.environ.get("RTNEURAL", "/usr/include")
"""The folder that contains RTNeural/RTNeural.h."""

no_rtneural = pytest.mark.skipif(
    not Path(RTNEURAL, "RTNeural/RTNeural.h").is_file(),
    reason="RTNeural is not installed; set RTNEURAL to a folder with RTNeural/RTNeural.h",
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small(tmp_path_factory) / "realtime"


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "sound.wav"
    soundfile.write(path, SOUND, 16000)
    return path


def settings_of(bundle, name):
    """Return the settings of a model's decisions and its delay in hops."""
    model = read_json(bundle / PACKAGE)["models"][name]
    keys = ("kind", "threshold", "release", "margin", "hold_hops")
    return DecisionSettings(*(model["decision"][key] for key in keys)), model["delay_hops"]


def level(factor):
    """Return the outputs of a model of the level: the logistic function of the mean feature."""
    return 1 / (1 + np.exp(-factor * END(SOUND).mean(axis=1, keepdims=True)))


def changes(bundle, name, outputs):
    """Return the hop, the time in the sound and the value of each change, by Python."""
    settings, delay_hops = settings_of(bundle, name)
    values, changed = Decider(settings).run(outputs.astype(np.float32))
    hops = np.flatnonzero(changed)
    times_s = sound_times_s(hops, settings, delay_hops, 0.01)
    return list(zip(hops.tolist(), times_s.tolist(), values[hops].tolist(), strict=True))


def page_host(bundle):
    """Return the code of the host on the page of a bundle."""
    text = (bundle / CARD).read_text(encoding="utf-8")
    (code,) = re.findall(r"```cpp\n(#include.*?)```", text, re.S)
    return code


def test_the_host_of_the_page_has_thirty_lines_and_runs(bundle, tmp_path):
    code = page_host(bundle)
    assert len(code.splitlines()) <= MOST_LINES
    (tmp_path / "host.cpp").write_text(code + MAIN)
    (tmp_path / "speech.json").write_text(f"{BANDS} 4")
    flags = (*SANITIZED, "-I", bundle, "-I", PROGRAMS)
    program = compile_program(COMPILERS[0], tmp_path / "host.cpp", tmp_path / "host", *flags)
    (tmp_path / "bad.json").write_text("bad")
    words = (tmp_path / "speech.json", 16000, tmp_path / "bad.json")
    out = run_program(program, *words, data=SOUND.tobytes())
    expected = changes(bundle, "speech", level(4.0))
    rows = [line.split() for line in out.decode().splitlines()]
    assert len(rows) > 5
    assert [int(value) for _, value in rows] == [value for _, _, value in expected]
    assert [float(s) for s, _ in rows] == pytest.approx([s for _, s, _ in expected], abs=1e-5)


def printed(out):
    """Return the lines of the example: time of the decision, model, value, time in the sound."""
    rows = [line.split() for line in out.decode().splitlines()]
    return [(float(r[0]), r[2], int(r[3]), float(r[6])) for r in rows]


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_example_decides_as_python_does(compiler, bundle, wav, tmp_path):
    flags = (*STRICT, "-O2", "-I", bundle)
    program = compile_program(compiler, bundle / "host_example.cpp", tmp_path / "host", *flags)
    rows = printed(run_program(program, wav, 441))
    expected = changes(bundle, "speech", level(4.0))
    assert rows == [
        (pytest.approx((hop + 1) / 100), "speech", value, pytest.approx(max(0, s), abs=6e-4))
        for hop, s, value in expected
    ]
    assert len(rows) > 5


def test_the_example_reads_other_files_and_refuses_bad_ones(bundle, tmp_path):
    program = compile_program(
        COMPILERS[0], bundle / "host_example.cpp", tmp_path / "host", *SANITIZED
    )
    whole = {}
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT"):
        path = tmp_path / f"{subtype}.wav"
        soundfile.write(path, np.stack([SOUND, SOUND], axis=1), 16000, subtype)
        whole[subtype] = run_program(program, path, 1000000)
    assert len({*whole.values()}) == 1  # the sound has 16 bits
    soundfile.write(tmp_path / "rate.wav", SOUND, 22050)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "PCM_16.wav").read_bytes()[:30])
    (tmp_path / "empty.wav").write_bytes(b"")
    for name, words in (("rate", "22050 Hz; expected"), ("cut", "not a WAV"), ("empty", "not a")):
        with pytest.raises(AssertionError, match=words):
            run_program(program, tmp_path / f"{name}.wav", 480)
    with pytest.raises(AssertionError, match="usage"):
        run_program(program, tmp_path / "PCM_16.wav", 0)


@no_rtneural
def test_the_example_runs_the_models_in_rtneural(bundle, wav, tmp_path):
    # RTNeural has warnings of its own, and its parser throws.
    flags = ("-std=c++17", "-O2", "-w", "-DFONOTEKA_WITH_RTNEURAL", "-DRTNEURAL_USE_STL=1",
             "-isystem", RTNEURAL)  # fmt: skip
    source = bundle / "host_example.cpp"
    program = compile_program(COMPILERS[0], source, tmp_path / "host", *flags)
    rows = printed(run_program(program, wav, 480, bundle))
    frames = END(SOUND)
    for name in ("speech", "voicing", "onset", "phone", "viseme"):
        outputs = Network((bundle / f"{name}.json").read_bytes()).run(frames)
        own = [(time, value) for time, model, value, _ in rows if model == name]
        expected = changes(bundle, name, outputs)
        assert own == [(pytest.approx((hop + 1) / 100), value) for hop, _, value in expected]


def test_the_onnx_example_runs_the_models(bundle, wav, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    include = next(
        (folder for folder in (os.environ.get("ONNXRUNTIME_INCLUDE", ""), "/usr/include",
                               "/usr/include/onnxruntime", "/usr/local/include/onnxruntime")
         if folder and Path(folder, "onnxruntime_c_api.h").is_file()),
        None,
    )  # fmt: skip
    if include is None:
        pytest.skip("onnxruntime_c_api.h is not installed; set ONNXRUNTIME_INCLUDE to its folder")
    library = next(Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so*"))
    shutil.copy(library, tmp_path / "libonnxruntime.so.1")
    # The library is named before the source that needs it.
    flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-O2", "-I", include, "-I", bundle,
             "-Wl,--no-as-needed",
             tmp_path / "libonnxruntime.so.1", f"-Wl,-rpath,{tmp_path}")  # fmt: skip
    program = compile_program(COMPILERS[0], bundle / "onnx_example.cpp", tmp_path / "onnx", *flags)
    for name in ("speech", "phone"):
        words = (bundle / f"{name}.onnx", name, 16000)
        lines = run_program(program, *words, data=SOUND.tobytes()).decode().splitlines()
        table = np.array([line.split() for line in lines], np.float64)
        outputs = Network((bundle / f"{name}.json").read_bytes()).run(END(SOUND))
        assert np.abs(table[:, 1:] - outputs).max() <= 1e-5
        values = Decider(settings_of(bundle, name)[0]).run(table[:, 1:].astype(np.float32))[0]
        assert table[:, 0].tolist() == values.tolist()
    # The outputs of another model end before those of NAME.
    with pytest.raises(AssertionError, match="has 1 numbers where NAME has 15; use the file of"):
        run_program(program, bundle / "speech.onnx", "viseme", 16000, data=SOUND.tobytes())
