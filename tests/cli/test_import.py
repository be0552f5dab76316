from __future__ import annotations

import asyncio
import io
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from aiohttp import ClientSession
from click.testing import CliRunner, Result
from pyarrow import parquet

from clawatch.cli import main
from clawatch.client.recordings import Upload
from clawatch.client.transport import Answer, Unreachable
from clawatch.testing.app import App, run_app

NODE = str(uuid.UUID(int=77))
LINES: list[dict[str, Any]] = [
    {"kind": "recording", "node_id": NODE, "metrics": ["adoption_rate"], "keyframe_interval": 5},
    {"kind": "agent", "agent_id": "a", "persona_name": "Ann", "segment": "s", "initial_state": {"trust": 0.5}},
    *({"kind": "tick", "tick": n, "metrics": {"adoption_rate": n / 10},
       "by_segment": {"adoption_rate": {"s": n / 20}}} for n in range(11)),
    {"kind": "step", "tick": 3, "agent_id": "a", "state": {"trust": 0.7}, "action": "adopted", "reasoning": "peers"},
    {"kind": "event", "id": "e", "tick": 4, "type": "x", "impact_score": 0.1, "variable_changes": {"trust": 0.2}},
    {"kind": "end", "aggregates": {"peak_tick": 10}},
]  # fmt: skip


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with run_app(tmp_path) as app:
        yield app


async def call(app: App, file: Path, key: str | None = None) -> Result:
    env = {"CLAWATCH_URL": app.url, "CLAWATCH_KEY": app.key if key is None else key}
    return await asyncio.to_thread(CliRunner().invoke, main, ["import", str(file)], env=env)


async def get(app: App, path: str) -> Any:
    async with ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session, session.get(path) as answer:
        return await answer.json()


def written(path: Path, lines: Any = LINES) -> Path:
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


async def check(app: App) -> None:
    """That the recording is there as ``LINES`` have it."""
    base = f"/api/v1/telemetry/{NODE}"
    assert (await get(app, base))["total_ticks"] == 10
    points = (await get(app, f"{base}/slice?segments=s"))["data"]
    assert [point["adoption_rate"] for point in points] == [n / 20 for n in range(11)]
    agent = await get(app, f"{base}/agent/a?include_reasoning=1")
    assert (agent["persona_name"], agent["final_decision"], agent["initial_state"]["trust"]) == ("Ann", "adopted", 0.5)
    assert agent["trajectory"] == [{"tick": 3, "state": {"trust": 0.7}, "action": "adopted", "reasoning": "peers"}]
    assert (await get(app, f"{base}/events"))["events"][0]["variable_changes"] == {"trust": 0.2}
    assert (await get(app, f"{base}/aggregates"))["aggregates"]["peak_tick"] == 10


async def test_a_file_of_lines_is_imported(app: App, tmp_path: Path) -> None:
    done = await call(app, written(tmp_path / "run.ndjson"))
    assert done.exit_code == 0, done.output
    assert f"imported {NODE}, run " in done.output
    await check(app)


def rows(lines: list[dict[str, Any]], is_text: bool) -> Any:
    """As a table: nested fields as JSON text, or as structs and maps."""
    names = dict.fromkeys(name for line in lines for name in line)
    columns: dict[str, list[Any]] = {name: [line.get(name) for line in lines] for name in names}
    nested = [name for name in columns if any(isinstance(value, (dict, list)) for value in columns[name])]
    for name in nested if is_text else ():
        columns[name] = [None if value is None else json.dumps(value) for value in columns[name]]
    table = pyarrow.table(columns)
    if not is_text:
        metrics = pyarrow.array(
            [value and list(value.items()) if isinstance(value, dict) else None for value in columns["metrics"]],
            pyarrow.map_(pyarrow.string(), pyarrow.float64()),
        )
        table = table.drop_columns(["metrics"]).append_column("metrics", metrics)
    return table


@pytest.mark.parametrize("is_text", [True, False], ids=["text", "nested"])
async def test_a_parquet_file_is_imported(app: App, tmp_path: Path, is_text: bool) -> None:
    file = tmp_path / "run.parquet"
    header = LINES[0] if is_text else {**LINES[0], "metrics": None}  # a column of maps holds no list
    parquet.write_table(rows([header, *LINES[1:]], is_text), file)
    done = await call(app, file)
    assert done.exit_code == 0, done.output
    await check(app)


async def test_a_bad_line_is_named_and_nothing_is_kept(app: App, tmp_path: Path) -> None:
    lines = [*LINES[:5], '{"kind":"tick"}\n', *LINES[5:]]
    done = await call(app, written(tmp_path / "run.ndjson", lines))
    assert done.exit_code == 1
    assert "run.ndjson: line 6: " in done.output
    assert "nothing of it was kept" in done.output
    assert (await get(app, "/api/recordings"))["recordings"] == []


