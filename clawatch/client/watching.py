"""``@watch``: a function whose every call is a piece of an agent's life."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from clawatch.client.agent import Client

_Function = TypeVar("_Function", bound=Callable[..., Any])


def watch(agent: str | Client, **options: Any) -> Callable[[_Function], _Function]:
    """Report a function's calls: running at the start, an exception as an error, stopped at the end.

    Takes sync and async functions; ``options`` are the Client's. The decorated function has its Client as
    ``.agent``, for ``fetch.agent.tool_call(...)``.
    """
    client = agent if isinstance(agent, Client) else Client(agent, **options)

    def decorate(function: _Function) -> _Function:
        wrapped = _async(function, client) if inspect.iscoroutinefunction(function) else _sync(function, client)
        wrapped.agent = client  # type: ignore[attr-defined]
        return cast(_Function, wrapped)

    return decorate


def _sync(function: Callable[..., Any], client: Client) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _Call(client):
            return function(*args, **kwargs)

    return wrapped


def _async(function: Callable[..., Any], client: Client) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        with _Call(client):
            return await function(*args, **kwargs)

    return wrapped


class _Call:
    """Like ``with client``, but the connection stays open for the next call; it is closed at exit."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def __enter__(self) -> None:
        self._client.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._client.stop(error)
