"""Words and types: total, and in step with one another."""

from __future__ import annotations

from clawatch_plugins.clawatch.details import RunTold
from clawatch_plugins.clawatch.items import Item, Told
from clawatch_plugins.clawatch.posting import DataPosted, EventPosted, EventWord
from clawatch_plugins.clawatch.words import ACTIVITY_OF, STATUS_WORDS, WORD_OF, listed
from msgspec.structs import fields

from clawatch.domain.agents import Status
from clawatch.domain.events import Activity, EventType, RunReport


def test_every_status_has_a_word_of_the_five() -> None:
    assert set(WORD_OF) == set(Status)
    assert set(WORD_OF.values()) == set(STATUS_WORDS)


def test_every_activity_can_be_reported_under_its_own_name() -> None:
    assert all(ACTIVITY_OF[activity.value] is activity for activity in Activity)
    assert set(STATUS_WORDS) <= set(ACTIVITY_OF)


def test_the_documented_body_is_the_one_that_is_read() -> None:
    assert {field.encode_name for field in fields(EventPosted)} == {field.encode_name for field in fields(Item)}
    documented = {field.encode_name for field in fields(DataPosted)}
    assert documented == {field.encode_name for field in fields(Told)} | {"arguments", "result"}
    assert set(EventWord.__args__) == {kind.value for kind in EventType}


def test_a_run_is_read_under_all_its_keys() -> None:
    assert {field.encode_name for field in fields(RunTold)} == {field.encode_name for field in fields(RunReport)}


def test_words_are_listed_for_people() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b or c"
