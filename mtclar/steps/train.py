"""`mtclar train`: faces and pairs in, a checkpoint out."""

from __future__ import annotations

import hashlib
import json
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from mtclar import __version__
from mtclar.data.store import MADE, FacesStore
from mtclar.data.tables import PAIRS, read_notes, read_table
from mtclar.data.whole import scratch, whole_file
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec
from mtclar.learning.auxiliary import Auxiliary, auxiliary_targets
from mtclar.learning.blocks import Blocks
from mtclar.learning.device import chosen_device, memory, threads
from mtclar.learning.embedding import embed
from mtclar.learning.learner import Learner
from mtclar.learning.loop import train_pairs
from mtclar.learning.pairs import DRAWN_BY, check_belong, training_pairs
from mtclar.learning.pictures import Pictures
from mtclar.learning.processes import here, joined, start_processes
from mtclar.learning.single import train_single
from mtclar.learning.state import History, best_folder, prepare
from mtclar.learning.watch import Watch
from mtclar.model.build import build_model, model_spec
from mtclar.model.checkpoint import FACTS, WEIGHTS, load_checkpoint, save_checkpoint
from mtclar.model.mtclar import ModelSpec
from mtclar.progress import Progress, silent
from mtclar.registry.tracking import NullTracking, Tracking, start
from mtclar.revision import STAMP, git_revision, same_data, stamped
from mtclar.settings import PairSettings, RegisterSettings, TrainSettings, default_params

HISTORY = "history.csv"
NO_MATTER = {"device", "memory_gb", "workers", "threads", "save_steps"}
"""Settings that a killed run may change and still go on: they do not say what is learnt."""
HEADS = {name for name in TrainSettings.model_fields if name.startswith("sl_")}
"""Settings of the supervised heads, which begin where the pairs end: they alone are learnt again where these change."""


@dataclass(frozen=True)
class TrainResult:
    """The last row of the history, and where the checkpoint is."""

    last: dict[str, Any]
    out: Path

    def __str__(self) -> str:
        said = f"trained for {self.last['epoch']} epochs, checkpoint in {self.out}"
        known = {
            name: value
            for name in ("valence", "arousal")
            if np.isfinite(value := self.last.get(f"validation_few_shot_{name}_ccc", np.nan))
        }
        if not known:
            return said
        ccc = ", ".join(f"{value:.2f} {name}" for name, value in known.items())
        return f"{said}; on validation clips, from one anchor each: CCC {ccc}"


