"""What mtclar sets in the environment of its process, and where it keeps what it may throw away.

Nothing leaves the machine. Several libraries report on their users unless a variable tells them not to; each reads it
when it is loaded, and onnxruntime gathers and sends from then on. So the package sets them when it is imported, before
any of these libraries can be: for the command line, for a program that imports mtclar, and for every process started
from either. What the environment says already stays as it is.
"""

from __future__ import annotations

import os
from pathlib import Path

SWITCHES = {
    "DO_NOT_TRACK": "1",  # understood by MLflow and Hugging Face among others
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime from 1.29 on; it would also keep an id of the device in ~/.cache
}
"""Environment variables and the values that switch reports off."""

CACHE = "MTCLAR_CACHE"
"""Environment variable that names another cache folder."""


def cache_root() -> Path:
    """The folder of what can be made or fetched again: $MTCLAR_CACHE, else mtclar in $XDG_CACHE_HOME or ~/.cache."""
    if own := os.environ.get(CACHE):
        return Path(own)
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path("~/.cache").expanduser()) / "mtclar"


def prepare() -> None:
    """Sets the switches; and matplotlib's list of fonts goes into our cache unless there is a folder of its own."""
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    home = os.path.expanduser("~")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config") / "matplotlib"
    if os.path.isabs(home) and not config.is_dir():
        os.environ.setdefault("MPLCONFIGDIR", str(cache_root() / "matplotlib"))
