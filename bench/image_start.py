"""How long a component takes to start in its image, beside the same component as a process of this machine.

    MTCLAR_IMAGE=mtclar:REVISION python bench/image_start.py

The component lists a folder with one file, which takes no time of its own. Prints seconds and their ratio, measured in
turns in one run. Needs a container engine and the images of `make images`.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from typing import Any

REPOSITORY = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="how often each way is timed; the median counts")
    options = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    from kfp import local

    from components.image import IMAGE
    from mtclar.errors import MtclarError
    from mtclar.settings import load_settings
    from pipelines import containers

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        try:
            runner = containers.runner(root, load_settings(REPOSITORY / "params.yaml"))
        except MtclarError as error:
            print(f"skipped: {error}")
            return
        data = root / "data"
        data.mkdir()
        (data / "file").write_text("content")
        runners: dict[str, Any] = {"process": local.SubprocessRunner(use_venv=False), "image": runner}
        times: dict[str, list[float]] = {way: [] for way in runners}
        for _ in range(options.rounds):
            for way, found in times.items():
                found.append(timed(runners[way], root, data))
    middle = {way: median(found) for way, found in times.items()}
    for way, found in times.items():
        print(f"{way:<8} {middle[way]:.2f} s ({min(found):.2f} to {max(found):.2f})")
    print(f"{IMAGE}: {middle['image'] / middle['process']:.2f} times as long as a process")


def timed(runner: Any, root: Path, data: Path) -> float:
    """Seconds of one run of the component, whose answer is looked at."""
    from kfp import local

    from components.list_data.component import list_data
    from mtclar.steps.listing import list_data as plain

    local.init(runner, pipeline_root=str(root), workspace_root=str(root / "workspace"), raise_on_error=True)
    (root / "workspace").mkdir(exist_ok=True)
    begun = time.perf_counter()
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, message=".*non-Python base image.*")
        task = list_data(data=str(data))
    seconds = time.perf_counter() - begun
    if task.output != plain(str(data)):
        raise SystemExit("the component did not answer what its step answers")
    return seconds


if __name__ == "__main__":
    main()