def run(
    s: TrainSettings,
    *,
    faces: Path,
    pairs: Path,
    out: Path,
    state: Path | None = None,
    registry: RegisterSettings | None = None,
    processes: int = 1,
    progress: Progress = silent,
) -> TrainResult:
    """Trains MT-CLAR on the pairs, then the supervised heads on its frozen embedding.

    Writes model.safetensors and model.json, history.csv (one row an epoch); and under `state`, or `out` itself, best/
    (the checkpoint with the lowest validation loss) and last/, from which a killed run with the same settings and data
    goes on to the same weights.
    Several processes share every step, be it that `processes` says so or that torchrun started this one; only the first
    writes, logs and shows progress.

    Args:
        s: The section `train` of params.yaml.
        faces: A faces store.
        pairs: What `mtclar pair` wrote about it.
        out: Folder to write; may exist.
        state: Folder of what a killed run goes on from; may exist and outlast `out`, as where DVC removes `out` before
            each run or where each try of a task gets a new one.
        registry: Where to log the run; nothing is logged without it.
        processes: How many to start on this machine, one a GPU; 1 trains in this one.
        progress: Told each step; of several processes the first shows its own on the terminal or in the log.

    Raises:
        MtclarError: The pairs do not belong to the faces, a loss is not finite, memory runs out, the device or the
            other processes are not there, or `out` cannot be written.
    """
    if processes > 1:
        return _by_processes(s, processes, faces=faces, pairs=pairs, out=out, state=state, registry=registry)
    ours = here()
    device = chosen_device(s.device, ours.place)
    progress = progress if ours.first else silent
    store = FacesStore(faces)
    table = read_table(pairs / "pairs.parquet", PAIRS)
    revisions = {STAMP: stamped(store.facts, faces / "store.json"), "git_revision": git_revision()}
    drawn_from = stamped(read_notes(pairs / "pairs.parquet"), pairs / "pairs.parquet")
    same_data(
        drawn_from, revisions[STAMP], f"{pairs}: were drawn from other data than {faces}; run 'mtclar pair' on it."
    )
    needed = _needed(store, table)
    _check_taught(s, table[table["split"] == "train"])
    spec = model_spec(s)
    crop = CropSpec(
        scale=float(store.facts.get("scale", 1.0)),
        size=store.size,
        centre=round(store.size * spec.encoder.centre / 288 / 2) * 2,
        input_size=spec.encoder.input_size,
        align=str(store.facts.get("align", "box")),
    )
    # Reading all shards for their hashes is for one process to do.
    fingerprint, of_pairs = _fingerprints(s, spec, crop, faces, pairs) if ours.first else ("", "")
    learner = Learner(s, build_model(s), device, ours, _auxiliary(s, store, needed, spec.encoder.embedding_size))
    if ours.first:
        prepare(out, of_pairs, state)
    log_of_run = (
        start(registry, run_name="train", params=s.model_dump(), tags=_tags(revisions))
        if registry is not None and ours.first
        else nullcontext(NullTracking())
    )
    with threads(s.threads), joined(ours, device), log_of_run as run_log:
        names = ", ".join(sorted(store.table["dataset"].dropna().unique()))
        run_log.dataset(names or "faces", revisions[STAMP], context="training")
        # Nobody reads what stands in `out` before it has been cleared.
        fingerprint, of_pairs = ours.agree((fingerprint, of_pairs))
        with memory("holding the faces", f"train.memory_gb={s.memory_gb}"):
            pictures = Pictures(
                store,
                needed,
                crop,
                grey=spec.encoder.local_contrast,
                gigabytes=s.memory_gb / ours.here,
                workers=s.workers,
                pinned=device.type == "cuda",
                progress=progress,
            )
        known = store.table.loc[needed].reset_index(drop=True)
        position = pd.Series(np.arange(len(needed)), index=needed)

        training = known[known["split"] == "train"].set_axis(needed[(known["split"] == "train").to_numpy()])
        drawn_by = _drawn_by(pairs / "pairs.parquet") if s.redraw else None
        first = Blocks(table[table["split"] == "train"], position)

        def blocks(epoch: int) -> Blocks:
            if drawn_by is None or epoch == 1:
                return first
            return Blocks(
                training_pairs(drawn_by, training, np.random.default_rng([drawn_by.seed, 0, epoch])), position
            )

        def told(history: History) -> None:
            _write_history(out, history)
            for name, value in history[-1].items():
                if name != "epoch" and np.isfinite(value):
                    run_log.metric(name, value, step=history[-1]["epoch"])

        history = train_pairs(
            learner,
            pictures,
            blocks,
            Watch(
                known[known["split"] == "validation"],
                Blocks(table[table["split"] == "validation"], position),
                lambda model, positions: embed(model, pictures, positions, precision=s.precision),
                learner.objective,
            ),
            out=state or out,
            fingerprint=of_pairs,
            told=told,
            progress=progress,
        )
        if ours.first:
            best = best_folder(state or out, history)
            if s.keep == "best" and best is not None:
                learner.model.load_state_dict(load_checkpoint(best)[0].state_dict())
            train_single(s, learner.model, pictures, known[known["split"] == "train"], progress=progress)
            facts = {
                "crop": crop.to_dict(),
                "settings": s.model_dump(mode="json"),
                **revisions,
                **_run_of(run_log),
                "fingerprint": fingerprint,
                "faces": {split: int(n) for split, n in known["split"].value_counts().items()},
                "last_epoch": history[-1],
                "kept_epoch": int(best.name.split("-")[1]) if s.keep == "best" and best is not None else len(history),
            }
            _write_history(out, history)  # of a run that was killed between its last epoch and the history
            save_checkpoint(out, learner.model, facts)
            for name in (WEIGHTS, FACTS, HISTORY):
                run_log.artifact(out / name)
    return TrainResult(history[-1], out)


def _auxiliary(s: TrainSettings, store: FacesStore, needed: np.ndarray, into: int) -> Auxiliary | None:
    """What the encoder learns of the faces at the rows `needed` besides their pairs."""
    if not s.auxiliary:
        return None
    made = store.made()
    targets = auxiliary_targets(
        list(s.auxiliary), store.table.iloc[needed], None if made is None else made.iloc[needed]
    )
    return Auxiliary({str(kind): weight for kind, weight in s.auxiliary.items()}, targets, into, s.seed)


