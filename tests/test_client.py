"""The client against a stand-in of the daemon on a real port."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.client import Client, Command, Result, watch
from clawatch.client.events import MAX_EVENT, encode
from clawatch.client.spool import Spool, folder
from clawatch.client.transport import Transport
from clawatch.testing.standin import StandIn, running_standin

ROOT = Path(__file__).parent.parent
KEY = "cw_very-secret-key-of-the-agent"


@pytest.fixture
def daemon() -> Iterator[StandIn]:
    with running_standin(KEY) as standin:
        yield standin


@pytest.fixture
def client(daemon: StandIn, tmp_path: Path) -> Iterator[Client]:
    one = Client("nightly", daemon.url, KEY, host="host-1", spool=tmp_path, heartbeat_every=None, timeout=5)
    yield one
    one.close()


def until(condition: Callable[[], Any], timeout: float = 15.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def spooled(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(path.rglob("*.ndjson")) for line in file.read_text().splitlines()]


# -- the module ---------------------------------------------------------------------------------------------


def test_it_needs_nothing_but_the_standard_library() -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import clawatch.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=True)
    third_party = {name.split(".")[0] for name in done.stdout.split()} - set(sys.stdlib_module_names)
    assert third_party - {"__main__", "_distutils_hack"} <= {"clawatch"} | {n for n in third_party if n[0] == "_"}


def test_making_a_client_starts_nothing_and_opens_nothing(tmp_path: Path) -> None:
    threads = threading.active_count()
    Client("nightly", "http://127.0.0.1:9", spool=tmp_path / "spool")
    assert threading.active_count() == threads
    assert not (tmp_path / "spool").exists()


# -- what is sent -------------------------------------------------------------------------------------------


def test_an_event_has_the_keys_of_the_contract(daemon: StandIn, client: Client) -> None:
    """CW-20, CW-27."""
    client.tool_call("search", {"q": "x"}, result=["a"], ok=False, duration_ms=12.5, call_id="c1")
    assert client.flush()
    (event,) = daemon.events
    assert event["agentId"] == "nightly"
    assert event["agentName"] == "nightly"
    assert event["host"] == "host-1"
    assert event["type"] == "tool_call"
    assert event["timestamp"].endswith("Z")
    assert event["callId"] == "c1"
    assert event["sessionId"] == client.session
    assert len(event["id"]) == 32
    assert event["data"] == {
        "toolName": "search", "arguments": {"q": "x"}, "result": ["a"], "ok": False, "durationMs": 12.5
    }


def test_every_kind_of_report_arrives_in_order(daemon: StandIn, client: Client) -> None:
    client.heartbeat()
    client.message("hello", role="user")
    client.cost(0.25, "m-1", input_tokens=10, output_tokens=2)
    client.error(ValueError("no such file"))
    client.status("idle", reason="nothing to do")
    client.event("metrics", {"messages_1h": 3})
    assert client.flush()
    assert [(event["type"], event["data"]) for event in daemon.events] == [
        ("heartbeat", {"progress": True}),
        ("message", {"role": "user", "message": "hello"}),
        ("cost", {"costUsd": 0.25, "model": "m-1", "inputTokens": 10, "outputTokens": 2}),
        ("error", {"error": "ValueError: no such file"}),
        ("status_change", {"status": "idle", "reason": "nothing to do"}),
        ("metrics", {"messages_1h": 3}),
    ]


def test_an_odd_figure_does_not_cost_the_event(daemon: StandIn, client: Client) -> None:
    client.tool_call("x", duration_ms=float("nan"))
    client.cost(Decimal("0.5"), input_tokens=-1, output_tokens=7, tokens="many")  # type: ignore[arg-type]
    assert client.flush()
    assert [event["data"] for event in daemon.events] == [
        {"toolName": "x", "ok": True}, {"costUsd": 0.5, "outputTokens": 7}
    ]


def test_events_of_one_moment_go_in_one_request(daemon: StandIn, client: Client) -> None:
    for number in range(20):
        client.message(str(number))
    assert client.flush()
    assert len(daemon.requests) < 20
    assert [event["data"]["message"] for event in daemon.events] == [str(number) for number in range(20)]


def test_kind_labels_and_capabilities_are_told_with_the_status(daemon: StandIn, tmp_path: Path) -> None:
    with Client(
        "a", daemon.url, KEY, kind="cron", labels={"team": "x"}, capabilities=["judge"], spool=tmp_path
    ):
        pass
    running = daemon.of_type("status_change")[0]
    assert (running["kind"], running["labels"], running["capabilities"]) == ("cron", {"team": "x"}, ["judge"])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.builds(object),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers()),
    max_leaves=20,
)


@given(value=JSON)
@settings(max_examples=60)
def test_whatever_is_handed_over_becomes_strict_json(value: Any) -> None:
    line = encode({"agentId": "a", "data": {"arguments": value}})
    msgspec.json.decode(line)  # refuses NaN and lone surrogates, as the daemon does
    line.decode("ascii")
    assert b"\n" not in line


def test_what_cannot_be_written_down_is_still_told() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    endless: list[Any] = []
    endless.append(endless)
    data = json.loads(encode({"data": {"a": Hostile(), "b": endless, "c": float("nan"), "d": "\ud800"}}))["data"]
    assert (data["a"], data["c"], data["d"]) == ("<Hostile>", "nan", "?")


def test_equal_objects_are_told_equally_so_that_loops_are_noticed() -> None:
    assert encode({"data": {"a": [object()]}}) == encode({"data": {"a": [object()]}})


def test_huge_arguments_are_told_by_their_digest() -> None:
    huge = {"agentId": "a", "data": {"toolName": "write", "arguments": {"text": "x" * (2 * MAX_EVENT)}}}
    told = json.loads(encode(huge))
    assert told["data"]["toolName"] == "write"
    assert set(told["data"]["arguments"]) == {"sha256", "bytes"}
    assert encode(huge) == encode(huge)


# -- life ---------------------------------------------------------------------------------------------------


def test_a_with_block_is_running_and_then_stopped(daemon: StandIn, client: Client) -> None:
    with client as agent:
        agent.message("at work")
    told = [(event["type"], event["data"].get("status")) for event in daemon.events]
    assert told == [("status_change", "running"), ("message", None), ("status_change", "stopped")]


def test_an_exception_is_told_as_an_error_and_goes_on_its_way(daemon: StandIn, client: Client) -> None:
    with pytest.raises(ZeroDivisionError), client:
        1 / 0  # noqa: B018
    (error,) = daemon.of_type("error")
    assert error["data"]["error"] == "ZeroDivisionError: division by zero"
    assert error["data"]["where"].startswith(f"{__file__}:")
    assert daemon.events[-1]["data"] == {"status": "stopped", "reason": "ended with ZeroDivisionError"}


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(0), asyncio.CancelledError()])
def test_an_interrupt_or_a_clean_exit_is_no_error(daemon: StandIn, client: Client, end: BaseException) -> None:
    with pytest.raises(type(end)), client:
        raise end
    assert daemon.of_type("error") == []
    assert daemon.events[-1]["data"]["status"] == "stopped"


def test_a_client_can_be_used_again_after_it_was_closed(daemon: StandIn, client: Client) -> None:
    for _ in range(2):
        with client:
            pass
    assert [event["data"]["status"] for event in daemon.events] == ["running", "stopped"] * 2


def test_nested_blocks_are_one_life(daemon: StandIn, client: Client) -> None:
    with client, client:
        client.message("inside")
    assert [event["data"].get("status") for event in daemon.events] == ["running", None, "stopped"]


def test_a_watched_function_keeps_name_result_and_exceptions(daemon: StandIn, tmp_path: Path) -> None:
    @watch("job", url=daemon.url, key=KEY, spool=tmp_path)
    def work(number: int) -> int:
        """Do it."""
        return 10 // number

    assert (work(5), work.__name__, work.__doc__) == (2, "work", "Do it.")
    with pytest.raises(ZeroDivisionError):
        work(0)
    assert work.agent.flush()  # type: ignore[attr-defined]
    assert [event["data"].get("status", event["type"]) for event in daemon.events] == [
        "running", "stopped", "running", "error", "stopped",
    ]
    work.agent.close()  # type: ignore[attr-defined]


async def test_a_watched_coroutine_is_watched_while_it_runs(daemon: StandIn, tmp_path: Path) -> None:
    client = Client("job", daemon.url, KEY, spool=tmp_path)

    @watch(client)
    async def work() -> str:
        await asyncio.sleep(0)
        client.message("inside")
        return "done"

    assert asyncio.iscoroutinefunction(work)
    assert await work() == "done"
    assert client.flush()
    assert [event["data"].get("status", "-") for event in daemon.events] == ["running", "-", "stopped"]
    client.close()


def test_a_heartbeat_of_an_idle_process_is_alive_but_no_progress(daemon: StandIn, tmp_path: Path) -> None:
    with Client("a", daemon.url, KEY, spool=tmp_path, heartbeat_every=0.05):
        daemon.wait_for(lambda: len(daemon.of_type("heartbeat")) >= 3)
    assert daemon.of_type("heartbeat")[-1]["data"] == {"progress": False}


def test_a_heartbeat_after_cpu_work_is_progress(daemon: StandIn, tmp_path: Path) -> None:
    with Client("a", daemon.url, KEY, spool=tmp_path, heartbeat_every=0.3):
        busy = threading.Event()

        def burn() -> None:
            while not busy.is_set():
                sum(range(10_000))

        thread = threading.Thread(target=burn)
        thread.start()
        daemon.wait_for(lambda: any(beat["data"]["progress"] for beat in daemon.of_type("heartbeat")))
        busy.set()
        thread.join()


def test_sleeping_on_purpose_can_be_declared(daemon: StandIn, tmp_path: Path) -> None:
    with Client("a", daemon.url, KEY, spool=tmp_path, heartbeat_every=0.05, watch_progress=False):
        daemon.wait_for(lambda: daemon.of_type("heartbeat"))
    assert daemon.of_type("heartbeat")[0]["data"] == {"progress": True}


def test_heartbeats_end_with_the_block(daemon: StandIn, client: Client) -> None:
    client._heartbeat_every = 0.02
    with client:
        daemon.wait_for(lambda: daemon.of_type("heartbeat"))
    assert daemon.events[-1]["data"]["status"] == "stopped"
    client.message("after")
    assert client.flush()
    assert [event["type"] for event in daemon.events[-2:]] == ["status_change", "message"]


# -- trouble ------------------------------------------------------------------------------------------------


def test_nothing_raises_when_nobody_listens(tmp_path: Path) -> None:
    with Client("a", "http://127.0.0.1:9", spool=tmp_path, timeout=1) as agent:
        agent.tool_call("x", arguments=object())
        assert agent.flush(0.3) is False
    assert [event["type"] for event in spooled(tmp_path)] == ["status_change", "tool_call", "status_change"]


@pytest.mark.parametrize("url", ["", "ftp://x", "http://", "http://u:p@host", "http://host:99999", "nonsense"])
def test_a_wrong_address_is_a_warning_not_an_exception(url: str, caplog: pytest.LogCaptureFixture) -> None:
    client = Client("a", url or "http://[", spool=None)
    client.error("x")
    client.close()
    assert client.flush(0.1) is False
    assert "nothing is reported" in caplog.text


@pytest.mark.parametrize("agent", ["", "x" * 201, "a\nb"])
def test_an_impossible_agent_id_is_a_warning(agent: str, caplog: pytest.LogCaptureFixture) -> None:
    Client(agent, spool=None).heartbeat()
    assert "agent id" in caplog.text


def test_the_key_is_never_shown(daemon: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "cw_this-key\nis wrong"
    client = Client("a", daemon.url, wrong, spool=None)
    other = Client("a", daemon.url, "cw_not-the-right-one", spool=None)
    other.heartbeat()
    assert other.flush(0.3) is False
    other.close()
    shown = caplog.text + repr(client) + repr(other) + repr(Transport(daemon.url, KEY, 1))
    assert "cw_" not in shown
    with pytest.raises(ValueError, match="characters") as caught:
        Transport(daemon.url, wrong, 1)
    assert "this-key" not in str(caught.value)


def test_a_redirect_is_not_followed(daemon: StandIn, tmp_path: Path) -> None:
    with running_standin() as stranger:
        daemon.script.append((307, {"Location": f"{stranger.url}/api/events"}, {}))
        client = Client("a", daemon.url, KEY, spool=tmp_path)
        client.heartbeat()
        daemon.wait_for(lambda: daemon.events)
        assert stranger.requests == []
        client.close()


def test_a_failed_request_is_tried_again_with_the_same_ids(daemon: StandIn, client: Client) -> None:
    daemon.script.append((503, {"Retry-After": "0"}, {"error": "full"}))
    client.message("once")
    daemon.wait_for(lambda: daemon.events)
    assert client.flush()
    assert len(daemon.events) == 1


def test_retry_after_is_heeded(daemon: StandIn, client: Client) -> None:
    daemon.script.append((429, {"Retry-After": "1"}, {}))
    client.message("once")
    until(lambda: not daemon.script)
    began = time.monotonic()
    daemon.wait_for(lambda: daemon.events)
    assert time.monotonic() - began > 0.5


def test_one_wrong_event_does_not_take_its_batch_with_it(
    daemon: StandIn, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(4):
        client.message(str(number))
    # 4 refused, its first half refused, of that the first taken and the second refused, the second half taken
    daemon.script.extend([(400, {}, {}), (400, {}, {})])
    assert client.flush()
    assert [event["data"]["message"] for event in daemon.events] == ["0", "1", "2", "3"]
    daemon.script.append((400, {}, {"rejected": [{"index": 0, "error": "unknown type"}]}))
    client.event("nonsense")
    assert client.flush() is False
    assert "unknown type" in caplog.text


def test_what_could_not_be_sent_is_replayed_as_late(daemon: StandIn, tmp_path: Path) -> None:
    daemon.stop()
    with Client("a", daemon.url, KEY, spool=tmp_path, timeout=1, heartbeat_every=None) as agent:
        agent.cost(1.5, "m")
    left = spooled(tmp_path)
    assert [event["type"] for event in left] == ["status_change", "cost", "status_change"]
    daemon.start()
    again = Client("a", daemon.url, KEY, spool=tmp_path)
    again.message("back")
    daemon.wait_for(lambda: len(daemon.events) == 4)
    again.close()
    assert [request.headers.get("x-clawatch-spool") for request in daemon.requests] == [None, "1"]
    assert [event["id"] for event in daemon.events[1:]] == [event["id"] for event in left]
    assert spooled(tmp_path) == []


def test_heartbeats_of_the_timer_are_not_spooled(tmp_path: Path) -> None:
    client = Client("a", "http://127.0.0.1:9", spool=tmp_path, heartbeat_every=0.02)
    client.start()
    until(lambda: client._sender is not None and client._sender._delivery.failures > 1)
    client.stop()
    client.close()
    assert {event["type"] for event in spooled(tmp_path)} == {"status_change"}


def test_a_slow_daemon_never_blocks_the_agent(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, never answers
        client = Client("a", f"http://127.0.0.1:{mute.getsockname()[1]}", spool=tmp_path, timeout=60)
        for number in range(12_000):
            client.message(str(number))
        client.close(timeout=0.2)
    kept = spooled(tmp_path)
    assert kept[0]["data"]["message"] == "0"
    assert len(kept) >= 10_000


def test_a_forked_child_reports_for_itself(daemon: StandIn, client: Client) -> None:
    client.message("parent")

    def child() -> None:
        client.message("child")
        client.flush()

    context = multiprocessing.get_context("fork")
    process = context.Process(target=child)
    process.start()
    process.join(20)
    assert client.flush()
    daemon.wait_for(lambda: len(daemon.events) == 2)
    assert sorted(event["data"]["message"] for event in daemon.events) == ["child", "parent"]


def test_what_is_unsent_at_exit_is_sent_or_kept(daemon: StandIn, tmp_path: Path) -> None:
    code = (
        "from clawatch.client import Client\n"
        f"agent = Client('a', {daemon.url!r}, {KEY!r}, spool={str(tmp_path)!r})\n"
        "agent.start()\nagent.message('last words')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=30)
    assert [event["data"].get("status", "-") for event in daemon.events] == ["running", "-", "stopped"]


# -- the spool ----------------------------------------------------------------------------------------------


def drain(spool: Spool) -> list[bytes]:
    lines: list[bytes] = []
    while chunk := spool.peek():
        lines += chunk
        spool.drop()
    return lines


def test_a_spool_gives_back_what_it_took(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s")
    lines = [b"%d" % number for number in range(1200)]
    spool.add(lines[:700])
    spool.add(lines[700:])
    assert spool.peek() == spool.peek() == lines[:500]
    assert drain(spool) == lines
    assert list((tmp_path / "s").iterdir()) == []


def test_a_spool_stays_below_its_limit_and_drops_the_oldest(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=4000)
    for number in range(500):
        spool.add([b"%050d" % number])
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4000
    kept = drain(spool)
    assert kept[-1] == b"%050d" % 499
    assert kept == sorted(kept)


def test_two_processes_share_a_spool_without_mixing(tmp_path: Path) -> None:
    one, two = Spool(tmp_path), Spool(tmp_path)
    one.add([b"one"])
    two.add([b"two"])
    assert drain(two) == [b"two"]  # one still holds its file
    one.close()
    assert drain(two) == [b"one"]


def test_half_a_line_left_by_a_crash_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "0-1-1.ndjson").write_bytes(b'{"a":1}\n{"b"')
    assert drain(Spool(tmp_path)) == [b'{"a":1}']


def test_spools_are_private_and_told_apart_by_agent_and_server(tmp_path: Path) -> None:
    path = folder(tmp_path, "http://a", "../../etc/x")
    assert path.parent == tmp_path
    assert path != folder(tmp_path, "http://b", "../../etc/x")
    spool = Spool(path)
    spool.add([b"x"])
    assert path.stat().st_mode & 0o077 == 0
    assert next(path.iterdir()).stat().st_mode & 0o077 == 0
    spool.close()


# -- commands -----------------------------------------------------------------------------------------------


def test_a_pause_is_confirmed_when_the_agent_waits_and_not_before(daemon: StandIn, client: Client) -> None:
    assert client.wait_if_paused(0)
    pause = daemon.command("nightly", "pause")
    until(lambda: client.paused)
    assert daemon.results == {}
    went_on = threading.Event()
    worker = threading.Thread(target=lambda: client.wait_if_paused() and went_on.set())
    worker.start()
    assert daemon.result(pause)["state"] == "confirmed"
    assert not went_on.is_set()
    resume = daemon.command("nightly", "resume")
    assert went_on.wait(15)
    assert daemon.result(resume)["state"] == "confirmed"
    worker.join()


def test_commands_come_with_the_answer_to_events_too(daemon: StandIn, client: Client) -> None:
    pause = daemon.command("nightly", "pause")
    client.heartbeat()
    assert client.flush()
    until(lambda: client._pause.is_wanted)
    client.wait_if_paused(0)
    assert daemon.result(pause)["state"] == "confirmed"


def test_a_stop_ends_the_waiting_and_is_confirmed_at_the_end(daemon: StandIn, client: Client) -> None:
    with client:
        client.wait_if_paused(0)
        stop = daemon.command("nightly", "stop")
        until(lambda: client.stop_requested)
        assert client.wait_if_paused() is False
        assert daemon.results == {}
    assert daemon.result(stop)["state"] == "confirmed"
    assert daemon.events[-1]["data"]["status"] == "stopped"


def test_a_callback_answers_and_its_exception_is_a_failure(daemon: StandIn, client: Client) -> None:
    @client.on_command(types=["execute"])
    def execute(command: Command) -> Result:
        return Result("confirmed", "done", {"sum": sum(command.parameters["numbers"])})

    @client.on_command(types=["learn"])
    def learn(command: Command) -> None:
        raise LookupError("nothing to learn")

    first = daemon.command("nightly", "execute", numbers=[1, 2])
    assert daemon.result(first) == {"state": "confirmed", "message": "done", "data": {"sum": 3}}
    second = daemon.command("nightly", "learn")
    assert daemon.result(second) == {"state": "failed", "message": "LookupError: nothing to learn"}
    third = daemon.command("nightly", "restart")
    assert daemon.result(third)["state"] == "unsupported"


def test_a_command_that_comes_again_is_done_once_and_answered_again(daemon: StandIn, client: Client) -> None:
    calls: list[str] = []

    @client.on_command
    def execute(command: Command) -> None:
        calls.append(command.id)

    first = daemon.command("nightly", "execute")
    daemon.result(first)
    del daemon.results[first]
    daemon.redeliver(first, "execute")
    assert daemon.result(first)["state"] == "confirmed"
    assert calls == [first]


def test_a_paused_agents_heartbeats_are_no_progress(daemon: StandIn, tmp_path: Path) -> None:
    with Client("a", daemon.url, KEY, spool=tmp_path, heartbeat_every=0.05, watch_progress=False) as agent:
        daemon.wait_for(lambda: daemon.of_type("heartbeat"))
        daemon.command("a", "pause")
        daemon.wait_for(lambda: daemon.of_type("heartbeat")[-1]["data"] == {"progress": False})
        assert agent.paused
