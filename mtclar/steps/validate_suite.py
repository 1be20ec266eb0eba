"""The Great Expectations suite of `validate`: what it expects, how it is run, and its pages made to work offline.

Great Expectations is imported inside the functions only: it takes seconds.
"""

from __future__ import annotations

import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtclar.data.tables import EXPRESSIONS, SPLITS
from mtclar.settings import ValidateSettings

EXAMPLES = 3
CLASS_SHARE = "expression_share"
"""Column put beside the faces for the suite: share of a face's expression among the faces that carry one."""

STYLE = """<style>
body{font:16px/1.5 system-ui,sans-serif;margin:2em auto;max-width:72em;padding:0 1em}
table{border-collapse:collapse;margin:.5em 0}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left}
.modal,.navbar,.ge-cta-footer,.d-none,button,form{display:none}.collapse{display:block}
</style>"""
"""Stands in for the style sheets that the pages would fetch."""

LOUD = ("great_expectations", "great_expectations.data_context.types.base")
"""Loggers of Great Expectations that speak of its own doings; the second sets a level of its own."""

_FETCHED = re.compile(r"<script\b.*?</script\s*>|<(?:link|img|iframe)\b[^>]*>", re.DOTALL | re.IGNORECASE)
_FETCHED_STYLE = re.compile(r"url\(\s*['\"]?(?:https?:)?//[^)]*\)|@import[^;]*;", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """What came of one expectation.

    Attributes:
        name: Short and unique.
        success: Whether it was met.
        observed: What was seen, in words.
        sentence: The expectation and what was seen, as one sentence.
        rows: Up to three rows of the store that break it.
    """

    name: str
    success: bool
    observed: str
    sentence: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Rule:
    """One expectation: its name, its class and arguments in Great Expectations, and what it says in words."""

    name: str
    kind: str
    arguments: dict[str, Any]
    says: str


def rules(s: ValidateSettings, table: pd.DataFrame) -> list[Rule]:
    """What the suite expects of a table of faces."""
    found = [
        Rule("rows", "ExpectTableRowCountToBeBetween", {"min_value": s.min_rows}, f"at least {s.min_rows} faces"),
        Rule("unique ids", "ExpectColumnValuesToBeUnique", {"column": "face_id"}, "every face_id occurs once"),
    ]
    for column in ("face_id", "dataset", "subject_id", "split"):
        found.append(
            Rule(f"{column} known", "ExpectColumnValuesToNotBeNull", {"column": column}, f"{column} is never null")
        )
    for column in ("w", "h"):
        arguments = {"column": column, "min_value": 0, "strict_min": True}
        found.append(Rule(f"{column} positive", "ExpectColumnValuesToBeBetween", arguments, f"{column} is above 0"))
    for column in ("valence", "arousal"):
        arguments = {"column": column, "min_value": -1, "max_value": 1}
        found.append(Rule(f"{column} range", "ExpectColumnValuesToBeBetween", arguments, f"{column} lies in [-1, 1]"))
        arguments = {"column": column, "mostly": 1 - s.max_null_affect}
        says = f"at most {s.max_null_affect:.1%} of the faces lack {column}"
        found.append(Rule(f"{column} nulls", "ExpectColumnValuesToNotBeNull", arguments, says))
    arguments = {"column": "split", "value_set": list(SPLITS)}
    found.append(Rule("known splits", "ExpectColumnValuesToBeInSet", arguments, f"split is one of {', '.join(SPLITS)}"))
    arguments = {"column": "split", "value_set": ["train"]}
    found.append(
        Rule(
            "something to learn from",
            "ExpectColumnDistinctValuesToContainSet",
            arguments,
            "the split train is not empty",
        )
    )
    arguments = {"column": "expression", "value_set": list(EXPRESSIONS)}
    says = f"expression is one of {', '.join(EXPRESSIONS)}"
    found.append(Rule("known expressions", "ExpectColumnValuesToBeInSet", arguments, says))
    if table["expression"].notna().any():  # clips may carry affect alone
        needed = [name for name in EXPRESSIONS if name not in s.absent_expressions]
        arguments = {"column": "expression", "value_set": needed}
        says = f"each of {', '.join(needed)} occurs"
        found.append(Rule("all expressions", "ExpectColumnDistinctValuesToContainSet", arguments, says))
        arguments = {"column": CLASS_SHARE, "min_value": s.min_class_share}
        says = f"each expression makes up at least {s.min_class_share:.1%} of those known"
        found.append(Rule("class balance", "ExpectColumnValuesToBeBetween", arguments, says))
    return found


def with_class_share(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the column `expression_share`."""
    return table.assign(**{CLASS_SHARE: table["expression"].map(table["expression"].value_counts(normalize=True))})


def judge(table: pd.DataFrame, s: ValidateSettings, docs: Path) -> list[Finding]:
    """Runs the suite over a table of faces and writes its Data Docs to `docs`.

    Args:
        table: Columns of `tables.FACES`.
        s: The section `validate` of params.yaml.
        docs: Folder of offline HTML pages; begins with index.html.
    """
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.base import ProgressBarsConfig

    # The terminal belongs to the caller.
    loud = [logging.getLogger(name) for name in LOUD]
    levels = [logger.level for logger in loud]
    for logger in loud:
        logger.setLevel(logging.WARNING)
    try:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
        asset = context.data_sources.add_pandas("store").add_dataframe_asset("faces")
        suite = gx.ExpectationSuite(name="faces")
        expected = rules(s, table)
        for rule in expected:
            suite.add_expectation(getattr(gxe, rule.kind)(**rule.arguments, meta={"name": rule.name}))
        definition = gx.ValidationDefinition(
            name="faces",
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(suite),
        )
        site: Any = {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.absolute())},
        }
        context.add_data_docs_site("offline", site)
        result = gx.Checkpoint(
            name="faces",
            validation_definitions=[context.validation_definitions.add(definition)],
            actions=[],
            result_format={
                "result_format": "SUMMARY",
                "unexpected_index_column_names": ["face_id"],
                "partial_unexpected_count": EXAMPLES,
            },
        ).run(batch_parameters={"dataframe": with_class_share(table)}, run_id=RunIdentifier(run_name="validate"))
        context.build_data_docs(site_names=["offline"])  # the other one, of the context itself, is left in /tmp
    finally:
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)
    make_offline(docs)
    by_name = {
        (item.expectation_config.meta or {})["name"]: item
        for run in result.run_results.values()
        for item in run.results
        if item.expectation_config
    }
    return [_finding(rule, by_name[rule.name], table) for rule in expected]


def _finding(rule: Rule, item: Any, table: pd.DataFrame) -> Finding:
    """One result of Great Expectations in words."""
    result = item.to_json_dict()["result"]
    rows = [row for row in result.get("partial_unexpected_index_list") or [] if isinstance(row, dict)][:EXAMPLES]
    success = bool(item.success)
    if rule.kind == "ExpectTableRowCountToBeBetween":
        observed = f"there are {len(table)}"
    elif rule.kind == "ExpectColumnDistinctValuesToContainSet":
        there = set(table[rule.arguments["column"]].dropna())
        lacking = [value for value in rule.arguments["value_set"] if value not in there]
        observed = f"there is no {', no '.join(lacking)}" if lacking else "all are there"
    elif "unexpected_count" not in result:
        observed = f"it could not be tried ({item.exception_info})"
    else:
        observed = f"{result['unexpected_count']} of {len(table)} faces are not so"
    examples = "; ".join(", ".join(f"{key} {value}" for key, value in row.items()) for row in rows)
    sentence = (
        f"Expected: {rule.says}; {observed}" + (f" (for example {examples})" if examples and not success else "") + "."
    )
    return Finding(rule.name, success, observed, sentence, [] if success else rows)


def make_offline(docs: Path) -> None:
    """Takes out of Data Docs all that a browser would fetch from elsewhere, and the pictures only such parts show."""
    shutil.rmtree(docs / "static" / "images", ignore_errors=True)
    for page in sorted(docs.rglob("*.html")):
        text = _FETCHED_STYLE.sub("none", _FETCHED.sub("", page.read_text(encoding="utf-8")))
        page.write_text(text.replace("</head>", STYLE + "</head>", 1), encoding="utf-8")
    for sheet in sorted(docs.rglob("*.css")):
        sheet.write_text(_FETCHED_STYLE.sub("none", sheet.read_text(encoding="utf-8")), encoding="utf-8")
