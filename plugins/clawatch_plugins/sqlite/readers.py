"""Readers: a few connections of their own, each on its thread, that never hold up the writer."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from clawatch.ports import Invalid, StoreUnavailable

T = TypeVar("T")
READERS = 2


class Readers:
    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="clawatch-read")
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []

    async def do(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call ``function(connection, *arguments)`` on a consistent state of the file."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._call, function, arguments)
        except RuntimeError as error:
            raise StoreUnavailable("the store is closed") from error

    def _call(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        try:
            con = self._connection()
            con.execute("BEGIN")
            try:
                return function(con, *arguments)
            finally:
                con.execute("ROLLBACK")
        except (OverflowError, UnicodeError) as error:
            raise Invalid(f"this cannot be looked up: {error}") from None
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store cannot be read: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        con: sqlite3.Connection | None = getattr(self._local, "con", None)
        if con is None:
            con = self._local.con = self._connect()
            self._open.append(con)
        return con

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)
        for con in self._open:
            con.close()
