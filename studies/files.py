"""What a study leaves behind: studies/results/<name>/ with tables (CSV and Markdown) and figures (SVG)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pandas as pd

from mtclar.data.whole import whole_folder
from studies.plan import RESULTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE = "table.csv"


def markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """A table in Markdown; numbers with `digits` decimals, a dash for what is not known."""

    def cell(value: object) -> str:
        if isinstance(value, float | np.floating):
            return "–" if np.isnan(value) else f"{value:.{digits}f}"
        return "–" if value is None else str(value)

    lines = ["| " + " | ".join(map(str, table.columns)) + " |"]
    lines.append("|" + "|".join("---" if pd.api.types.is_string_dtype(t) else "---:" for t in table.dtypes) + "|")
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in table.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def write_results(name: str, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Figure]) -> Path:
    """Writes a study's tables and figures; the folder appears whole or not at all.

    Args:
        name: Of the study.
        tables: By file name without its ending; one is called `table`.
        figures: The same.

    Returns:
        The folder.
    """
    out = RESULTS / name
    with whole_folder(out, known_by=TABLE) as folder:
        for stem, table in tables.items():
            table.to_csv(folder / f"{stem}.csv", index=False, float_format="%.5g", lineterminator="\n")
            (folder / f"{stem}.md").write_text(markdown(table), encoding="utf-8")
        with matplotlib.rc_context({"svg.hashsalt": "mtclar"}):  # the same bytes for the same figure
            for stem, figure in figures.items():
                figure.savefig(folder / f"{stem}.svg", metadata={"Date": None})
    return out
