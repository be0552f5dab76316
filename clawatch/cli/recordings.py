"""``clawatch import``: a recording from a file into the daemon, with a progress bar."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from clawatch.client.recordings import Upload
    from clawatch.client.transport import Transport

_SAMPLE = 1024 * 1024
_MAX_LINE = 2 * 1024 * 1024
"""Longer than what the daemon takes, so that it says which line is too long."""
_TIMEOUT = 900.0
"""Seconds for one request; the completion of a large recording is one."""


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", metavar="URL", help="The daemon; default $CLAWATCH_URL, else http://127.0.0.1:8787.")
def import_(file: Path, url: str | None) -> None:
    """Import a recorded run from FILE: NDJSON, or Parquet (.parquet; needs `pip install clawatch[parquet]`).

    $CLAWATCH_KEY must hold a key with the scope ingest. A bad line is named by its number, and nothing of the
    file is kept then. When it is interrupted, the same command goes on where it was.
    """
    from clawatch.client.recordings import BadLine, Refused, Upload
    from clawatch.client.transport import Unreachable
    from clawatch.log import neutral

    transport = _transport(url)
    upload = Upload(transport, lines_of(file))
    try:
        upload.open()
        _send(upload, file)
        done = upload.complete()
    except BadLine as bad:
        upload.discard()
        raise click.ClickException(neutral(f"{file}: {bad}; nothing of it was kept")) from None
    except Refused as refused:
        raise click.ClickException(neutral(f"{file}: {refused}")) from None
    except Unreachable as error:
        raise click.ClickException(f"the daemon does not answer: {error}; the same command goes on later") from None
    except KeyboardInterrupt:
        raise click.ClickException("interrupted; the same command goes on where it was") from None
    finally:
        transport.close()
    click.echo(neutral(f"imported {done['node_id']}, run {done['run_id']}"))


def lines_of(file: Path) -> Iterator[bytes]:
    """Without line feeds; the header always with a run's id."""
    from clawatch.client.recordings import with_run_id

    if file.suffix.lower() in (".parquet", ".pq"):
        from clawatch.cli.parquet import rows_of

        lines = rows_of(file)
    else:
        lines = _ndjson(file)
    header = next(lines, b"")
    yield with_run_id(header, _run_id(file))
    yield from lines


def _ndjson(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        if opened.read(3) != b"\xef\xbb\xbf":
            opened.seek(0)
        while line := opened.readline(_MAX_LINE):
            yield line.rstrip(b"\r\n")


def _run_id(file: Path) -> str:
    """The same for the same file, so that a broken import of it is found again."""
    with file.open("rb") as opened:
        digest = hashlib.sha256(opened.read(_SAMPLE))
    digest.update(str(file.stat().st_size).encode())
    return str(uuid.UUID(bytes=digest.digest()[:16], version=5))


def _send(upload: Upload, file: Path) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if upload.resumed_at:
        console.print(f"going on at line {upload.resumed_at:,}")
    far = TextColumn("{task.completed:,} of {task.total:,} lines")
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), far, TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=_count(file))
        for number in upload.send():
            progress.update(task, completed=number)
        progress.update(task, description=f"{file.name}: completing")


def _count(file: Path) -> int:
    """Lines, or rows."""
    if file.suffix.lower() in (".parquet", ".pq"):
        from clawatch.cli.parquet import number_of_rows

        return number_of_rows(file)
    with file.open("rb") as opened:
        return sum(piece.count(b"\n") for piece in iter(lambda: opened.read(_SAMPLE), b""))


def _transport(url: str | None) -> Transport:
    import os

    from clawatch.client.transport import DEFAULT_URL, Transport

    address = url or os.environ.get("CLAWATCH_URL") or DEFAULT_URL
    try:
        return Transport(address.rstrip("/"), os.environ.get("CLAWATCH_KEY"), timeout=_TIMEOUT)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
