"""What a strict API server says of a custom resource, by the published schema of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def faults(value: Any, schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """What a strict API server would refuse: unknown fields, wrong types, missing fields."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "number": (int, float)}
    kind = schema.get("type")
    if schema.get("x-kubernetes-preserve-unknown-fields") and "properties" not in schema:
        return
    if kind and not (isinstance(value, kinds[kind]) and not (kind == "integer" and isinstance(value, bool))):
        yield f"{at}: expected {kind}, got {value!r}"
        return
    if isinstance(value, dict) and at != ".metadata":
        known, rest = schema.get("properties", {}), schema.get("additionalProperties")
        for name, item in value.items():
            if name in known:
                yield from faults(item, known[name], f"{at}.{name}")
            elif isinstance(rest, dict):
                yield from faults(item, rest, f"{at}.{name}")
            else:
                yield f"{at}: unknown field {name}"
        yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from faults(item, schema.get("items", {}), f"{at}[{number}]")
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is not one of {schema['enum']}"
