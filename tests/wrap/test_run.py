"""``clawatch wrap`` as people start it, with real processes and a stand-in of the daemon on a real port."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clawatch.testing.standin import StandIn
from clawatch.wrap import processes

Family = Callable[[Any], list[processes.Process]]
Until = Callable[[Callable[[], Any]], Any]

MODES = pytest.mark.parametrize("options", [(), ("--no-cgroup",)], ids=["freezer-where-it-may", "signals"])
QUICK = (
    "import sys; from clawatch.wrap.run import Options, run; "
    "sys.exit(run(sys.argv[4:], Options('w', heartbeat_every=0.2, uses_cgroup=False, is_watched={watched})))"
)
TREES = {
    "setsid": ("setsid sleep 1000 & sleep 1000; true", 3),
    "double fork": ("(setsid bash -c 'sleep 1000 & sleep 1000; true' &); sleep 1000; true", 5),
    "job control": ("set -m; sleep 1000 & sleep 1000 & wait; true", 3),
    "threads": (
        f"{sys.executable} -c 'import threading, time; threading.Thread(target=time.sleep, args=[1000]).start()'", 1
    ),
}


def is_steady(family: list[processes.Process], count: int) -> bool:
    return len(family) == count and states(family) == {"S"}


def states(family: list[processes.Process]) -> set[str]:
    return {process.state for process in family}


@MODES
@pytest.mark.parametrize("tree", TREES)
def test_every_process_is_paused_resumed_and_stopped(
    wrapping: Any, daemon: StandIn, family: Family, until: Until, tree: str, options: tuple[str, ...]
) -> None:
    script, count = TREES[tree]
    wrap = wrapping.start("bash", "-c", script, options=options)
    until(lambda: is_steady(family(wrap), count))
    before = {process.identity for process in family(wrap)}

    assert daemon.result(daemon.command("w", "pause"))["state"] == "confirmed"
    assert states(family(wrap)) == {"T"}
    assert {process.identity for process in family(wrap)} == before

    assert daemon.result(daemon.command("w", "resume"))["state"] == "confirmed"
    until(lambda: states(family(wrap)) == {"S"})
    assert {process.identity for process in family(wrap)} == before

    stop = daemon.command("w", "stop")
    assert daemon.result(stop) == {"state": "confirmed", "message": "ended"}
    assert wrap.wait(15) == 143
    assert all(one is None or one.is_dead for one in (processes.read(pid) for pid, _ in before))


@MODES
def test_a_command_that_forks_all_the_time_does_not_escape(
    wrapping: Any, daemon: StandIn, family: Family, until: Until, options: tuple[str, ...]
) -> None:
    wrap = wrapping.start("bash", "-c", "while :; do (sleep 0.2 & sleep 0.2 &); done", options=options)
    until(lambda: len(family(wrap)) > 5)
    assert daemon.result(daemon.command("w", "pause"))["state"] == "confirmed"
    paused = family(wrap)
    assert all(process.is_at_rest for process in paused)
    assert {one.identity for one in family(wrap)} == {one.identity for one in paused}
    assert daemon.result(daemon.command("w", "stop"), timeout=30)["state"] == "confirmed"
    wrap.wait(15)
    assert family(wrap) == []


@MODES
def test_who_ignores_sigterm_is_killed_after_the_grace(
    wrapping: Any, daemon: StandIn, family: Family, until: Until, options: tuple[str, ...]
) -> None:
    script = "trap '' TERM; echo x; while :; do sleep 1000; done"
    wrap = wrapping.start("bash", "-c", script, options=(*options, "--grace", "0.3"))
    assert wrap.stdout.readline() == b"x\n"
    stop = daemon.command("w", "stop")
    assert daemon.result(stop) == {"state": "confirmed", "message": "killed after 0.3 s"}
    assert wrap.wait(15) == 137
    assert daemon.of_type("error") == []


def test_a_paused_command_can_be_stopped(wrapping: Any, daemon: StandIn, family: Family, until: Until) -> None:
    wrap = wrapping.start("bash", "-c", "trap 'exit 5' TERM; echo x; while :; do sleep 0.05; done")
    assert wrap.stdout.readline() == b"x\n"
    daemon.result(daemon.command("w", "pause"))
    assert daemon.result(daemon.command("w", "stop"))["state"] == "confirmed"
    assert wrap.wait(15) == 5


def test_what_was_stopped_before_the_pause_stays_so(
    wrapping: Any, daemon: StandIn, family: Family, until: Until
) -> None:
    wrap = wrapping.start("bash", "-c", "sleep 1001 & kill -STOP $!; echo $!; sleep 1002")
    pid = int(wrap.stdout.readline())
    until(lambda: processes.read(pid).state == "T")  # type: ignore[union-attr]
    daemon.result(daemon.command("w", "pause"))
    assert daemon.result(daemon.command("w", "resume"))["state"] == "confirmed"
    assert {one.state for one in family(wrap) if one.pid != pid} == {"S"}
    assert processes.read(pid).state == "T"  # type: ignore[union-attr]


def test_a_pause_is_held_against_a_strangers_sigcont(
    wrapping: Any, daemon: StandIn, family: Family, until: Until
) -> None:
    wrap = wrapping.start("bash", "-c", "sleep 1000; true", code=QUICK.format(watched=True))
    until(lambda: len(family(wrap)) == 2)
    daemon.result(daemon.command("w", "pause"))
    for process in family(wrap):
        processes.send(process, signal.SIGCONT)
    until(lambda: states(family(wrap)) == {"T"})


def test_what_is_left_of_a_paused_command_can_still_be_resumed(
    wrapping: Any, daemon: StandIn, family: Family, until: Until
) -> None:
    wrap = wrapping.start("bash", "-c", "setsid sleep 1000 & echo $$; sleep 1000; true")
    command = int(wrap.stdout.readline())
    until(lambda: len(family(wrap)) == 3)
    daemon.result(daemon.command("w", "pause"))
    os.kill(command, signal.SIGKILL)
    until(lambda: command not in [one.pid for one in family(wrap)])
    assert wrap.poll() is None
    assert daemon.result(daemon.command("w", "resume"))["state"] == "confirmed"
    assert wrap.wait(15) == 137
    for number in daemon.of_type("status_change")[-1]["data"]["left"]:
        os.kill(int(number.split("pid ")[1].rstrip(")")), signal.SIGKILL)


def test_it_takes_pause_resume_and_stop_only(wrapping: Any, daemon: StandIn) -> None:
    wrapping.start("sleep", "1000")
    result = daemon.result(daemon.command("w", "execute", code="rm -rf /"))
    assert result["state"] == "unsupported"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["bash", "-c", "exit 3"], 3),
        (["bash", "-c", "kill -9 $$"], 137),
        (["bash", "-c", "kill -TERM $$"], 143),
        (["/nowhere/to-be-found"], 127),
        (["/etc/passwd"], 126),
    ],
)
def test_the_exit_code_is_the_commands_own(wrapping: Any, command: list[str], code: int) -> None:
    assert wrapping.run(*command)[0] == code


def test_an_end_and_its_failure_are_reported(wrapping: Any, daemon: StandIn) -> None:
    wrapping.run("bash", "-c", "exit 3")
    told = [(event["type"], event.get("kind", ""), event["data"]) for event in daemon.events]
    assert told[0][:2] == ("status_change", "wrap")
    assert told[0][2]["command"] == "bash -c 'exit 3'"
    assert told[1] == ("error", "", {"error": "exited with code 3", "exitCode": 3})
    assert told[2][2] == {"status": "stopped", "exitCode": 3, "reason": "exited with code 3"}


def test_a_clean_end_is_no_error(wrapping: Any, daemon: StandIn) -> None:
    wrapping.run("true")
    assert [event["data"]["status"] for event in daemon.events] == ["running", "stopped"]


def test_a_command_that_cannot_start_is_an_error(wrapping: Any, daemon: StandIn) -> None:
    _, _, err = wrapping.run("/nowhere/to-be-found")
    assert err == b"clawatch: /nowhere/to-be-found: No such file or directory\n"
    assert [event["type"] for event in daemon.events] == ["error", "status_change"]


def test_input_and_output_pass_through_unchanged(wrapping: Any, tmp_path: Path) -> None:
    everything = bytes(range(256)) * 5000
    (tmp_path / "in").write_bytes(everything)
    with (tmp_path / "in").open("rb") as given, (tmp_path / "out").open("wb") as taken:
        code, _, err = wrapping.run("bash", "-c", "cat; echo oops >&2", stdin=given, stdout=taken)
    assert (code, err) == (0, b"oops\n")
    assert (tmp_path / "out").read_bytes() == everything


def test_the_command_has_the_very_same_streams(wrapping: Any, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+b") as taken:
        wrapping.run("readlink", "/proc/self/fd/1", stdout=taken)
    assert (tmp_path / "out").read_text() == f"{tmp_path / 'out'}\n"


def test_the_command_gets_the_environment_without_the_key(wrapping: Any) -> None:
    wrapping.environment["KEPT"] = "yes"
    _, out, _ = wrapping.run("env", "-0")
    names = {line.split(b"=")[0] for line in out.split(b"\0") if line}
    assert names == {name.encode() for name in wrapping.environment} - {b"CLAWATCH_KEY"}


def test_secrets_on_the_command_line_are_not_sent(wrapping: Any, daemon: StandIn) -> None:
    wrapping.run("echo", "--api-key", "sk-live-0123456789abcdef", "X_TOKEN=hunter2")
    assert "0123456789" not in json.dumps(daemon.events)
    assert "hunter2" not in json.dumps(daemon.events)


def test_signal_masks_are_not_inherited(wrapping: Any) -> None:
    _, out, _ = wrapping.run("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    blocked, ignored = (int(line.split()[1], 16) for line in out.splitlines())
    assert (blocked, ignored & (1 << (signal.SIGPIPE - 1))) == (0, 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_forwarded_to_the_command(wrapping: Any, daemon: StandIn, number: signal.Signals) -> None:
    wrap = wrapping.start("bash", "-c", f"trap 'exit 7' {number.name}; echo x; while :; do sleep 0.05; done")
    assert wrap.stdout.readline() == b"x\n"
    wrap.send_signal(number)
    assert wrap.wait(15) == 7


def test_sigterm_reaches_a_paused_command_too(wrapping: Any, daemon: StandIn) -> None:
    wrap = wrapping.start("bash", "-c", "trap 'exit 7' TERM; echo x; while :; do sleep 0.05; done")
    assert wrap.stdout.readline() == b"x\n"
    daemon.result(daemon.command("w", "pause"))
    wrap.send_signal(signal.SIGTERM)
    assert wrap.wait(15) == 7


COUNTING = (
    "import signal, sys, time\n"
    "hits = []\n"
    "signal.signal(signal.SIGINT, lambda *_: (hits.append(1), print('hit', flush=True)))\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(10 + len(hits)))\n"
    "print('tty', sys.stdin.isatty(), sys.stdout.isatty(), flush=True)\n"
    "while True: time.sleep(0.05)\n"
)


def read_until(fd: int, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        assert select.select([fd], [], [], 15)[0], got
        got += os.read(fd, 1000)
    return got


def test_ctrl_c_on_a_terminal_reaches_the_command_once(wrapping: Any) -> None:
    master, slave = pty.openpty()
    take_terminal = "import fcntl,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    wrap = wrapping.start(
        sys.executable, "-c", COUNTING, code=take_terminal + "from clawatch.cli.agents import wrap; wrap()",
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )
    os.close(slave)
    read_until(master, b"tty True True")
    os.write(master, b"\x03")
    read_until(master, b"hit")
    wrap.send_signal(signal.SIGTERM)
    assert wrap.wait(15) == 11
    os.close(master)


SHELL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    os.execvp(sys.executable, [sys.executable, "-c", "from clawatch.cli.agents import wrap; wrap()", *sys.argv[1:]])
_, status = os.waitpid(pid, os.WUNTRACED)
os.tcsetpgrp(0, os.getpgrp())
print("suspended" if os.WIFSTOPPED(status) else "ended", flush=True)
sys.stdin.readline()
os.tcsetpgrp(0, pid)
os.killpg(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
TAKE_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"


def test_ctrl_z_stops_command_and_wrap_as_a_shell_expects(wrapping: Any, daemon: StandIn) -> None:
    master, slave = pty.openpty()
    wrap = wrapping.start(
        sys.executable, "-c", COUNTING, code=TAKE_TERMINAL + SHELL,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )
    os.close(slave)
    read_until(master, b"tty True True")
    os.write(master, b"\x1a")
    read_until(master, b"suspended")
    daemon.wait_for(lambda: daemon.events[-1]["data"]["status"] == "paused")
    os.write(master, b"fg\n")
    daemon.wait_for(lambda: daemon.events[-1]["data"]["status"] == "running")
    os.write(master, b"\x03")
    read_until(master, b"hit")
    daemon.command("w", "stop")
    assert wrap.wait(15) == 11
    os.close(master)


def test_ctrl_z_where_no_shell_could_continue_it_stops_nothing(wrapping: Any, daemon: StandIn) -> None:
    master, slave = pty.openpty()
    wrap = wrapping.start(
        sys.executable, "-c", COUNTING, code=TAKE_TERMINAL + "from clawatch.cli.agents import wrap; wrap()",
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )
    os.close(slave)
    read_until(master, b"tty True True")
    os.write(master, b"\x1a")
    daemon.wait_for(lambda: [event["data"]["status"] for event in daemon.events] == ["running", "paused", "running"])
    wrap.send_signal(signal.SIGTERM)
    assert wrap.wait(15) == 10
    os.close(master)


def test_the_command_runs_although_nobody_listens(wrapping: Any, daemon: StandIn, tmp_path: Path) -> None:
    daemon.stop()
    code, out, err = wrapping.run("bash", "-c", "echo done; exit 4")
    assert (code, out) == (4, b"done\n")
    assert b"clawatch: ClaWatch takes no events" in err
    kept = [json.loads(line) for file in tmp_path.rglob("*.ndjson") for line in file.read_text().splitlines()]
    assert [event["data"].get("status", event["type"]) for event in kept] == ["running", "error", "stopped"]
    daemon.start()
    wrapping.run("true")
    daemon.wait_for(lambda: len(daemon.events) >= 2)


def test_a_sleeper_is_alive_without_progress(wrapping: Any, daemon: StandIn) -> None:
    wrapping.start("sleep", "1000", code=QUICK.format(watched=True))
    daemon.wait_for(lambda: len(daemon.of_type("heartbeat")) >= 4)
    assert [beat["data"] for beat in daemon.of_type("heartbeat")[1:4]] == [{"progress": False}] * 3


def test_a_sleeper_by_intent_is_never_stuck(wrapping: Any, daemon: StandIn) -> None:
    wrapping.start("sleep", "1000", code=QUICK.format(watched=False))
    daemon.wait_for(lambda: len(daemon.of_type("heartbeat")) >= 3)
    assert [beat["data"] for beat in daemon.of_type("heartbeat")[:3]] == [{"progress": True}] * 3


@pytest.mark.parametrize(
    "work",
    [
        "while sleep 0.1; do echo x; done",
        "while :; do :; done",
        "(while sleep 0.1; do echo x >/dev/null; done) & wait",
    ],
    ids=["output", "cpu", "output of a child"],
)
def test_output_and_cpu_use_are_progress(wrapping: Any, daemon: StandIn, work: str) -> None:
    wrapping.start("bash", "-c", work, code=QUICK.format(watched=True), stdout=subprocess.DEVNULL)
    daemon.wait_for(lambda: [beat["data"]["progress"] for beat in daemon.of_type("heartbeat")[-2:]] == [True, True])


def test_a_paused_command_makes_no_progress(wrapping: Any, daemon: StandIn) -> None:
    wrapping.start("bash", "-c", "while :; do :; done", code=QUICK.format(watched=False))
    daemon.wait_for(lambda: daemon.of_type("heartbeat"))
    daemon.result(daemon.command("w", "pause"))
    seen = len(daemon.of_type("heartbeat"))
    daemon.wait_for(lambda: len(daemon.of_type("heartbeat")) >= seen + 3)
    assert daemon.of_type("heartbeat")[-1]["data"] == {"progress": False}


def test_what_outlives_the_command_is_named(wrapping: Any, daemon: StandIn, family: Family) -> None:
    code, _, err = wrapping.run("bash", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
    assert code == 0
    (left,) = daemon.events[-1]["data"]["left"]
    os.kill(int(left.split("pid ")[1].rstrip(")")), signal.SIGKILL)
    assert f"still running, and no longer watched: {left}" in err.decode()  # by then setsid may not be sleep yet


def test_wait_all_stays_until_the_last_has_ended(wrapping: Any, daemon: StandIn, family: Family, until: Until) -> None:
    wrap = wrapping.start("bash", "-c", "setsid sleep 1000 & echo $!", options=("--wait-all",))
    pid = int(wrap.stdout.readline())
    until(lambda: [one.pid for one in family(wrap)] == [pid])
    assert wrap.poll() is None
    os.kill(pid, signal.SIGKILL)
    assert wrap.wait(15) == 0
