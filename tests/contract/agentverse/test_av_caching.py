"""Answers that clients keep: tags, ages, 304, HEAD and packing."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
from aiohttp import ClientSession

CACHED = ["", "/slice", "/keyframe/50", "/agent/{hero}", "/events", "/aggregates"]
LARGE = "/slice"


def at(path: str, make: Any) -> str:
    return path.format(hero=make.hero)


@pytest.mark.parametrize("path", CACHED)
async def test_av_38_and_39_answers_say_how_long_they_hold(av: Any, make: Any, path: str) -> None:
    answer = await av.ask(at(path, make))
    assert answer.headers["Cache-Control"] == f"public, max-age={86400 if path else 3600}"


async def test_av_39_a_new_run_changes_the_tag_of_the_index(av: Any, make: Any) -> None:
    first = await av.ask()
    av.cw.clock.advance(1000)
    await av.record([make.header(run_id="run-2"), make.tick(0), {"kind": "end"}])
    second = await av.ask(headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status, second.body["run_id"]) == (200, "run-2")
    assert second.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("path", CACHED)
async def test_av_40_every_answer_has_a_strong_tag(av: Any, make: Any, path: str) -> None:
    first, second = await av.ask(at(path, make)), await av.ask(at(path, make))
    tag = first.headers["ETag"]
    assert tag == second.headers["ETag"]
    assert tag.startswith('"')
    assert tag.endswith('"')
    assert len(tag) > 10


async def test_av_40_another_question_has_another_tag(av: Any, make: Any) -> None:
    asked = [at(path, make) for path in CACHED]
    asked += ["/slice?resolution=2", "/slice?metrics=adoption_rate", "/keyframe/60", "/events?skip=1",
              f"/agent/{make.hero}?include_reasoning=true", f"/agent/{make.simulated[1]}"]  # fmt: skip
    tags = [(await av.ask(path)).headers["ETag"] for path in asked]
    assert len(set(tags)) == len(asked)
    same = await av.ask("/slice?start_tick=0&end_tick=100&resolution=1")
    assert same.headers["ETag"] == (await av.ask("/slice")).headers["ETag"]


@pytest.mark.parametrize("path", CACHED)
@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*", 'W/"other",{} , "third"'])
async def test_av_41_who_holds_it_is_not_sent_it_again(av: Any, make: Any, path: str, form: str) -> None:
    first = await av.ask(at(path, make))
    again = await av.ask(at(path, make), headers={"If-None-Match": form.format(first.headers["ETag"])})
    assert (again.status, again.body or "") == (304, "")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]


async def test_av_41_who_holds_something_else_is_sent_it(av: Any, make: Any) -> None:
    for held in ('"other"', "nonsense", ""):
        assert (await av.ask("/slice", headers={"If-None-Match": held})).status == 200
    assert (await av.ask("/agent/nobody", headers={"If-None-Match": "*"})).status == 404


@pytest.mark.parametrize("path", CACHED)
async def test_av_45_shared_caches_keep_it_for_the_same_key_only(av: Any, make: Any, path: str) -> None:
    vary = (await av.ask(at(path, make))).headers["Vary"]
    assert {"Authorization", "Accept-Encoding"} <= set(vary.split(", "))


@pytest.mark.parametrize("path", [*CACHED, "/stream"])
async def test_av_48_head_has_the_headers_of_get(av: Any, make: Any, path: str) -> None:
    got, head = await av.ask(at(path, make)), await av.ask(at(path, make), "HEAD")
    told = ("Content-Type", "ETag", "Cache-Control", "Vary", "Content-Encoding")
    assert (head.status, head.body or "") == (200, "")
    assert [head.headers.get(name) for name in told] == [got.headers.get(name) for name in told]


@pytest.fixture
async def plain(av: Any) -> Any:
    """A client that unpacks nothing and asks for nothing packed unless told to."""
    headers = {"Authorization": f"Bearer {av.token}", "Accept-Encoding": "identity"}
    async with ClientSession(headers=headers, auto_decompress=False) as session:
        yield session


async def test_av_48_a_large_answer_is_packed_under_a_tag_of_its_own(av: Any, make: Any, plain: Any) -> None:
    url = f"{av.cw.url}/api/v1/telemetry/{make.node}{LARGE}"
    async with plain.get(url) as answer:
        unpacked, tag = await answer.read(), answer.headers["ETag"]
        assert "Content-Encoding" not in answer.headers
    async with plain.get(url, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as answer:
        packed, packed_tag = await answer.read(), answer.headers["ETag"]
        assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == unpacked
    assert len(packed) < len(unpacked) / 3
    assert tag != packed_tag
    for held in (tag, packed_tag):
        for accepted in ("identity", "gzip"):
            asked = {"If-None-Match": held, "Accept-Encoding": accepted}
            async with plain.get(url, headers=asked) as answer:
                assert (answer.status, answer.headers["ETag"], await answer.read()) == (304, held, b"")


@pytest.mark.parametrize("accepted", ["identity", "br", "gzip;q=0", "", "deflate, gzip; q=0.0"])
async def test_av_48_who_takes_no_gzip_gets_none(av: Any, make: Any, plain: Any, accepted: str) -> None:
    url = f"{av.cw.url}/api/v1/telemetry/{make.node}{LARGE}"
    async with plain.get(url, headers={"Accept-Encoding": accepted}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert (await answer.read()).startswith(b'{"node_id"')
