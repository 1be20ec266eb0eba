"""Files of other tools, one module a format: what people annotate in, and what they carry labels to.

`read_annotations` and `write_annotations` choose the module by the name of the format or by the file itself. docs/
formats.md lists what each format holds.
"""

from mtclar.formats.annotations import Annotations, Placed, Timeline, place
from mtclar.formats.registry import FORMATS, Format, format_of, read_annotations, write_annotations

__all__ = [
    "FORMATS",
    "Annotations",
    "Format",
    "Placed",
    "Timeline",
    "format_of",
    "place",
    "read_annotations",
    "write_annotations",
]