@pytest.mark.parametrize(("lines", "said"), [
    ([], "line 1"), (["nonsense\n"], "line 1"), ([{"kind": "tick", "tick": 0}], "line 1"),
])  # fmt: skip
async def test_a_file_that_is_no_recording_is_refused(app: App, tmp_path: Path, lines: Any, said: str) -> None:
    done = await call(app, written(tmp_path / "run.ndjson", lines))
    assert (done.exit_code, said in done.output) == (1, True), done.output


async def test_a_file_is_imported_once(app: App, tmp_path: Path) -> None:
    file = written(tmp_path / "run.ndjson")
    assert (await call(app, file)).exit_code == 0
    again = await call(app, file)
    assert again.exit_code == 1
    assert "recorded already" in again.output
    assert len((await get(app, "/api/recordings"))["recordings"]) == 1


async def test_what_a_file_says_does_not_reach_the_terminal_as_orders(app: App, tmp_path: Path) -> None:
    header = {**LINES[0], "run_id": "\x1b]0;owned\x07\x1b[31mred\u202e"}
    file = written(tmp_path / "\x1b[31mrun.ndjson", [header, *LINES[1:]])
    for said in (await call(app, file), await call(app, file)):
        assert "owned" in said.output
        assert not {"\x1b", "\x07", "\u202e"} & set(said.output)


async def test_without_a_key_it_says_what_is_missing(app: App, tmp_path: Path) -> None:
    done = await call(app, written(tmp_path / "run.ndjson"), key="cw_" + "x" * 43)
    assert "is $CLAWATCH_KEY set and right?" in done.output


def test_a_file_that_is_no_parquet_is_said_to_be_none(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["import", str(written(tmp_path / "run.parquet"))])
    assert "is no Parquet file" in done.output


async def test_the_same_command_goes_on_where_it_was(app: App, tmp_path: Path) -> None:
    file = written(tmp_path / "run.ndjson")
    from clawatch.cli.recordings import lines_of

    header = next(lines_of(file))
    async with ClientSession(app.url, headers={"X-ClaWatch-Key": app.key}) as session:
        async with session.post("/api/recordings", data=header) as answer:
            begun = await answer.json()
        body = io.BytesIO("".join(json.dumps(line) + "\n" for line in LINES[1:5]).encode())
        path = f"/api/recordings/{begun['id']}/frames"
        async with session.post(path, data=body, headers={"X-Start-Line": "2"}) as answer:
            assert (await answer.json())["next_line"] == 6
    done = await call(app, file)
    assert "going on at line 6" in done.output
    assert done.exit_code == 0
    await check(app)


@dataclass
class Patchy:
    """A daemon's side of the wire that breaks as told: ``breaks`` says how many lines of each request arrive."""

    breaks: list[int | None]
    lines: list[bytes] = field(default_factory=list)
    header: bytes = b""

    def post(self, path: str, body: bytes, headers: Any = None) -> Answer:
        if path == "/api/recordings":
            self.header = body
            told = {"id": "rec_1", "node_id": NODE, "complete": False, "next_line": 2 + len(self.lines)}
            return Answer(201, told, None)
        if path.endswith("/complete"):
            return Answer(200, {"complete": True}, None)
        if int(headers["X-Start-Line"]) != 2 + len(self.lines):
            return Answer(409, {"next_line": 2 + len(self.lines)}, None)
        arriving = self.breaks.pop(0) if self.breaks else None
        self.lines += body.splitlines()[:arriving]
        if arriving is not None:
            raise Unreachable("broken")
        return Answer(200, {"next_line": 2 + len(self.lines)}, None)


def all_lines(number: int) -> Iterator[bytes]:
    return iter([b"header", *(b"%d" % n for n in range(number))])


@pytest.mark.parametrize("breaks", [[0], [3, 0, 2], [10], [None], [9, 1]])
def test_every_line_arrives_once_however_often_the_connection_breaks(breaks: list[int | None]) -> None:
    pauses: list[float] = []
    wire = Patchy(list(breaks))
    upload = Upload(wire, all_lines(10), pauses.append)  # type: ignore[arg-type]
    upload.open()
    assert list(upload.send())[-1] == 11
    assert wire.lines == [b"%d" % n for n in range(10)]
    assert upload.complete() == {"complete": True}


def test_a_daemon_that_stays_away_is_given_up_after_a_while() -> None:
    pauses: list[float] = []
    upload = Upload(Patchy([0] * 50), all_lines(3), pauses.append)  # type: ignore[arg-type]
    upload.open()
    with pytest.raises(Unreachable):
        list(upload.send())
    assert 30 < sum(pauses) < 300
