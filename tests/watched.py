"""A command run under watch: to whom it and its children spoke, and which files they wrote.

strace sees what native code does as well. Where there is none, or a process may not be traced, Python's own audit
events are taken, which miss native code; so a test looks at the files that are left as well.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CALLS = "connect,sendto,sendmsg,sendmmsg,openat,mkdirat,renameat,renameat2,linkat,symlinkat"
CALLS += ",?open,?creat,?mkdir,?rename,?link,?symlink"  # not on every architecture
STRACE = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-s", "4096", "-e", f"trace={CALLS}"]
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
_WRITTEN = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|^(?:creat|mkdir|rename|link|symlink)")
_AUDIT = """
import json, os, sys

def note(event, given):
    said = None
    if event == "socket.connect" and isinstance(given[1], tuple):
        said = ["spoke", str(given[1][0]), given[1][1]]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and given[0]:
        host = given[0].decode() if isinstance(given[0], bytes) else str(given[0])
        said = ["spoke", host, 0]
    elif event == "open" and isinstance(given[0], (str, bytes)) and given[2] and given[2] & (os.O_WRONLY | os.O_RDWR):
        said = ["wrote", os.path.abspath(os.fsdecode(given[0]))]
    if said:
        line = (json.dumps(said) + "\\n").encode()
        os.write(NOTES, line)

NOTES = os.open(os.environ["WATCH_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
sys.addaudithook(note)
"""


@dataclass(frozen=True)
class Watched:
    """What a command did.

    Attributes:
        code: Its exit status.
        said: Its standard output and error.
        spoke: Addresses beyond this machine to which a connection was tried, and questions for a name's address.
        wrote: Files and folders that were made, changed or renamed to, whether they are still there or not.
    """

    code: int
    said: str
    spoke: list[str]
    wrote: list[Path]


@cache
def traceable() -> bool:
    """Whether processes can be traced here."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run([*STRACE, "-o", os.devnull, "true"], capture_output=True, check=False)
    return tried.returncode == 0


def watch(command: Sequence[object], *, cwd: Path, notes: Path, env: Mapping[str, str], trace: bool = True) -> Watched:
    """Runs a command with nothing but `env` as its environment.

    Args:
        command: Program and arguments.
        cwd: Where it begins; relative paths are seen from there.
        notes: A new folder for what is taken down.
        env: Its environment.
        trace: Whether to use strace where that works.
    """
    notes.mkdir(parents=True)
    words, env = [str(word) for word in command], dict(env)
    trace = trace and traceable()
    if trace:
        words = [*STRACE, "-o", str(notes / "trace"), *words]
    else:
        (notes / "sitecustomize.py").write_text(_AUDIT, encoding="utf-8")
        env |= {
            "WATCH_NOTES": str(notes / "trace"),
            "PYTHONPATH": os.pathsep.join([str(notes), *filter(None, [env.get("PYTHONPATH")])]),
        }
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    lines = (notes / "trace").read_text(encoding="utf-8", errors="replace").splitlines()
    told = list(_of_strace(lines, cwd) if trace else map(json.loads, lines))
    spoke = [f"{host}:{port}" for kind, host, *rest in told for port in rest if kind == "spoke" and _beyond(host, port)]
    wrote = [Path(path) for kind, path, *_ in told if kind == "wrote" and Path(path) != Path(os.devnull)]
    return Watched(done.returncode, done.stdout + done.stderr, spoke, wrote)


def _beyond(host: str, port: int) -> bool:
    """Whether an address lies beyond this machine; the resolver of names does, wherever it listens."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host != "localhost"
    return port == 53 or not (address.is_loopback or address.is_unspecified)


def _of_strace(lines: list[str], cwd: Path) -> Iterator[list]:
    """What the lines of a trace tell, in the form of the audit's notes; a call may be spread over two of them."""
    begun: dict[str, str] = {}
    for line in lines:
        process, _, call = line.partition(" ")
        call = call.lstrip()
        if call.endswith("<unfinished ...>"):
            begun[process] = call.removesuffix("<unfinished ...>")
            continue
        if resumed := re.match(r"<\.\.\. \w+ resumed>", call):
            call = begun.pop(process, "") + call[resumed.end() :]
        if match := _ADDRESS.search(call):
            yield ["spoke", match[2], int(match[1])]
        elif _WRITTEN.search(call) and not re.search(r"= -1 E\w+ ", call):
            for folder, path in re.findall(r'(?:AT_FDCWD<([^>]*)>, )?"((?:[^"\\]|\\.)*)"', call)[-1:]:
                yield ["wrote", os.path.normpath(os.path.join(folder or cwd, path))]
