"""What is asked for together is written together."""

from __future__ import annotations

import asyncio

from clawatch_plugins.sqlite.gathering import LONGEST_GATHERING, QUIET_ROUNDS, Gathering


async def rounds(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_one_alone_is_handed_over_within_a_few_rounds_of_the_loop() -> None:
    given: list[int] = []
    Gathering(asyncio.get_running_loop(), given.append).add(1)
    assert given == []
    await rounds(QUIET_ROUNDS + 2)
    assert given == [1]


async def test_those_that_come_round_by_round_wait_for_one_another() -> None:
    given: list[int] = []
    gathering = Gathering(asyncio.get_running_loop(), given.append)
    for number in range(5):
        gathering.add(number)
        await rounds(1)
        assert given == []
    await rounds(QUIET_ROUNDS + 2)
    assert given == [0, 1, 2, 3, 4]


async def test_nobody_waits_for_long_though_more_keeps_coming() -> None:
    given: list[int] = []
    loop = asyncio.get_running_loop()
    gathering, began = Gathering(loop, given.append), loop.time()
    while not given:
        gathering.add(1)
        await rounds(1)
        assert loop.time() < began + 100 * LONGEST_GATHERING
    assert len(given) > 1


async def test_what_is_left_at_the_end_is_handed_over_at_once() -> None:
    given: list[int] = []
    gathering = Gathering(asyncio.get_running_loop(), given.append)
    gathering.add(1)
    gathering.hand_over()
    assert given == [1]
    await rounds(QUIET_ROUNDS + 2)
    assert given == [1]
