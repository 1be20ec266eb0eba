from __future__ import annotations

import subprocess
import sys

import pytest

from mtclar import __version__
from mtclar.settings import SECTIONS

VERBS = [
    "sample",
    "synthesize",
    "crop",
    "split",
    "validate",
    "pair",
    "train",
    "evaluate",
    "export",
    "adopt",
    "register",
    "promote",
    "extract",
    "label",
    "check",
    "normalise",
]
QUESTIONS = ["suggest", "suspects", "why", "raters"]  # of a features file or of ratings: no step of a pipeline
PARTS = [f"pipeline {name}" for name in ("compile", "run", "submit")]
PARTS += [f"models {name}" for name in ("list", "show", "compare", "promote", "rollback", "history", "path", "ship")]
HEAVY = "torch mlflow kfp dvc great_expectations pandas numpy cv2 pyarrow onnxruntime av dlib matplotlib vtk pydantic"


def mtclar(*arguments: object, cwd: object = None) -> subprocess.CompletedProcess[str]:
    """Runs the command line as a user does, in a process of its own."""
    command = [sys.executable, "-m", "mtclar.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_help_imports_no_heavy_package():
    code = f"import sys, mtclar.cli; print([m for m in '{HEAVY}'.split() if m in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_help_names_every_verb_and_shows_an_example():
    answer = mtclar("--help")
    assert answer.returncode == 0
    assert all(verb in answer.stdout for verb in [*VERBS, *QUESTIONS, "pipeline"])
    assert "Example: mtclar label" in answer.stdout


@pytest.mark.parametrize("verb", [*VERBS, *QUESTIONS, *PARTS])
def test_the_help_of_every_verb_shows_an_example(verb):
    answer = mtclar(*verb.split(), "--help")
    assert answer.returncode == 0
    assert f"Example: mtclar {verb}" in answer.stdout


def test_every_verb_has_a_section_of_its_own():
    assert {*VERBS, "pipeline"} == set(SECTIONS)


def test_the_version_is_the_packages():
    assert mtclar("--version").stdout.strip() == __version__


def test_a_users_mistake_is_one_sentence_and_no_traceback(tmp_path):
    answer = mtclar("validate", "--faces", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert answer.returncode == 1
    assert "nowhere: expected a faces store" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_cluster_that_does_not_answer_is_one_sentence_by_its_cause():
    pytest.importorskip("kfp")
    options = ["--host", "http://127.0.0.1:9", "--data", "s3://b/d"]
    answer = mtclar("pipeline", "submit", "training", *options)
    assert answer.returncode == 1
    sentence = "mtclar: http://127.0.0.1:9: the Kubeflow Pipelines API cannot be reached (Connection refused); "
    assert answer.stderr.strip().startswith(sentence)
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_typo_in_params_yaml_is_answered_with_the_nearest_known_key(tmp_path, repository):
    text = (repository / "params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(text.replace("epochs:", "epcohs:", 1), encoding="utf-8")
    answer = mtclar("pair", "--faces", "a", "--verdict", "b", "--out", "c", cwd=tmp_path)
    assert answer.returncode == 1
    assert "unknown key 'train.epcohs' (did you mean 'epochs'?)" in answer.stderr


def test_an_interrupt_ends_with_a_word_and_its_exit_code():
    # a parent that ignores interrupts, such as a background job, would hand that on to the child
    code = (
        "import os, signal, mtclar.cli as cli\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "cli._settings = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
        "cli.main(['register'])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr.strip()) == (130, "mtclar: stopped.")
