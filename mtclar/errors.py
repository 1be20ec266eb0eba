"""The errors a user can mend.

Every one carries one sentence: what was expected, what came, and where to fix it. The command line prints that
sentence and exits non-zero; anything else that is raised is a fault of ours and shows its traceback.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping


class MtclarError(ValueError):
    """Bad input or a broken promise, said in one sentence."""

    exit_code = 1


class PartialFailureError(MtclarError):
    """Some items of a batch failed; the others are done and written.

    Attributes:
        done: What the step would have returned had none failed, of those that are done; None where it does not say.
        failed: Why the others failed, one sentence each by name, where the step says.
    """

    exit_code = 3

    def __init__(self, sentence: str, done: object = None, failed: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.done, self.failed = done, dict(failed or {})


class NothingDoneError(MtclarError):
    """Every item of a batch failed.

    Attributes:
        failed: Why, one sentence each by name.
    """

    def __init__(self, sentence: str, failed: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.failed = dict(failed)


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns `` (did you mean 'x'?)`` for the known name closest to `name`, or the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f" (did you mean '{close[0]}'?)" if close else f" (known: {', '.join(known)})"


def counted(number: int, what: str) -> str:
    """A number of things: `1 line`, `2 lines`."""
    return f"{number} {what}{'s' * (number != 1)}"


def brief(error: BaseException | str) -> str:
    """What another library's error says, in one line without a password; of a failed connection only the cause."""
    text = public(str(error).strip())
    cause = re.search(r"new connection: \[Errno -?\d+\] ([\w ]+)", text) or re.search(r"(\w+ timeout)=", text)
    if cause:
        return cause[1]
    return text.splitlines()[0][:200].rstrip(".") if text else type(error).__name__


def public(text: str) -> str:
    """The text with every address in it less its user name and password."""
    return re.sub(r"://[^/\s]*@", "://", text)