def _by_processes(
    s: TrainSettings, number: int, *, faces: Path, pairs: Path, out: Path, state: Path | None, registry: Any
) -> TrainResult:
    """Trains in `number` processes that torchrun starts on this machine."""
    with scratch("train") as folder:
        sections: dict[str, Any] = {"base": str(default_params().absolute()), "train": s.model_dump(mode="json")}
        if registry is not None:
            sections["register"] = registry.model_dump(mode="json")
        params = folder / "params.yaml"
        params.write_text(yaml.safe_dump(sections), encoding="utf-8")
        paths = {"params": params, "faces": faces, "pairs": pairs, "out": out, "state": state}
        given = [f"--{name}={path}" for name, path in paths.items() if path is not None]
        start_processes(number, ["mtclar", "train", *given])
    history = pd.read_csv(out / HISTORY)
    return TrainResult({str(name): value for name, value in history.iloc[-1].items()}, out)


def _tags(revisions: dict[str, str]) -> dict[str, str]:
    """The revisions by the names that runs and versions in the registry have for them."""
    return {"data_rev": revisions[STAMP], "git_sha": revisions["git_revision"]}


def _run_of(log: Tracking) -> dict[str, str]:
    """The run in MLflow that this training is, without where its store is; empty if none was opened."""
    return {"run_id": log.run_id} if log.run_id else {}


def _drawn_by(path: Path) -> PairSettings:
    """The settings that a table of pairs was drawn by.

    Raises:
        MtclarError: It does not say.
    """
    try:
        return PairSettings.model_validate(json.loads(read_notes(path)[DRAWN_BY]))
    except (KeyError, ValueError) as error:
        raise MtclarError(
            f"{path}: does not say how its pairs were drawn, which train.redraw needs; run 'mtclar pair' again."
        ) from error


def _write_history(out: Path, history: History) -> None:
    """history.csv, one row an epoch."""
    with whole_file(out / HISTORY) as partial:
        pd.DataFrame(history).to_csv(partial, index=False)


def _needed(store: FacesStore, pairs: pd.DataFrame) -> np.ndarray:
    """Rows of the store to load: all labelled faces of the train and validation splits."""
    if not (pairs["split"] == "train").any():
        raise MtclarError("there are no pairs in the train split; run 'mtclar pair' on more faces.")
    pairs = pairs[pairs["split"] != "test"]
    rows = pairs[["left", "right"]].to_numpy()
    if rows.min() < 0 or rows.max() >= len(store):
        raise MtclarError(
            f"the pairs point at row {rows.max()} of a faces store of {len(store)}; run 'mtclar pair' on these faces."
        )
    table = store.table
    if (table["split"].to_numpy()[rows[:, 0]] != pairs["split"].to_numpy()).any():
        raise MtclarError("the pairs and the faces differ in their splits; run 'mtclar pair' on these faces.")
    check_belong(pairs, table)
    labelled = table["valence"].notna() | table["arousal"].notna() | table["expression"].notna()
    return np.flatnonzero(labelled & table["split"].isin(["train", "validation"]))


def _check_taught(s: TrainSettings, pairs: pd.DataFrame) -> None:
    """Raises if a task is to be learned of which no training pair knows the truth: its projector would say anything."""
    known = {"similarity": "similar", "embedding": "similar", "valence": "d_valence", "arousal": "d_arousal"}
    untaught = [task for task in s.tasks if pairs[known[task]].isna().all()]
    if untaught:
        rest = ",".join(task for task in s.tasks if task not in untaught)
        raise MtclarError(
            f"train.tasks names {' and '.join(untaught)}, but no training pair knows the truth of it; "
            + (f"train with --set train.tasks=[{rest}]." if rest else "label more faces and run 'mtclar pair' again.")
        )


def _fingerprints(s: TrainSettings, spec: ModelSpec, crop: CropSpec, faces: Path, pairs: Path) -> tuple[str, str]:
    """Changes with whatever changes the weights: all of them, and those that the pairs teach (see `HEADS`).

    Raises:
        MtclarError: `train.pretrained` cannot be read.
    """
    files = [faces / "store.json", faces / "faces.parquet", pairs / "pairs.parquet", *sorted(faces.glob("crops-*"))]
    files += [faces / MADE] if s.auxiliary and (faces / MADE).is_file() else []
    parts = [_sha256(path) for path in files]
    if s.pretrained:
        try:
            given = Path(s.pretrained)
            parts.append(_sha256(given / WEIGHTS if given.is_dir() else given))
        except OSError as error:
            raise MtclarError(f"train.pretrained={s.pretrained}: cannot be read ({error.strerror}).") from error

    def of(without: set[str]) -> str:
        about = [__version__, s.model_dump(exclude=without, mode="json"), asdict(spec), crop.to_dict()]
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode() + b"".join(parts)).hexdigest()

    return of(NO_MATTER), of(NO_MATTER | HEADS)


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
