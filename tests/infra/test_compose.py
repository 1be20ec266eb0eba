"""infra/compose as a file: no default secret, nothing unpinned, limits and health checks everywhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(__file__).parents[2] / "infra" / "compose"


@pytest.fixture(scope="module")
def compose(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "compose.yaml").read_text())


def test_every_image_is_named_by_the_user_and_none_is_latest(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.search(r"\$\{\w+:\?[^}]+\}", service["image"]), name
        assert "latest" not in service["image"]


def test_every_variable_is_in_the_example_and_those_without_a_default_say_what_is_missing(
    compose: dict[str, Any], folder: Path
) -> None:
    text = (folder / "compose.yaml").read_text()
    used = dict(re.findall(r"\$\{(\w+)([^}]*)\}", text))
    lines = [line for line in (folder / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    given = dict(line.split("=", 1) for line in lines)
    assert set(used) == set(given)
    for name, rest in used.items():
        assert rest.startswith((":?", ":-")), name
        assert bool(given[name]) == rest.startswith(":-"), name
    assert not [name for name in given if re.search("PASSWORD|SECRET|KEY", name)]


def test_no_secret_is_a_value_and_every_one_that_a_service_reads_is_a_file_that_git_ignores(
    compose: dict[str, Any], folder: Path, repository: Path
) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY", name):
                assert name.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"]
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
    assert all(secret["file"].startswith("secrets/") for secret in compose["secrets"].values())
    ignored = (repository / ".gitignore").read_text().splitlines()
    assert {"/infra/compose/secrets/", "/infra/compose/.env"} <= set(ignored)


def test_every_service_runs_as_a_numbered_user_without_rights_within_limits(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
        assert "privileged" not in service
        assert not any("docker.sock" in str(volume) for volume in service.get("volumes", ()))
        if service.get("restart") != "no":
            assert service["healthcheck"]["test"]


def test_only_the_server_is_reached_from_outside_and_by_default_from_this_machine_alone(
    compose: dict[str, Any],
) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"mlflow": ["${MLFLOW_PUBLISH:-127.0.0.1:5000}:5000"]}
    assert compose["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "s3"):
        assert compose["services"][name]["networks"] == ["inside"]


def test_the_settings_are_those_that_the_server_knows(compose: dict[str, Any], repository: Path) -> None:
    server = (repository / "infra" / "mlflow" / "server.py").read_text()
    readme = (repository / "infra" / "mlflow" / "README.md").read_text()
    for name in compose["services"]["mlflow"]["environment"]:
        assert name in readme
        if not name.startswith("AWS"):
            assert name.removesuffix("_FILE") in server
