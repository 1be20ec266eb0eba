"""The parts of the paper's protocol, each with the settings and the inputs that it depends on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.folds import fold_count, splits_of
from mtclar.data.store import FacesStore
from mtclar.data.whole import whole_file
from mtclar.evaluation.answers import Embeddings
from mtclar.evaluation.scores import plain
from mtclar.progress import Progress
from mtclar.settings import Settings, SplitSettings
from mtclar.steps import crop, evaluate, pair, train, validate
from mtclar.steps.embed import embed_rows
from mtclar.steps.reproduce_afew import few_shot_rows, label_folds, release_rows, supervised_rows
from mtclar.steps.reproduce_stages import Part, Parts, given

NO_MATTER = {"threads", "workers", "memory_gb"}
"""Settings of `train` that change how fast it goes and nothing else."""


class Work:
    """The parts of the protocol with their settings."""

    def __init__(self, s: Settings, parts: Parts) -> None:
        self.s, self.parts = s, parts

    def faces(self, name: str, data: Path, source: Any) -> Part:
        """A data set's faces, cropped and found valid."""
        settings = self.s.crop.model_copy(update={"source": source})
        faces = self.parts.make(
            f"{name}/crop",
            lambda to, tell: crop.run(settings, data=data, out=to, progress=tell),
            settings=settings.model_dump(mode="json", exclude={"workers"}),
            of={"data": given(data)},
        )
        self.parts.make(
            f"{name}/validate",
            lambda to, tell: validate.run(self.s.validate_, faces=faces.path, out=to, progress=tell),
            settings=self.s.validate_.model_dump(mode="json"),
            of={"faces": faces},
        )
        return faces

    def pairs(self, name: str, faces: Part) -> Part:
        """Pairs of faces that were found valid."""
        verdict = self.parts.out / name / "validate"
        return self.parts.make(
            f"{name}/pair",
            lambda to, _: pair.run(self.s.pair, faces=faces.path, verdict=verdict, out=to),
            settings=self.s.pair.model_dump(mode="json"),
            of={"faces": faces},
        )

    def training(self, name: str, faces: Part, pairs: Part, *, tasks: tuple[Any, ...]) -> Part:
        """A checkpoint; a training that was killed goes on where it was."""
        settings = self.s.train.model_copy(update={"tasks": tasks})
        of = {"faces": faces, "pairs": pairs}
        if settings.pretrained:
            of["pretrained"] = given(Path(settings.pretrained))
        return self.parts.make(
            name,
            lambda to, tell: train.run(settings, faces=faces.path, pairs=pairs.path, out=to, progress=tell),
            settings=settings.model_dump(mode="json", exclude=NO_MATTER),
            of=of,
        )

    def json(self, name: str, work: Callable[[Progress], Any], *, of: dict[str, Part]) -> Any:
        """A JSON file that `work` gives the content of, judged as the section `evaluate` says."""

        def make(to: Path, tell: Progress) -> None:
            with whole_file(to) as partial:
                partial.write_text(json.dumps(plain(work(tell)), indent=2, allow_nan=False) + "\n", encoding="utf-8")

        part = self.parts.make(name, make, settings=self.s.evaluate.model_dump(mode="json"), of=of)
        return json.loads(part.path.read_text(encoding="utf-8"))

    def judged(self, expressions: Any, faces: Part, pairs: Part, checkpoint: Part) -> dict[str, Any]:
        """metrics.json of AffectNet's validation pictures with 8 or 7 expressions; it has them raw and cleaned."""
        settings = self.s.evaluate.model_copy(update={"expressions": expressions, "split": "test"})
        part = self.parts.make(
            f"affectnet/evaluate-{expressions}",
            lambda to, tell: evaluate.run(
                settings, faces=faces.path, pairs=pairs.path, checkpoint=checkpoint.path, out=to, progress=tell
            ),
            settings=settings.model_dump(mode="json"),
            of={"faces": faces, "pairs": pairs, "checkpoint": checkpoint},
        )
        return json.loads((part.path / "metrics.json").read_text(encoding="utf-8"))

    def afew(self, faces: Part, checkpoint: Part) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Rows of few-shot labelling, of the release's protocol, and of the supervised heads."""
        s, table = self.s, FacesStore(faces.path).table
        folds = folds_of(table, s.split)
        of = {"faces": faces, "checkpoint": checkpoint}

        def embed(to: Path, tell: Progress) -> None:
            from mtclar.model.predictor import TorchPredictor

            predictor = TorchPredictor.from_checkpoint(checkpoint.path)
            found = embed_rows(FacesStore(faces.path), np.arange(len(table)), predictor, progress=tell)
            with whole_file(to) as partial, partial.open("wb") as file:
                arrays: dict[str, Any] = {"rows": found.rows, "values": found.values, "quality": found.quality}
                np.savez(file, **arrays)

        known = self.parts.make("afew-va/embeddings.npz", embed, of=of)
        with np.load(known.path) as saved:
            embeddings = Embeddings(saved["rows"], saved["values"], saved["quality"])
        of["embeddings"] = known
        settings = {"split": s.split.model_dump(mode="json"), "evaluate": s.evaluate.model_dump(mode="json")}

        def label(to: Path, tell: Progress) -> None:
            from mtclar.model.predictor import TorchPredictor

            heads = TorchPredictor.from_checkpoint(checkpoint.path)
            found = label_folds(s.evaluate, table, folds, embeddings, heads, tell)
            rng = np.random.default_rng(s.evaluate.seed)
            _write_rows(release_rows(s.evaluate, found, rng), to.with_name("release.csv"))
            _write_rows(few_shot_rows(s.evaluate, found, rng), to)

        def learn(to: Path, tell: Progress) -> None:
            rng = np.random.default_rng(s.evaluate.seed)
            rows = supervised_rows(
                s.evaluate,
                s.train,
                faces=faces.path,
                folds=folds,
                checkpoint=checkpoint.path,
                embeddings=embeddings,
                rng=rng,
                progress=tell,
            )
            _write_rows(rows, to)

        few = self.parts.make("afew-va/few-shot.csv", label, settings=settings, of=of)
        heads = {"train": s.train.model_dump(mode="json", exclude=NO_MATTER)}
        supervised = self.parts.make("afew-va/supervised.csv", learn, settings=settings | heads, of=of)
        files = few.path, few.path.with_name("release.csv"), supervised.path
        first, second, third = (pd.read_csv(path, keep_default_na=False, na_values=["nan"]) for path in files)
        return first, second, third


def folds_of(faces: pd.DataFrame, s: SplitSettings) -> np.ndarray:
    """The fold in which each face (n,) is judged: int from 0, grouped by subject.

    Raises:
        MtclarError: There are fewer than two subjects a fold.
    """
    folds = np.full(len(faces), -1)
    s = s.model_copy(update={"protocol": "folds", "validation": 0.0})
    for fold in range(fold_count(faces, s)):
        folds[splits_of(faces, s.model_copy(update={"fold": fold})) == "test"] = fold
    return folds


def _write_rows(rows: pd.DataFrame, path: Path) -> None:
    with whole_file(path) as partial:
        rows.to_csv(partial, index=False, na_rep="nan", float_format="%.6g")
