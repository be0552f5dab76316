"""The unit files: systemd reads them without complaint, and they allow no more than they must."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent.parent / "systemd"
MOST_EXPOSED = 2.0
"""Of 10, as systemd-analyze rates it."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (systemd)")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


@needs_systemd
def test_the_system_service_is_rated_below_two() -> None:
    done = analyze("security", "--offline=true", str(UNITS / "clawatch.service"))
    if "Unknown option" in done.stderr or "unrecognized option" in done.stderr:
        pytest.skip("needs systemd 250 or newer")
    found = re.search(r"Overall exposure level for clawatch.service: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found.group(1)) < MOST_EXPOSED


@needs_systemd
@pytest.mark.parametrize("name", ["clawatch.service", "user/clawatch.service"])
def test_systemd_understands_every_line(name: str, tmp_path: Path) -> None:
    """With a command that is there, since it looks for that too; as a system service, for want of a user's manager."""
    unit = tmp_path / "clawatch.service"
    unit.write_text(re.sub(r"(?m)^ExecStart=.*", "ExecStart=/bin/true", (UNITS / name).read_text()))
    done = analyze("verify", "--man=no", str(unit))
    complaints = [line for line in done.stderr.splitlines() if "clawatch.service" in line]
    assert complaints == []


@pytest.mark.parametrize("name", ["clawatch.service", "user/clawatch.service"])
def test_both_watch_us_and_do_not_repeat_mistakes_in_the_configuration(name: str) -> None:
    lines = (UNITS / name).read_text().splitlines()
    for wanted in ("Type=notify", "WatchdogSec=60s", "RestartPreventExitStatus=2", "ExecReload=kill -HUP $MAINPID"):
        assert wanted in lines


def test_a_leak_ends_the_daemon_and_not_the_machine() -> None:
    """What a plugin leaks cannot be told from what the daemon needs; so all together may have so much."""
    lines = (UNITS / "clawatch.service").read_text().splitlines()
    assert {"MemoryMax=1G", "TasksMax=128", "Restart=on-failure"} <= set(lines)
