"""`mtclar promote` where the champion was judged on other data: it is judged anew, or there is no promotion."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from toy_bundle import toy_bundle

from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.registry.history import History
from mtclar.registry.register import register_bundle
from mtclar.serving import Bundle
from mtclar.serving.facts import headline
from mtclar.settings import PromoteSettings, RegisterSettings
from mtclar.steps import evaluate, promote
from steps.test_evaluate import SETTINGS, toy_faces

GATE = PromoteSettings.model_validate({"gate": {"valence_ccc": {"floor": -1.0, "margin": 0.0}}})


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[RegisterSettings, Path, dict[str, float]]:
    """A champion judged on old data, as its tags say very well, and a challenger judged on new data.

    The registry, the folder of the new data (`faces`, `pairs`) beside the old one, and how the champion does on it.
    """
    root = tmp_path_factory.mktemp("retrained")
    old, new = toy_faces(root / "old"), toy_faces(root / "new")
    facts = json.loads((new / "faces" / "store.json").read_text())
    (new / "faces" / "store.json").write_text(json.dumps(facts | {"data_revision": "b" * 64}))
    store = RegisterSettings(model_name="faces", tracking_uri=f"sqlite:///{root}/mlflow.db", experiment="tests")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # mlflow sets it, to the store of the test before
        patch.setenv("MTCLAR_CACHE", str(root / "cache"))
        for name, data, d_valence in (("champion", old, -0.5), ("challenger", new, 1.0)):
            plain, out = toy_bundle(root / "plain", d_valence), root / f"{name}-evaluation"
            judged = {"faces": new / "faces", "pairs": new / "pairs", "checkpoint": plain, "bundle": plain}
            evaluate.run(SETTINGS, **judged, out=out)
            metrics = headline(out)
            if name == "champion":
                truth, metrics = metrics, {"valence_ccc": 0.999, "arousal_ccc": 0.999}
            known = evaluate.judged_on(SETTINGS, faces=data / "faces", pairs=data / "pairs")
            facts = {"metrics": metrics, "evaluation_set": known, "data_revision": data.name[0] * 64}
            bundle = toy_bundle(root / name, d_valence, **facts)
            register_bundle(Bundle.load(bundle), store, [])
            if name == "champion":
                promote.run(GATE, registry=store)
        yield store, new, truth


def test_data_on_which_the_challenger_was_not_judged_are_refused_before_anything_is_embedded(
    retrained: tuple[RegisterSettings, Path, dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, new, _ = retrained
    with pytest.raises(MtclarError, match=r"judged on different data, .* --faces STORE --pairs DIR"):
        promote.run(GATE, registry=store, dry_run=True)
    monkeypatch.setattr(evaluate, "run", None)
    old = new.parent / "old"
    with pytest.raises(MtclarError, match=r"data revision a{12}\) are not what faces version 2 was judged on .*n{12}"):
        promote.run(GATE, registry=store, faces=old / "faces", pairs=old / "pairs", evaluate=SETTINGS, dry_run=True)
    other = SETTINGS.model_copy(update={"stride": 3})
    with pytest.raises(MtclarError, match="are not what faces version 2 was judged on"):
        promote.run(GATE, registry=store, faces=new / "faces", pairs=new / "pairs", evaluate=other, dry_run=True)
    with pytest.raises(MtclarError, match="give both --faces and --pairs"):
        promote.run(GATE, registry=store, faces=new / "faces", dry_run=True)


def test_the_champion_is_judged_anew_on_what_the_challenger_was_judged_on_and_without_torch(
    retrained: tuple[RegisterSettings, Path, dict[str, float]],
) -> None:
    store, new, truth = retrained
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from mtclar.settings import EvaluateSettings, PromoteSettings, RegisterSettings\n"
        "from mtclar.steps import promote\n"
        "gate, store, settings = map(json.loads, sys.argv[1:4])\n"
        "done = promote.run(PromoteSettings(**gate), registry=RegisterSettings(**store), faces=Path(sys.argv[4]),\n"
        "    pairs=Path(sys.argv[5]), evaluate=EvaluateSettings(**settings))\n"
        "print(json.dumps([str(done), 'torch' in sys.modules]))\n"
    )
    sections = [section.model_dump_json() for section in (GATE, store, SETTINGS)]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-c", code, *sections, str(new / "faces"), str(new / "pairs")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert answer.returncode == 0, answer.stderr
    said, torch = json.loads(answer.stdout.splitlines()[-1])
    assert "faces version 1 was judged anew on what faces version 2 was judged on." in said
    assert f"{truth['valence_ccc']:.3f}" in said
    assert "0.999" not in said
    assert "promoted to champion, in place of version 1" in said
    assert not torch
    entry = History.find(tracking.connect(store).MlflowClient(), "faces").entries()[-1]
    assert entry.over_metrics == pytest.approx(truth)


def test_without_mlflow_the_step_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args, **kwargs):
        if name == "mlflow":
            raise ModuleNotFoundError("No module named 'mlflow'", name="mlflow")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    registry = RegisterSettings(model_name="m", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db", experiment="e")
    with pytest.raises(MtclarError, match=r"needs mlflow, .* use: pip install 'mtclar\[registry\]'"):
        promote.run(GATE, registry=registry)
