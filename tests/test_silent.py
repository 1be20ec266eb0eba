"""Nothing leaves the machine, and nothing is written but the output and our own cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from bright_clip import TIMES_MS, picture, write_anchors
from make_video import write_video
from toy_faces import write_faces
from watched import Watched, traceable, watch

pytest.importorskip("torch")
pytest.importorskip("mlflow")
pytest.importorskip("great_expectations")

FEW = ["--params", Path(__file__).parents[1] / "recipes" / "tiny.yaml", "--set", "validate.min_rows=10"]
FEW += ["--set", "train.encoder=resnet-nano"]
LINE = {
    "validate": [*FEW, "--faces", "faces", "--out", "verdict"],
    "pair": [*FEW, "--faces", "faces", "--verdict", "verdict", "--out", "pairs"],
    "train": [*FEW, "--faces", "faces", "--pairs", "pairs", "--out", "checkpoint"],
    "evaluate": [*FEW, "--faces", "faces", "--pairs", "pairs", "--checkpoint", "checkpoint", "--out", "evaluation"],
    "export": [*FEW, "--checkpoint", "checkpoint", "--faces", "faces", "--evaluation", "evaluation", "--out", "bundle"],
    "register": [*FEW, "--bundle", "bundle", "--evaluation", "evaluation"],
    "label": ["clip.mp4", "--anchors", "anchors.csv", "--model", "bundle", "--out", "labels"],
}
REGISTRY = ("mlflow.db", "mlartifacts")
Watch = Callable[..., Watched]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a user who has nothing yet; beside it are a folder for temporary files and one to work in."""
    root = tmp_path_factory.mktemp("silent")
    for name in ("home", "tmp", "work"):
        (root / name).mkdir()
    write_faces(root / "work" / "faces", train=3, validation=3, test=3)
    write_video(root / "work" / "clip.mp4", TIMES_MS, picture)
    write_anchors(root / "work", "clip,0,-0.2,0.1")
    return root / "home"


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Watch:
    """Runs a command of this Python as that user, under watch."""

    def run(*command: object, trace: bool = True) -> Watched:
        env = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "HOME": str(home),
            "TMPDIR": str(home.parent / "tmp"),
        }
        return watch(
            [sys.executable, *command], cwd=home.parent / "work", notes=tmp_path / uuid4().hex, env=env, trace=trace
        )

    return run


def stray(done: Watched, home: Path) -> list[Path]:
    """What was written beside the output, our cache, temporary files and semaphores; and temporary files that stay."""
    root = home.parent
    ours = (root / "work", home / ".cache" / "mtclar", root / "tmp", Path("/dev/shm"))
    written = [path for path in done.wrote if not any(path.is_relative_to(folder) for folder in ours)]
    left = [path for path in (root / "tmp").rglob("*") if not path.is_dir()]
    kept = [path for path in home.rglob("*") if not path.is_dir() and not path.is_relative_to(ours[1])]
    return [path for path in written if path != home / ".cache"] + left + kept


def test_the_line_from_faces_to_labels_speaks_to_nobody_and_writes_its_outputs_alone(run: Watch, home: Path) -> None:
    work = home.parent / "work"
    for verb, options in LINE.items():
        before = set(work.iterdir())
        done = run("-m", "mtclar", verb, *options)
        assert done.code == 0, f"{verb}: {done.said}"
        assert done.spoke == [], verb
        assert stray(done, home) == [], verb
        assert done.wrote, verb
        new = {path.name for path in set(work.iterdir()) - before}
        assert new == {"train": {"checkpoint", *REGISTRY}, "register": set()}.get(verb, {options[-1]})


def test_a_program_that_loads_onnxruntime_after_mtclar_leaves_no_trace_of_it(run: Watch, home: Path) -> None:
    done = run("-c", "import mtclar, onnxruntime; onnxruntime.get_available_providers()")
    assert done.code == 0, done.said
    assert (done.spoke, stray(done, home)) == ([], [])


@pytest.mark.parametrize(
    "trace", [pytest.param(True, marks=pytest.mark.skipif(not traceable(), reason="no strace")), False]
)
def test_the_watch_sees_connections_questions_for_a_name_and_files(run: Watch, home: Path, trace: bool) -> None:
    done = run(  # 192.0.2.0/24 is nobody's network (RFC 5737)
        "-c",
        "import os, socket\n"
        "for host, port in (('127.0.0.1', 9), ('::1', 9), ('192.0.2.1', 80)):\n"
        "    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)\n"
        "    s.setblocking(False)\n"
        "    s.connect_ex((host, port))\n"
        "open('inside', 'w').close()\n"
        "open(os.path.expanduser('~/deviceid'), 'w').close()\n"
        "os.remove(os.path.expanduser('~/deviceid'))\n",
        trace=trace,
    )
    assert done.code == 0, done.said
    assert done.spoke == ["192.0.2.1:80"]
    assert stray(done, home) == [home / "deviceid"]
    assert home.parent / "work" / "inside" in done.wrote


@pytest.mark.skipif(not traceable(), reason="strace is not here, or may not trace")
def test_the_watch_sees_what_native_code_and_children_do(run: Watch) -> None:
    native = (
        "import ctypes, socket, struct; c = ctypes.CDLL(None)\n"
        "fd = c.socket(2, 2, 0)\n"
        "address = struct.pack('=H', 2) + struct.pack('>H', 53) + socket.inet_aton('192.0.2.1') + bytes(8)\n"
        "c.connect(fd, address, 16)\n"
    )
    done = run("-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {native!r}], check=True)")
    assert done.code == 0, done.said
    assert done.spoke == ["192.0.2.1:53"]
