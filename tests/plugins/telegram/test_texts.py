"""Whatever an agent calls itself or says, the message is taken by Telegram and means what we mean."""

from __future__ import annotations

import pytest
from clawatch_plugins.telegram.callbacks import MAX_DATA, Action, Signer
from clawatch_plugins.telegram.escaping import as_plain, clean, code, escape, fit, prose, units
from clawatch_plugins.telegram.keyboard import Keyboards, linkable
from clawatch_plugins.telegram.reports import agents as said_agents
from clawatch_plugins.telegram.reports import status as said_status
from clawatch_plugins.telegram.text import LIMIT, render
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clawatch.domain.agents import Agent
from clawatch.domain.alerts import Alert, AlertState, AlertType, Mark, Reason, Severity
from clawatch.domain.commands import Command, CommandState, CommandType
from clawatch.domain.deliveries import Notification
from clawatch.ports import StoreHealth, SystemReport
from clawatch.testing.clock import START
from clawatch.testing.telegram_html import parsed_text

HOSTILE = [
    "<b>", "</b><a href='http://evil'>", "_*[`", "&lt;", "&", "\u202e\u2066txet", "\x00\x1b[31m", "a\nSeverity: info",
    "\ud800", "😀" * 5000, "&" * 10_000, "x" * 10_000, "\u0300" * 10_000, "", " ", "\u200b", "tg://user?id=1",
]
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=50), st.text(alphabet=st.characters(), min_size=400, max_size=3000)
)


def notification(words: str, **changes: object) -> Notification:
    alert = Alert(
        id="alert_1", fingerprint="f", rule="loop", type=AlertType.LOOP_DETECTED, severity=Severity.WARNING,
        agent_id=words[:200], subject=words, message=words, state=AlertState.FIRING, started_at=START,
        fired_at=START, acknowledged=Mark(by=words, at=START), brake=f"not done: {words}",
    )
    command = Command(
        id="cmd_1", agent_id="a", type=CommandType.PAUSE, state=CommandState.FAILED, requested_at=START,
        requested_by=words, changed_at=START, message=words,
    )
    plain = Notification(
        id="out_1", notifier="telegram", thread="alert_1", reason=Reason.FIRED, at=START, now=START + 90_000,
        severity=Severity.WARNING, text=words, alert=alert, agent=Agent(id=words[:200], name=words, created_at=0),
        command=command, silenced_until=START + 60_000,
    )
    return replace(plain, **changes)


@given(ANYTHING, st.sampled_from(Reason))
@settings(max_examples=60, deadline=None)
def test_every_message_is_good_html_and_short_enough(words, reason):
    for one in (notification(words, reason=reason), notification(words, reason=reason, alert=None)):
        text = render(one)
        assert units(text) <= LIMIT
        shown = parsed_text(text)
        assert shown.splitlines() == as_plain(text).splitlines()
        text.encode()


@given(ANYTHING)
@settings(max_examples=40, deadline=None)
def test_nothing_an_agent_says_looks_like_a_line_of_ours(words):
    lines = render(notification(words)).splitlines()
    assert [line[:12] for line in lines if line.startswith("<b>Severity")] == ["<b>Severity:"]
    assert len(lines) == 12


@given(ANYTHING, st.integers(1, 400))
@settings(max_examples=60, deadline=None)
def test_escaping_stays_within_its_room(words, room):
    assert units(escape(words, room)) <= room
    assert units(fit(words, room)) <= room
    parsed_text(code(words, room))


@pytest.mark.parametrize("hostile", list("\u202e\u2066\u200f\u061c\x00\x1b\ud800\u200b\ufeff"))
def test_invisible_and_direction_characters_are_taken_out(hostile):
    assert hostile not in clean(f"a{hostile}b")


def test_emoji_made_of_several_stay_whole():
    assert clean("👩‍💻") == "👩‍💻"


@pytest.mark.parametrize(
    "linked", ["see http://evil.example", "evil.example", "@someone", "#tag", "/login", "$USD", "run main.py", "a@b.c"]
)
def test_what_would_become_a_link_stands_in_code(linked):
    assert prose(linked, 100) == f"<code>{linked}</code>"


@pytest.mark.parametrize("plain", ["no heartbeat for 5 minutes", "spent $10.40 of $10.00", "5/10 calls", "a. b"])
def test_a_plain_sentence_stays_one(plain):
    assert prose(plain, 100) == plain


