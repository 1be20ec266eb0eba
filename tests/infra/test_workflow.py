"""The workflow of continuous integration calls what everybody calls, by pinned actions and without rights."""

import re
from pathlib import Path

import yaml


def test_the_workflow_runs_what_ci_runs_by_pinned_actions_without_rights(repository: Path) -> None:
    text = (repository / ".github" / "workflows" / "ci.yaml").read_text()
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in [step.get("run") for step in steps]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    assert "secrets." not in text
