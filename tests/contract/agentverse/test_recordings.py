"""The way in: `POST /api/recordings`, whole or line by line."""

from __future__ import annotations

import asyncio
import gzip
import io
import uuid
import zlib
from typing import Any

import pytest

END = {"kind": "end"}


async def send(av: Any, body: bytes, path: str = "", **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await av.cw.ask("POST", f"/api/recordings{path}", data=io.BytesIO(body), headers=sent)


async def frames(av: Any, recording: str, start: Any, body: bytes) -> Any:
    return await send(av, body, f"/{recording}/frames", X_Start_Line=str(start))


@pytest.fixture
def node() -> str:
    return str(uuid.uuid4())


@pytest.fixture
async def opened(av: Any, make: Any, node: str) -> str:
    """The id of an open recording."""
    begun = await av.record([make.header(node_id=node)])
    return str(begun["id"])


async def test_a_whole_body_is_complete_at_once(av: Any, make: Any, node: str) -> None:
    answer = await send(av, make.packed([make.header(node_id=node), make.tick(0), END]))
    assert (answer.status, answer.body) == (
        201, {"id": answer.body["id"], "node_id": node, "run_id": "run-1", "complete": True},
    )  # fmt: skip
    assert (await av.ask(node=node)).status == 200


async def test_a_body_that_is_hardly_anything_but_packing_is_refused_early_and_leaves_nothing(
    av: Any, make: Any, node: str
) -> None:
    packer = zlib.compressobj(1, wbits=31)
    bomb = packer.compress(make.packed([make.header(node_id=node)]))
    bomb += b"".join(packer.compress(b"\n" * 1_000_000) for _ in range(100)) + packer.flush()
    answer = await send(av, bomb, Content_Encoding="gzip")
    assert (answer.status, answer.body["error"]) == (413, "the body is packed more than 200 times; send it plain")
    left = (await av.cw.ask("GET", "/api/recordings")).body["recordings"]
    assert node not in [one["node_id"] for one in left]


async def test_a_recording_may_be_sent_line_by_line(av: Any, make: Any, node: str, opened: str) -> None:
    first = await frames(av, opened, 2, make.packed([make.tick(0), make.tick(1)]))
    assert (first.status, first.body) == (200, {"next_line": 4, "ended": False})
    second = await frames(av, opened, 4, make.packed([make.tick(2), END]))
    assert (second.status, second.body) == (200, {"next_line": 6, "ended": True})
    assert (await av.ask(node=node)).status == 404
    done = await av.cw.ask("POST", f"/api/recordings/{opened}/complete")
    assert (done.status, done.body["complete"], done.body["id"]) == (200, True, opened)
    assert (await av.ask(node=node)).body["total_ticks"] == 2


async def test_aggregates_may_come_with_the_completion(av: Any, make: Any, node: str, opened: str) -> None:
    await frames(av, opened, 2, make.packed([make.tick(0)]))
    body = {"aggregates": {"peak_tick": 95}}
    assert (await av.cw.ask("POST", f"/api/recordings/{opened}/complete", json=body)).status == 200
    assert (await av.ask("/aggregates", node=node)).body["aggregates"]["peak_tick"] == 95


async def test_a_gap_is_answered_with_the_line_that_is_wanted(av: Any, make: Any, opened: str) -> None:
    await frames(av, opened, 2, make.packed([make.tick(0), make.tick(1)]))
    for start in (2, 3, 5, 999):
        answer = await frames(av, opened, start, make.packed([make.tick(7)]))
        assert (answer.status, answer.body["next_line"]) == (409, 4)


@pytest.mark.parametrize("start", [None, "", "x", "-1", "1.5", "9" * 20])
async def test_frames_say_where_they_begin(av: Any, make: Any, opened: str, start: str | None) -> None:
    headers = {} if start is None else {"X_Start_Line": start}
    assert (await send(av, make.packed([make.tick(0)]), f"/{opened}/frames", **headers)).status == 400


async def test_a_broken_connection_is_gone_on_with(av: Any, make: Any, node: str, opened: str) -> None:
    """Whole lines that had come are kept; `409` says where to go on."""
    lines = make.packed([make.tick(number) for number in range(50)])
    _reader, writer = await asyncio.open_connection("127.0.0.1", int(av.cw.url.rpartition(":")[2]))
    head = (
        f"POST /api/recordings/{opened}/frames HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ClaWatch-Key: {av.cw.key}\r\n"
        f"X-Start-Line: 2\r\nContent-Length: {2 * len(lines)}\r\n\r\n"
    )
    writer.write(head.encode() + lines + b'{"kind":"tick","ti')
    await writer.drain()
    writer.close()

    async def is_kept() -> bool:
        return (await av.cw.get(f"/api/recordings/{opened}"))["next_line"] == 52

    await av.cw.eventually(is_kept)
    answer = await frames(av, opened, 2, lines)
    assert (answer.status, answer.body["next_line"]) == (409, 52)
    await frames(av, opened, 52, make.packed([make.tick(50), END]))
    assert (await av.cw.ask("POST", f"/api/recordings/{opened}/complete")).status == 200
    assert (await av.ask("/slice", node=node)).body["total_points"] == 51


async def test_a_whole_body_that_breaks_off_leaves_nothing(av: Any, make: Any, node: str) -> None:
    before = await av.cw.get("/api/recordings")
    lines = make.packed([make.header(node_id=node), make.tick(0)])
    _reader, writer = await asyncio.open_connection("127.0.0.1", int(av.cw.url.rpartition(":")[2]))
    head = (
        f"POST /api/recordings HTTP/1.1\r\nHost: 127.0.0.1\r\nX-ClaWatch-Key: {av.cw.key}\r\n"
        f"Transfer-Encoding: chunked\r\n\r\n{len(lines):x}\r\n"
    )
    writer.write(head.encode() + lines + b"\r\n")
    await writer.drain()
    writer.close()
    await av.record([make.header(node_id=node, run_id="2"), make.tick(0), END])
    after = await av.cw.get("/api/recordings")
    assert len(after["recordings"]) == len(before["recordings"]) + 1


async def test_an_import_outlives_a_restart(run_cw: Any, make: Any, node: str) -> None:
    async with run_cw(storage={"use": "sqlite"}) as cw:
        begun = await cw.ask("POST", "/api/recordings", json=make.header(node_id=node))
        path = f"/api/recordings/{begun.body['id']}"
        sent = make.packed([*make.agents(), make.tick(0), *make.steps_of_the_hero()])
        answer = await cw.ask("POST", f"{path}/frames", data=sent, headers={"X-Start-Line": "2"})
    async with run_cw(storage={"use": "sqlite"}) as cw:
        next_line = (await cw.get(path))["next_line"]
        assert next_line == answer.body["next_line"] == 18
        sent = make.packed([{"kind": "step", "tick": 70, "agent_id": make.hero, "state": {"awareness": 0}}, END])
        answer = await cw.ask("POST", f"{path}/frames", data=sent, headers={"X-Start-Line": str(next_line)})
        assert answer.status == 200
        assert (await cw.ask("POST", f"{path}/complete")).status == 200
        found = await cw.get(f"/api/v1/telemetry/{node}/agent/{make.hero}")
        assert [step["tick"] for step in found["trajectory"]] == [0, 25, 50, 70]
        assert found["persona_name"] == "Urban Professional #1234"


@pytest.mark.parametrize(("bad", "line"), [
    ([{"kind": "tick"}], 2), ([b"nonsense"], 2), ([{"kind": "tick", "tick": 0}, {"kind": "tick", "tick": 0}], 3),
    ([], 2),
])  # fmt: skip
async def test_a_bad_line_is_named_by_its_number(av: Any, make: Any, node: str, bad: list[Any], line: int) -> None:
    lines = [one if isinstance(one, bytes) else make.packed([one]).strip() for one in [make.header(node_id=node), *bad]]
    body = b"\n".join([*lines, make.packed([END] if bad else [make.tick(0)])])
    answer = await send(av, body)
    if not bad:
        line = 3  # where the end is missing
    assert answer.status == 400
    assert answer.body["error"].startswith(f"line {line}: ")
    assert answer.body["details"] == {"line": line}
    assert (await av.ask(node=node)).status == 404
    assert all(one["node_id"] != node for one in (await av.cw.get("/api/recordings"))["recordings"])


async def test_a_bad_frame_is_named_by_its_number_and_can_be_mended(av: Any, make: Any, opened: str) -> None:
    answer = await frames(av, opened, 2, make.packed([make.tick(0), {"kind": "nonsense"}, make.tick(1)]))
    assert (answer.status, answer.body["details"]) == (400, {"line": 3})
    assert (await frames(av, opened, 3, make.packed([make.tick(1)]))).body["next_line"] == 4


@pytest.mark.parametrize(("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_bodies_may_be_packed(av: Any, make: Any, node: str, encoding: str, squeeze: Any) -> None:
    body = make.packed([make.header(node_id=node), *map(make.tick, range(3000)), END])
    answer = await send(av, squeeze(body), Content_Encoding=encoding)
    assert (answer.status, answer.body["complete"]) == (201, True)
    assert (await av.ask(node=node)).body["total_ticks"] == 2999


async def test_a_body_that_is_packed_wrongly_is_refused(av: Any, make: Any, node: str) -> None:
    body = gzip.compress(make.packed([make.header(node_id=node), make.tick(0), END]))
    for broken in (body[:-9], b"\x1f\x8bnonsense"):
        assert (await send(av, broken, Content_Encoding="gzip")).status == 400
    assert (await send(av, body, Content_Encoding="br")).status == 415
    assert (await av.ask(node=node)).status == 404


async def test_the_list_has_those_being_written_too_in_pages(av: Any, make: Any, node: str, opened: str) -> None:
    page = await av.cw.get("/api/recordings", params={"limit": "1"})
    rest = await av.cw.get("/api/recordings", params={"limit": "5", "cursor": page["next"]})
    listed = {one["id"]: one for one in page["recordings"] + rest["recordings"]}
    assert (listed[opened]["complete"], listed[opened]["next_line"]) == (False, 2)
    [other] = [one for one in listed.values() if one["id"] != opened]
    assert (other["source"], other["complete"], other["agent_count"], other["owner"]) == ("import", True, 12, "ops")
    assert (other["started_at"], other["ended_at"]) == ("2026-01-09T12:00:00.000Z", "2026-01-09T12:02:30.000Z")
    assert "next_line" not in other
    for query in ({"limit": "0"}, {"limit": "1001"}, {"limit": "x"}, {"cursor": "nonsense"}):
        assert (await av.cw.ask("GET", "/api/recordings", params=query)).status == 400


async def test_who_is_in_a_recording_is_told_page_by_page(av: Any, make: Any) -> None:
    [one] = (await av.cw.get("/api/recordings"))["recordings"]
    path = f"/api/recordings/{one['id']}/agents"
    assert await av.cw.get(path) == {"agents": make.simulated, "total": 12}
    assert (await av.cw.get(f"{path}?skip=10&limit=5"))["agents"] == make.simulated[10:]
    assert (await av.cw.ask("GET", f"{path}?skip=x")).status == 400


async def test_a_recording_is_removed_when_asked(av: Any, make: Any) -> None:
    [one] = (await av.cw.get("/api/recordings"))["recordings"]
    assert (await av.ask()).status == 200
    assert (await av.cw.ask("DELETE", f"/api/recordings/{one['id']}")).status == 204
    assert (await av.ask()).status == 404
    assert (await av.cw.ask("DELETE", f"/api/recordings/{one['id']}")).status == 404
    assert (await av.cw.ask("POST", f"/api/recordings/{one['id']}/complete")).status == 404


async def test_a_run_is_recorded_once(av: Any, make: Any, lines: Any) -> None:
    refused = await av.record(lines, status=409)
    assert "recorded already" in refused["error"]
    assert len((await av.cw.get("/api/recordings"))["recordings"]) == 1
