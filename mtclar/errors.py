"""The errors a user can mend.

Every one carries one sentence: what was expected, what came, and where to fix it. The command line prints that
sentence and exits non-zero; anything else that is raised is a fault of ours and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MtclarError(ValueError):
    """Bad input or a broken promise, said in one sentence."""

    exit_code = 1


class PartialFailureError(MtclarError):
    """Some items of a batch failed; the others are done and written."""

    exit_code = 3


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `` (did you mean 'x'?)`` for the known name closest to `name`, or the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else f" (known: {', '.join(known)})"
