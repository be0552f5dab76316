"""``clawatch wrap`` put together: the command, its brake, and what ClaWatch is told of it."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

from clawatch.client import Client, Command, Result
from clawatch.wrap import processes
from clawatch.wrap.brake import Brake, Outcome
from clawatch.wrap.commandline import redacted
from clawatch.wrap.freezer import Freezer
from clawatch.wrap.progress import Progress
from clawatch.wrap.supervisor import ENDING, Received, Supervisor, become_subreaper, hide_memory

HEARTBEAT_EVERY = 20.0
SECRETS = ("CLAWATCH_KEY",)
"""Variables that are ours alone."""
_NOT_FOUND = 127
_NOT_EXECUTABLE = 126  # as shells have it
_CLOSE_WITHIN = 3.0


class Options(NamedTuple):
    agent: str
    name: str | None = None
    url: str | None = None
    grace: float = 10.0
    """Seconds between SIGTERM and SIGKILL."""
    is_watched: bool = True
    """Whether it counts as stuck when nothing moves."""
    uses_cgroup: bool = True
    waits_for_all: bool = False
    """Stay until the last descendant has ended, not only the command."""
    is_quiet: bool = False
    heartbeat_every: float = HEARTBEAT_EVERY


def run(command: Sequence[str], options: Options) -> int:
    """Run the command to its end; its exit code. To be called in the main thread."""
    _speak(options.is_quiet)
    return Wrapped(command, options).run()


class Wrapped:
    def __init__(self, command: Sequence[str], options: Options) -> None:
        self._command = list(command)
        self._options = options
        self._supervisor = Supervisor()
        self._freezer = Freezer.create() if options.uses_cgroup else None
        self._brake = Brake(self._freezer, changed=self._supervisor.wake)
        self._progress = Progress()
        self._was_told_to_end = False
        self._client = Client(
            options.agent,
            options.url,
            name=options.name,
            kind="wrap",
            heartbeat_every=options.heartbeat_every,
            watch_progress=True,
            progress=self._makes_progress,
        )

    def run(self) -> int:
        self._prepare()
        try:
            self._supervisor.spawn(self._command, _environment(), self._enter_cgroup)
        except OSError as error:
            return self._refused(error)
        self._client.on_command(self._carry)
        self._client.start(command=redacted(self._command), pid=self._supervisor.pid)
        self._attend()
        self._brake.wait()
        return self._leave()

    # -- the main thread ----------------------------------------------------------------------------------

    def _prepare(self) -> None:
        if not processes.HAS_PROC:
            _warn("there is no /proc here: the command counts as at work while it lives, and ClaWatch cannot pause it")
        if not become_subreaper():
            _warn("this system has no subreapers: what the command leaves orphaned cannot be paused or stopped")
        hide_memory()

    def _enter_cgroup(self) -> None:
        if self._freezer is not None:
            self._freezer.enter()

    def _attend(self) -> None:
        while not self._is_over():
            received = self._supervisor.next_signal()
            if received.number is signal.SIGCHLD:
                self._supervisor.reap()
            elif received.number is signal.SIGTSTP:
                self._suspend(received)
            else:
                self._pass_on(received)

    def _is_over(self) -> bool:
        if self._supervisor.exit_code is None:
            return False
        # nobody else could ever resume what is left of a paused agent
        stays = (self._options.waits_for_all or self._brake.is_paused) and not self._was_told_to_end
        return not (stays and processes.HAS_PROC and self._brake.left())

    def _pass_on(self, received: Received) -> None:
        if not received.is_from_terminal:
            self._supervisor.forward(received.number)
        if received.number in ENDING:
            self._was_told_to_end = True
            if self._brake.is_paused:  # else it could not act on it
                self._brake.resume()

    def _suspend(self, received: Received) -> None:
        """Ctrl-Z: stop with the command, so that the shell sees its job stopped; go on when it is continued."""
        if not received.is_from_terminal:
            self._supervisor.forward(signal.SIGTSTP)
        self._client.status("paused", reason="suspended from the terminal")
        self._client.flush(1.0)
        self._supervisor.suspend()
        if not received.is_from_terminal:
            self._supervisor.forward(signal.SIGCONT)
        self._brake.hold()
        if not self._brake.is_paused:
            self._client.status("running", reason="continued")

    # -- commands, on the client's thread -----------------------------------------------------------------

    def _carry(self, command: Command) -> Result:
        if not processes.HAS_PROC:
            return Result("unsupported", "there is no /proc on that machine: its processes cannot be found")
        match command.type:
            case "pause":
                outcome = self._brake.pause()
            case "resume":
                outcome = self._brake.resume()
            case "stop":
                self._was_told_to_end = True
                outcome = self._brake.stop(self._options.grace)
            case _:
                return Result("unsupported", "clawatch wrap takes pause, resume and stop only")
        return _result(outcome)

    def _makes_progress(self) -> bool:
        """Asked at each heartbeat."""
        if not processes.HAS_PROC:
            return True
        was_made = self._progress.was_made()
        if self._brake.is_paused:
            self._brake.hold()
            return False
        return was_made or not self._options.is_watched

    # -- the end ------------------------------------------------------------------------------------------

    def _refused(self, error: OSError) -> int:
        reason = error.strerror or type(error).__name__
        _say(f"{self._command[0]}: {reason}")
        self._client.error(f"the command could not be started: {reason}", command=redacted(self._command))
        self._client.status("stopped", reason="could not be started")
        self._close()
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE

    def _leave(self) -> int:
        self._supervisor.reap()
        code = self._supervisor.exit_code or 0
        left = [str(process) for process in self._brake.left()] if processes.HAS_PROC else []
        if left:
            _warn(f"still running, and no longer watched: {', '.join(left)}")
        if code and not self._was_told_to_end:
            self._client.error(_said(code), exitCode=code)
        self._client.stop(exitCode=code, reason=_said(code), left=left or None)
        self._close()
        return code

    def _close(self) -> None:
        self._client.close(_CLOSE_WITHIN)
        if self._freezer is not None:
            self._freezer.remove()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def _result(outcome: Outcome) -> Result:
    return Result("confirmed" if outcome.is_done else "failed", outcome.message)


def _said(code: int) -> str:
    if code <= 128:
        return f"exited with code {code}"
    try:
        return f"ended by {signal.Signals(code - 128).name}"
    except ValueError:
        return f"exited with code {code}"


def _speak(is_quiet: bool) -> None:
    """The client's warnings go to standard error, beside the command's own."""
    handler: logging.Handler = logging.NullHandler() if is_quiet else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("clawatch: %(message)s"))
    logger = logging.getLogger("clawatch")
    logger.addHandler(handler)
    logger.propagate = False


def _warn(message: str) -> None:
    logging.getLogger("clawatch.wrap").warning(message)


def _say(message: str) -> None:
    sys.stderr.write(f"clawatch: {message}\n")
