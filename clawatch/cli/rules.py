"""``clawatch test-rules``: what a configuration would have raised, and rule tests for CI."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clawatch.config.loading import Loaded
    from clawatch.domain.recordings import Recording
    from clawatch.ports import RecordingsPort
    from clawatch.rehearsal.past import Rehearsed

_FROM_JOURNAL = "out of the journal, so the rules saw everything that they would have seen"
_FROM_RECORDING = (
    "out of the recording alone: it tells when agents were alive and how they stood, but not which of them called a "
    "tool, failed or spent what; rules that look at those (loop, error_spike, cost …) could not judge"
)
_NOT_OURS = "this recording holds no agents that ClaWatch has watched; there is nothing in it that rules could judge"


@click.command("test-rules")
@click.argument("tests", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--recording", metavar="NODE|FILE", help="Rehearse on this recording: a node's id, or NDJSON in a file.")
@click.option("--config", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where the recordings are; data_dir if not said.")
def test_rules(tests: tuple[Path, ...], recording: str | None, config: Path | None, data_dir: Path | None) -> None:
    """Say which alerts a configuration raises, and when.

    With YAML files: run the tests in them. Exit code 1 when alerts come otherwise than expected there. With
    --recording: rehearse the configuration on the past. Nobody is told anything, and no agent is touched.
    """
    from clawatch.config import ConfigError
    from clawatch.ports import ClaWatchError

    if bool(tests) == bool(recording):
        raise click.UsageError("give either files with rule tests or --recording")
    try:
        if recording is not None:
            file = Path(recording) if Path(recording).is_file() else None
            asyncio.run(_rehearse(recording, file, config, "" if data_dir is None else str(data_dir.absolute())))
            return
        failed = [asyncio.run(_test(path, config)) for path in tests]
    except ConfigError as error:
        for problem in error.problems:
            click.echo(_plain(str(problem)), err=True)
        sys.exit(2)
    except ClaWatchError as error:
        click.echo(_plain(str(error)), err=True)
        sys.exit(2)
    sys.exit(1 if any(failed) else 0)


# -- tests


async def _test(path: Path, config: Path | None) -> int:
    """How many have failed."""
    from clawatch.rehearsal.judging import differences
    from clawatch.rehearsal.scripts import read_scripts

    file, failed = read_scripts(path), 0
    for script in file.tests:
        found = await differences(script, lambda more: _load(config, [file.config, more]))
        failed += bool(found)
        click.echo(_plain(f"{'FAIL' if found else 'ok':<5} {script.name}"))
        for line in found:
            click.echo(_plain(f"      {line}"))
    click.echo(_plain(f"{path}: {len(file.tests) - failed} of {len(file.tests)} as expected"))
    return failed


def _load(config: Path | None, options: list[Mapping[str, Any]]) -> Loaded:
    from clawatch.config import find_config, load
    from clawatch.config.overrides import merged

    laid: dict[str, Any] = {}
    for one in options:
        laid = merged(laid, one)
    return load(None if config is None else find_config(config), options=laid)


# -- the past


async def _rehearse(name: str, file: Path | None, config: Path | None, data_dir: str) -> None:
    from clawatch.config import find_config, load
    from clawatch.rehearsal.past import rehearse

    loaded = load(find_config(config), options={} if file is not None or not data_dir else {"data_dir": data_dir})
    async with AsyncExitStack() as stack:
        if file is not None:
            recordings, recording = await _read(file)
            store = None
        else:
            store, recordings = await stack.enter_async_context(_kept(loaded))
            recording = await _found(recordings, name)
        _tell(recording, await rehearse(loaded, recordings, recording, store))


def _kept(loaded: Loaded) -> Any:
    from clawatch.app import opened_recordings

    if not loaded.config.data_dir.is_dir():
        raise click.ClickException(_plain(f"{loaded.config.data_dir}: no such directory; name another with --data-dir"))
    return opened_recordings(loaded.config)


async def _found(recordings: RecordingsPort, name: str) -> Recording:
    from clawatch.domain.access import CORE

    return await (recordings.get if name.startswith("rec_") else recordings.find)(name.lower(), CORE)


async def _read(path: Path) -> tuple[RecordingsPort, Recording]:
    from clawatch.clock import SystemClock
    from clawatch.domain.access import CORE
    from clawatch.domain.recordings import BadLine
    from clawatch.recordings import Recordings
    from clawatch.testing.memory_recordings import MemoryRecordings

    async def pieces() -> Any:
        with path.open("rb") as opened:
            while piece := opened.read(1024 * 1024):
                yield piece

    recordings = Recordings(MemoryRecordings(), SystemClock())
    try:
        return recordings, await recordings.record(pieces(), CORE)
    except BadLine as bad:
        raise click.ClickException(_plain(f"{path}: {bad}")) from None


def _tell(recording: Recording, found: Rehearsed) -> None:
    from clawatch.domain.time import iso

    click.echo(_plain(f"{recording.run_id}, {iso(found.start)[:16]}Z to {iso(found.end)[:16]}Z"))
    click.echo(_FROM_JOURNAL if found.from_journal else _FROM_RECORDING)
    if not found.is_fleet:
        click.echo(_NOT_OURS)
    for one in found.raised:
        over = "" if one.resolved_at is None else f", resolved {iso(one.resolved_at)[11:19]}"
        brake = f", would {one.brake} it" if one.brake else ""
        at, who = iso(one.fired_at)[:19].replace("T", " "), one.agent_id or "the fleet"
        click.echo(_plain(f"{at}  {one.severity:<8}  {one.rule}  {who}: {one.message}{over}{brake}"))
    for line in found.failures:
        click.echo(_plain(f"note: {line}"), err=True)
    then = len(found.recorded)
    click.echo(f"{len(found.raised)} alerts would have fired; {then} did then")


def _plain(text: str) -> str:
    """What agents and files say is not ours; the terminal shall not obey it."""
    from clawatch.log import neutral

    return neutral(text)
