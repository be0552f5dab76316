from __future__ import annotations

import asyncio

import pytest

from clawatch.domain.access import Key, Scope
from clawatch.domain.alerts import Silence
from clawatch.domain.time import HOUR
from clawatch.ports import Conflict, StorePort
from clawatch.testing.store_contract.examples import NOW

OPS = Key(name="ops", hash="00ff", scopes=(Scope.ADMIN,), agents=("a-*", "b"), user="ada", created_at=NOW)


class AccessContract:
    """Keys, secrets, marks, logins, silences."""

    async def test_keys_are_kept_until_they_are_deleted(self, store: StorePort) -> None:
        other = Key(name="other", hash="11", scopes=(Scope.READ, Scope.INGEST), expires_at=NOW + HOUR)
        await store.put_key(OPS)
        await store.put_key(other)
        assert sorted(await store.keys(), key=lambda key: key.name) == [OPS, other]
        assert await store.delete_key("ops")
        assert not await store.delete_key("ops")
        assert await store.keys() == [other]

    async def test_a_second_key_of_one_name_is_refused(self, store: StorePort) -> None:
        await store.put_key(OPS)
        with pytest.raises(Conflict):
            await store.put_key(Key(name="ops", hash="22", scopes=()))
        assert await store.keys() == [OPS]

    async def test_of_many_keys_of_one_name_one_is_kept(self, store: StorePort) -> None:
        keys = [Key(name="new", hash=str(i), scopes=()) for i in range(10)]
        results = await asyncio.gather(*(store.put_key(key) for key in keys), return_exceptions=True)
        assert sum(isinstance(result, Conflict) for result in results) == 9
        assert len(await store.keys()) == 1

    async def test_secrets_are_replaced(self, store: StorePort) -> None:
        assert await store.secret("signing") is None
        await store.put_secret("signing", "one")
        await store.put_secret("signing", "two")
        assert (await store.secret("signing"), await store.secret("other")) == ("two", None)

    async def test_marks_are_set_and_removed_together(self, store: StorePort) -> None:
        assert await store.marks("tail") == {}
        await store.put_marks("tail", {"a": "1", "b": "2"})
        await store.put_marks("other", {"a": "9"})
        await store.put_marks("tail", {"a": None, "b": "3", "c": "", "never": None})
        assert await store.marks("tail") == {"b": "3", "c": ""}
        assert await store.marks("other") == {"a": "9"}

    async def test_a_login_is_taken_once(self, store: StorePort) -> None:
        await store.put_login("code", NOW + HOUR)
        taken = await asyncio.gather(*(store.take_login("code", NOW) for _ in range(5)))
        assert sorted(taken) == [False, False, False, False, True]
        assert not await store.take_login("wrong", NOW)

    async def test_a_login_expires(self, store: StorePort) -> None:
        await store.put_login("early", NOW + HOUR)
        await store.put_login("late", NOW + HOUR)
        assert await store.take_login("early", NOW + HOUR - 1)
        assert not await store.take_login("late", NOW + HOUR)

    async def test_an_ended_login_is_remembered(self, store: StorePort) -> None:
        assert await store.ended_logins() == set()
        for login in ("one", "two", "one"):
            await store.end_login(login, NOW + HOUR)
        assert await store.ended_logins() == {"one", "two"}

    async def test_silences_are_kept_replaced_and_deleted(self, store: StorePort) -> None:
        silence = Silence(id="s1", created_at=NOW, expires_at=NOW + HOUR, by="ada", reason="maintenance", agent="a-*")
        longer = Silence(id="s1", created_at=NOW, expires_at=NOW + 2 * HOUR, by="ada")
        await store.put_silence(silence)
        assert await store.silences() == [silence]
        await store.put_silence(longer)
        assert await store.silences() == [longer]
        assert await store.delete_silence("s1")
        assert not await store.delete_silence("s1")
        assert await store.silences() == []
