"""The machine: who may read what, clocks, disk, descriptors."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, SecretStr

from clawatch.config.effective import Config
from clawatch.config.loading import Loaded
from clawatch.domain.remarks import Remark, fine, warning, wrong

LEAST_DISK = 64 * 1024 * 1024
LITTLE_DISK = 1024 * 1024 * 1024
LITTLE_SHARE = 0.05
LITTLE_INODES = 1_000
FEW_DESCRIPTORS = 1_024
TIMEDATECTL_WITHIN = 3.0
DRIFT_WARNING, DRIFT_WRONG = 5.0, 60.0
"""Seconds between our clock and another's. Beyond a minute, what agents say is sorted into the wrong one."""


def of_files(loaded: Loaded) -> Iterator[Remark]:
    if loaded.path is not None:
        yield from _config_file(loaded.path, loaded.config)
    yield from _data_dir(loaded.config.data_dir)


def _config_file(path: Path, config: Config) -> Iterator[Remark]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield wrong(f"{path} cannot be looked at: {error.strerror}", "give it to the user that runs ClaWatch")
        return
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield wrong(f"{path} can be changed by others", f"chmod go-w {path}")
    secrets = sorted(_secrets_in(path.read_text(errors="replace"), config))
    if secrets and mode & (stat.S_IRGRP | stat.S_IROTH):
        yield warning(
            f"{path} holds secrets ({', '.join(secrets)}) and can be read by others",
            f"chmod 600 {path}, or keep secrets in files of their own: !file PATH",
        )
    elif not mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield fine(f"{path} is safe from others")


def _secrets_in(text: str, config: Config) -> Iterator[str]:
    """The names of the secrets that stand in this text."""
    for key in config.auth.keys:
        if _stands_in(text, key.key):
            yield f"auth.keys {key.name}"
    for section in ("notifiers", "sources", "apis", "controllers", "enrichers"):
        for part in getattr(config, section):
            settings = part.settings
            for name in type(settings).model_fields if isinstance(settings, BaseModel) else ():
                value = getattr(settings, name)
                if isinstance(value, SecretStr) and _stands_in(text, value):
                    yield f"{section}.{part.name}.{name}"


def _stands_in(text: str, secret: SecretStr) -> bool:
    value = secret.get_secret_value()
    return bool(value) and value in text


def _data_dir(data_dir: Path) -> Iterator[Remark]:
    if not data_dir.exists():
        parent = next(place for place in data_dir.absolute().parents if place.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield fine(f"{data_dir} is not there yet; the first start makes it")
        else:
            said = f"{data_dir} is not there, and cannot be made"
            yield wrong(said, "set data_dir to a place where ClaWatch may write")
        return
    status = data_dir.stat()
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        yield wrong(f"{data_dir} cannot be written by this user", f"run the doctor as the user {status.st_uid}, "
                    "or give the directory to the user that runs ClaWatch")
    elif status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warning(f"{data_dir} is open to others, and holds what agents say", f"chmod 700 {data_dir}")
    else:
        yield fine(f"{data_dir} is ours alone")


def of_disk(data_dir: Path) -> Iterator[Remark]:
    place = next(place for place in (data_dir.absolute(), *data_dir.absolute().parents) if place.exists())
    try:
        usage, inodes = shutil.disk_usage(place), os.statvfs(place)
    except OSError as error:
        yield wrong(f"the disk of {place} cannot be looked at: {error.strerror}", "check that it is mounted")
        return
    left = f"{say_bytes(usage.free)} of {say_bytes(usage.total)} are free at {place}"
    remedy = "free some space, or lower retention.events"
    if usage.free < LEAST_DISK:
        yield wrong(left, remedy)
    elif usage.free < LITTLE_DISK or usage.free < LITTLE_SHARE * usage.total:
        yield warning(left, remedy)
    else:
        yield fine(left)
    if inodes.f_files and inodes.f_favail < LITTLE_INODES:
        yield wrong(f"{inodes.f_favail} more files fit at {place}", "remove files; the disk is out of inodes")


async def of_clocks(config: Config) -> list[Remark]:
    now = datetime.now(config.timezone)
    return [fine(f"days begin at midnight in {config.timezone.key}, where it is {now:%H:%M}"), await _synchronised()]


async def _synchronised() -> Remark:
    said = await _timedatectl()
    if said == "yes":
        return fine("the clock is kept right over the network")
    if said == "no":
        return warning("the clock is not kept right over the network", "run systemd-timesyncd, chrony or ntpd")
    return fine("whether the clock is kept right cannot be told here (no timedatectl)")


async def _timedatectl() -> str:
    """``yes``, ``no``, or something else where nobody knows."""
    if shutil.which("timedatectl") is None:
        return ""
    try:
        child = await asyncio.create_subprocess_exec(
            "timedatectl", "show", "--property=NTPSynchronized", "--value",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return ""
    try:
        async with asyncio.timeout(TIMEDATECTL_WITHIN):
            out, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        return ""
    return out.decode(errors="replace").strip()


def of_drift(seconds: float) -> Remark:
    """``seconds``: how far our clock is ahead of the others that answered."""
    text = f"our clock is {abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} those of other machines"
    if abs(seconds) >= DRIFT_WRONG:
        return wrong(text, "set the clock; then run systemd-timesyncd, chrony or ntpd")
    if abs(seconds) >= DRIFT_WARNING:
        return warning(text, "run systemd-timesyncd, chrony or ntpd")
    return fine("our clock agrees with those of other machines")


def of_descriptors() -> Remark:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < FEW_DESCRIPTORS:
        return warning(
            f"at most {soft} files and connections may be open", "raise it: ulimit -n 8192, or LimitNOFILE=8192"
        )
    return fine(f"{soft} files and connections may be open")


def say_bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"
