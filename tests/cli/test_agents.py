"""``clawatch send`` against a stand-in of the daemon."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner, Result

from clawatch.cli.agents import send, wrap
from clawatch.cli.status import status
from clawatch.testing.standin import StandIn, running_standin

KEY = "cw_the-key"


@pytest.fixture
def daemon() -> Iterator[StandIn]:
    with running_standin(KEY) as standin:
        yield standin


def run(daemon: StandIn, *arguments: str, key: str = KEY, stdin: str | None = None) -> Result:
    env = {"CLAWATCH_URL": daemon.url, "CLAWATCH_KEY": key}
    return CliRunner().invoke(send, list(arguments), env=env, input=stdin)


def test_an_event_is_sent(daemon: StandIn) -> None:
    done = run(daemon, "--agent", "a b", "--type", "error", "--data", '{"error": "it failed"}', "--name", "A")
    assert (done.exit_code, done.output) == (0, "accepted\n")
    (event,) = daemon.events
    assert (event["agentId"], event["agentName"], event["type"]) == ("a b", "A", "error")
    assert event["data"] == {"error": "it failed"}


def test_data_can_come_from_standard_input(daemon: StandIn) -> None:
    assert run(daemon, "--agent", "a", "--data", "-", stdin='{"message": "hi"}').exit_code == 0
    assert daemon.events[0]["data"] == {"message": "hi"}
    assert daemon.events[0]["type"] == "heartbeat"


def test_the_same_id_twice_is_one_event(daemon: StandIn) -> None:
    run(daemon, "--agent", "a", "--id", "x")
    done = run(daemon, "--agent", "a", "--id", "x")
    assert (done.exit_code, done.output) == (0, "already known\n")
    assert len(daemon.events) == 1


@pytest.mark.parametrize("data", ["{", "[1]", "7", "[" * 100_000])
def test_what_is_no_json_object_is_refused(daemon: StandIn, data: str) -> None:
    done = run(daemon, "--agent", "a", "--data", data)
    assert done.exit_code == 1
    assert "--data" in done.output
    assert daemon.events == []


def test_a_wrong_key_is_told_without_showing_it(daemon: StandIn) -> None:
    done = run(daemon, "--agent", "a", key="cw_wrong")
    assert done.exit_code == 1
    assert "401" in done.output
    assert "CLAWATCH_KEY" in done.output
    assert "cw_wrong" not in done.output


def test_a_refusal_is_told_in_the_servers_words(daemon: StandIn) -> None:
    daemon.script.append((400, {}, {"rejected": [{"index": 0, "error": "unknown type: nonsense"}]}))
    done = run(daemon, "--agent", "a", "--type", "nonsense")
    assert (done.exit_code, done.output) == (1, "Error: not accepted: 400 unknown type: nonsense\n")


def test_an_absent_daemon_is_told(daemon: StandIn) -> None:
    daemon.stop()
    done = run(daemon, "--agent", "a")
    assert done.exit_code == 1
    assert f"{daemon.url} does not answer" in done.output


def test_wrap_needs_a_possible_agent_id_and_a_command() -> None:
    assert CliRunner().invoke(wrap, ["--agent", "a\nb", "--", "true"]).exit_code == 2
    assert CliRunner().invoke(wrap, ["--agent", "a"]).exit_code == 2


def test_status_says_what_is_wrong_with_an_address() -> None:
    done = CliRunner().invoke(status, [], env={"CLAWATCH_URL": "ftp://127.0.0.1"})
    assert done.exit_code == 1
    assert done.output == "Error: the address must look like http://HOST:PORT, without user or password\n"


class Answering(BaseHTTPRequestHandler):
    """Gives every question the server's one answer."""

    server: Server

    def do_GET(self) -> None:
        body = self.server.body
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        return


class Server(HTTPServer):
    body = b""


def asked(body: bytes) -> Result:
    with Server(("127.0.0.1", 0), Answering) as server:
        server.body = body
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            return CliRunner().invoke(status, ["--json", "--url", f"http://127.0.0.1:{server.server_port}"])
        finally:
            server.shutdown()
            thread.join()


def test_status_shows_a_fleet_of_any_size() -> None:
    said = asked(b'{"agents": [], "alerts": [], "more": "' + b"x" * 6_000_000 + b'"}')
    assert (said.exit_code, said.output) == (0, '{"agents": [], "alerts": []}\n')


def test_status_says_so_when_it_is_not_clawatch_that_answers() -> None:
    said = asked(b"<html>")
    assert said.exit_code == 1
    assert "is not ClaWatch" in said.output
