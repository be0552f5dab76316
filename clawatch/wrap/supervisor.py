"""The supervisor: starts the command as our child, passes signals on, reaps whoever ends below us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

FORWARDED = frozenset(
    {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
)
ENDING = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_AWAITED = FORWARDED | {signal.SIGCHLD, signal.SIGTSTP}

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_SI_KERNEL = 0x80  # sigaction(2): sent by the kernel, here by the terminal


class Received(NamedTuple):
    number: signal.Signals
    is_from_terminal: bool
    """The terminal sends to the whole foreground group: the child has it already."""


def become_subreaper() -> bool:
    """Whether orphans below us become our children, so that double-forked daemons stay in reach (Linux)."""
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> bool:
    """Keep the command, which runs as the same user, from reading the key in our environment (Linux)."""
    return _prctl(_PR_SET_DUMPABLE, 0)


class Supervisor:
    """From construction on signals wait until ``next_signal`` takes them; to be made before any thread is."""

    def __init__(self) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as we may have inherited it, nobody could be reaped
        self._mask_before = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        self.pid = 0
        self.exit_code: int | None = None
        """As a shell tells it: 128 + n for a signal. None while the command runs."""

    def spawn(
        self, command: Sequence[str], environment: Mapping[str, str], prepare: Callable[[], None] = lambda: None
    ) -> None:
        """Start it with our standard streams, session and process group. Raises OSError when it cannot start.

        ``prepare`` runs in the child before the command does.
        """

        def before_exec() -> None:
            prepare()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask_before)

        child = subprocess.Popen(command, env=dict(environment), preexec_fn=before_exec, close_fds=False)  # noqa: S603
        self.pid = child.pid
        child.returncode = 0  # we reap for ourselves; this keeps Popen from doing so

    def next_signal(self) -> Received:
        """The next awaited signal."""
        if hasattr(signal, "sigwaitinfo"):
            info = signal.sigwaitinfo(_AWAITED)
            return Received(signal.Signals(info.si_signo), info.si_code == _SI_KERNEL)
        number = signal.Signals(signal.sigwait(_AWAITED))
        return Received(number, sys.stdin is not None and sys.stdin.isatty())

    def reap(self) -> None:
        """Take leave of everybody who ended; ``exit_code`` is set when the command is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                code = os.waitstatus_to_exitcode(status)
                self.exit_code = code if code >= 0 else 128 - code

    def forward(self, number: signal.Signals) -> None:
        """To the command alone: what it starts is its own business."""
        if self.exit_code is None:
            os.kill(self.pid, number)

    def suspend(self) -> None:
        """Stop as Ctrl-Z stops anybody: not at all where no shell could continue us. Returns when continued."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
        signal.raise_signal(signal.SIGTSTP)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})

    def wake(self) -> None:
        """Make ``next_signal`` return; from another thread."""
        os.kill(os.getpid(), signal.SIGCHLD)


def _prctl(option: int, value: int) -> bool:
    try:
        return int(ctypes.CDLL(None).prctl(option, value, 0, 0, 0)) == 0
    except (OSError, AttributeError, TypeError):
        return False