@given(
    st.sampled_from(Action),
    st.text(alphabet="0123456789abcdefghjkmnpqrstvwxyz", min_size=1, max_size=26),
    st.integers(-(2**52), 2**52),
)
@settings(max_examples=100)
def test_callback_data_fits_and_reads_back_in_its_chat_only(action, tail, chat):
    signer = Signer("1:token")
    data = signer.sign(action, f"alert_{tail}", chat)
    assert data is not None
    assert len(data.encode()) <= MAX_DATA
    assert signer.read(data, chat) == (action, f"alert_{tail}")
    assert signer.read(data, chat + 1) is None
    assert Signer("1:another").read(data, chat) is None


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=100)
def test_data_that_was_not_signed_never_reads(data, alert_id):
    signer = Signer("1:token")
    assert signer.read(data, 1) is None
    assert signer.read(f"p:{alert_id}:{'A' * 11}", 1) is None


def test_an_alert_id_too_long_to_sign_gets_no_buttons_but_links():
    one = notification("x")
    long = replace(one, alert=replace(one.alert, id="alert_" + "x" * 60))
    markup = Keyboards(Signer("1:t")).make(long, 1, "https://watch.example/")
    assert markup is not None
    assert [[b.text for b in row] for row in markup.inline_keyboard] == [["Open", "View Agent"]]
    assert Keyboards(Signer("1:t")).make(long, 1, None) is None


def test_an_agent_id_is_quoted_in_its_link():
    markup = Keyboards(Signer("1:t")).make(notification("a/b?c#d é"), 1, "https://watch.example")
    assert markup is not None
    assert markup.inline_keyboard[-1][1].url == "https://watch.example/agents/a%2Fb%3Fc%23d%20%C3%A9"


def test_an_agent_that_was_removed_is_neither_paused_nor_viewed():
    markup = Keyboards(Signer("1:t")).make(notification("a", agent=None), 1, "https://watch.example")
    assert markup is not None
    assert [[b.text for b in row] for row in markup.inline_keyboard] == [
        ["Unacknowledge", "🔕 Silence 1h"], ["Open"]
    ]


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("http://localhost:8787", "http://127.0.0.1:8787"),
        ("http://LOCALHOST/x/", "http://127.0.0.1/x"),
        ("https://watch.example/", "https://watch.example"),
        ("http://localhost.example:1", "http://localhost.example:1"),
    ],
)
def test_localhost_is_written_as_a_number(url, written):
    assert linkable(url) == written


@pytest.mark.parametrize(
    ("reason", "headline"),
    [
        (Reason.FIRED, "🟠 ClaWatch Alert"),
        (Reason.UPDATED, "🟠 ClaWatch Alert"),
        (Reason.RAISED, "🟠 ClaWatch Alert, raised to warning"),
        (Reason.REPEATED, "🟠 ClaWatch Alert, still firing"),
        (Reason.UNSILENCED, "🟠 ClaWatch Alert, still firing after its silence"),
    ],
)
def test_the_headline_says_why_we_speak(reason, headline):
    assert parsed_text(render(notification("x", reason=reason))).splitlines()[0] == headline


def test_a_command_from_before_the_alert_is_not_shown():
    one = notification("x")
    old = replace(one.command, changed_at=START - 1)
    assert "could not pause" in render(one)
    assert "could not pause" not in render(replace(one, command=old))
    assert "could not pause" in render(replace(one, command=replace(old, alert_id="alert_1")))


def test_the_brake_is_called_so():
    one = notification("x")
    braked = replace(one, alert=replace(one.alert, brake="cmd_1"))
    assert "<b>Brake:</b> could not pause" in render(braked)
    unknown = replace(braked, command=None)
    assert "Brake" not in render(unknown)


def test_lists_of_hundreds_stay_short_enough():
    fleet = [Agent(id=f"{n}", name="<&>" * 60, created_at=0) for n in range(500)]
    firing = [replace(notification("&" * 300).alert, id=f"{n}") for n in range(500)]
    report = SystemReport(
        version="1", started_at=0, store=StoreHealth(True), outbox=0, journal_head=0, rules_behind=0, parts=(),
        status="ok",
    )
    for text in (said_agents(fleet, START), said_status(report, fleet, firing, START)):
        parsed_text(text)
        assert units(text) <= LIMIT
        assert text.splitlines()[-1].startswith("… and ")


@pytest.mark.parametrize("bad", ["<b>", "a < b", "</b>", "<b><i></b></i>", "<x>y</x>", "&", "&nbsp;", "a > b"])
def test_the_stand_in_reads_html_as_strictly_as_telegram(bad):
    with pytest.raises(ValueError):
        parsed_text(bad)
