"""What the graph costs: `mtclar pipeline run training --local` beside the same steps called one after the other.

    python bench/pipeline.py

The steps run once in one process, which imports each package once, and once as a command each, as by hand or by DVC.
The work is the same each time, on a small sample drawn here. Prints seconds and ratios measured in one run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
SETTINGS = (
    "crop.detector=given",
    "crop.workers=1",
    "validate.min_rows=20",
    "validate.min_class_share=0.001",
    "pair.pairs=128",
    "pair.pairs_held_out=32",
    "train.sl_epochs=1",
    "evaluate.bootstrap=100",
    "export.check_faces=2",
    "promote.gate={valence_ccc: {floor: -1.0, margin: -2.0}}",
)
STEPS = (
    "crop --data DATA --out crop",
    "validate --faces crop --out validate",
    "pair --faces crop --verdict validate --out pair",
    "train --faces crop --pairs pair --out train",
    "evaluate --faces crop --pairs pair --checkpoint train --out evaluate",
    "export --checkpoint train --faces crop --evaluation evaluate --out export",
    "register --bundle export --evaluation evaluate",
    "promote --faces crop --pairs pair",
)
ONE_PROCESS = """
import json, sys
from mtclar.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as ended:
        if ended.code:
            raise
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=15, help="synthetic people in the sample")
    parser.add_argument("--frames", type=int, default=10, help="frames of each clip")
    parser.add_argument("--epochs", type=int, default=1, help="epochs of training")
    parser.add_argument("--rounds", type=int, default=2, help="how often each way is timed; the fastest counts")
    options = parser.parse_args()
    sys.path.insert(0, str(REPOSITORY))
    from mtclar.synthesis.sample import make_sample

    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "sample"
        sizes = {"people": options.people, "clips": 5, "frames": options.frames}
        make_sample(out=data, **sizes, seed=7, artist="drawn", face_model=None, workers=1)
        ways = commands(data, options.epochs)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(options.rounds):
            for way, found in times.items():
                folder = Path(name) / f"{way}-{turn}".replace(" ", "-")
                folder.mkdir()
                found.append(timed(ways[way], folder))
    best = {way: min(found) for way, found in times.items()}
    for way, seconds in best.items():
        print(f"{way:<16} {seconds:7.1f} s")
    graph = best["pipeline"]
    print(
        f"the pipeline takes {graph / best['a command each']:.2f} times as long as its {len(STEPS)} steps as commands, "
        f"{graph / best['one process']:.2f} times as long as in one process"
    )


def commands(data: Path, epochs: int) -> dict[str, list[list[str]]]:
    """The commands of each way."""
    import json

    changes = [*SETTINGS, f"train.epochs={epochs}"]
    params = ["--params", str(REPOSITORY / "params.yaml")]

    def words(step: str) -> list[str]:
        section = step.split()[0]
        own = [change for change in changes if change.startswith(f"{section}.")]
        given = [str(data) if word == "DATA" else word for word in step.split()]
        return [*given, *params, *(part for change in own for part in ("--set", change))]

    steps = [words(step) for step in STEPS]
    every = [part for change in changes for part in ("--set", change)]
    graph = ["pipeline", "run", "training", "--local", "--data", str(data), "--root", "runs", *params, *every]
    module = [sys.executable, "-m", "mtclar"]
    return {
        "one process": [[sys.executable, "-c", ONE_PROCESS, json.dumps(steps)]],
        "a command each": [[*module, *step] for step in steps],
        "pipeline": [[*module, *graph]],
    }


def timed(these: list[list[str]], folder: Path) -> float:
    """Seconds that the commands take, one after the other, in a folder with a registry of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(REPOSITORY), "MTCLAR_CACHE": str(folder / "cache")}
    begun = time.perf_counter()
    for command in these:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command[:5])}: {done.stderr or done.stdout}")
    seconds = time.perf_counter() - begun
    if not (folder / "mlflow.db").is_file():
        raise SystemExit("no model was registered")
    return seconds


if __name__ == "__main__":
    main()
