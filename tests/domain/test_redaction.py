"""Redaction: what must go, what must stay, and that no text makes it slow."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.domain.access import new_secret
from clawatch.domain.redaction import MASK, TOO_DEEP, Redactor, is_secret_name

REDACTOR = Redactor()
BODY = "Ab3" * 14

SECRETS = [
    f"cw_{BODY}",
    f"sk-{BODY}",
    f"sk-ant-api03-{BODY}",
    f"sk-proj-{BODY}",
    f"ghp_{BODY}",
    f"github_pat_{BODY}",
    f"xoxb-123456789012-{BODY}",
    "AKIAIOSFODNN7EXAMPLE",
    "AIza" + "x" * 35,
    f"glpat-{BODY}",
    f"xapp-1-A0123456789-1234567890123-{BODY}",
    f"GOCSPX-{BODY}",
    f"xai-{BODY}",
    f"pplx-{BODY}",
    f"pypi-AgEIcHlwaS5vcmc{BODY}",
    "AGE-SECRET-KEY-1" + BODY.upper(),
    f"npm_{BODY}",
    f"gsk_{BODY}",
    f"whsec_{BODY}",
    f"r8_{BODY}",
    "dop_v1_" + "0a" * 32,
    f"SG.{BODY[:22]}.{BODY}",
    f"hvs.{BODY}",
    f"ya29.{BODY}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{BODY}",
    f"AAE{BODY}",
]


@pytest.mark.parametrize("secret", SECRETS[:-1])
@pytest.mark.parametrize("around", ["{}", "the key is {}, keep it", "x={}", '{{"a":"{}"}}', "see {}\nnext"])
def test_a_secret_is_known_by_its_shape_wherever_it_stands(secret: str, around: str) -> None:
    text = REDACTOR.text(around.format(secret))
    assert secret not in text
    assert MASK in text
    assert BODY not in text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"https://api.telegram.org/bot123456789:AAE{BODY}/sendMessage",
         f"https://api.telegram.org/bot123456789:{MASK}/sendMessage"),
        ("postgres://ops:hunter2@db/x", f"postgres://ops:{MASK}@db/x"),
        ("https://ops:p@ss:word@db.example/x", f"https://ops:{MASK}@db.example/x"),
        ("GET /ws?token=abc&agent=1", f"GET /ws?token={MASK}&agent=1"),
        ("GET /x?a=1&api_key=abc HTTP/1.1", f"GET /x?a=1&api_key={MASK} HTTP/1.1"),
        ("/telemetry?next=%2Fx%3Ftoken%3Dabc&key=k", f"/telemetry?next=%2Fx%3Ftoken%3Dabc&key={MASK}"),
        ("http://127.0.0.1:8787/login#Zm9vYmFyYmF6cXV4eA", f"http://127.0.0.1:8787/login#{MASK}"),
        ("Authorization: Basic b3BzOmh1bnRlcjI=", f"Authorization: {MASK}"),
        ("Authorization: Bearer opskey", f"Authorization: {MASK}"),
        ('{"authorization": "Bearer abc.def"}', f'{{"authorization": "{MASK}"}}'),
        ("sent Bearer abcdefgh12 twice", f"sent Bearer {MASK} twice"),
        ("Cookie: a=b; session=xyz\nHost: x", f"Cookie: {MASK}\nHost: x"),
        ("OPENAI_API_KEY=hunter2 python x.py", f"OPENAI_API_KEY={MASK} python x.py"),
        ("mysql --password=hunter2", f"mysql --password={MASK}"),
        ("deploy --api-key hunter2 now", f"deploy --api-key {MASK} now"),
        ("deploy --token 'hunter2' now", f"deploy --token '{MASK}' now"),
        ("curl -u bob:hunter2 http://x", f"curl -u bob:{MASK} http://x"),
        (f"https://hooks.slack.com/services/T00000000/B00000000/{BODY}", f"https://hooks.slack.com/services/{MASK}"),
        (f"https://discord.com/api/webhooks/123456789012345678/{BODY}",
         f"https://discord.com/api/webhooks/123456789012345678/{MASK}"),
        ('{"client_secret":"hunter2"}', f'{{"client_secret":"{MASK}"}}'),
        ("X-ClaWatch-Key: opskey", f"X-ClaWatch-Key: {MASK}"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nmore", f"{MASK}\nmore"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and no end", MASK),
    ],
)
def test_only_the_secret_part_of_a_text_goes(text: str, masked: str) -> None:
    assert REDACTOR.text(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ok",
        "Agent stuck — no heartbeat for 5 minutes",
        "2026-03-09T14:00:00.000Z",
        "claude-sonnet-4-5-20250929",
        "task-1234567890-abcdefghijklmnop",
        "risk-assessment-for-all-of-the-modules",
        "/home/ops/my_project/some_file_with_a_long_name.py:120: error",
        "used input_tokens=1200 output_tokens=30 max_tokens=4096",
        "http://127.0.0.1:8787/api/agents?limit=20&cursor=abc.12",
        "user@example.com wrote: see http://example.com/a",
        "monkey: banana",
        "codex --max-tokens 4096 --token-budget 12345 --no-secrets here",
        "docker run -u 1000:1000 image",
        "npm_config_registry_is_set_to_the_usual_one",
        "---------|---------",
        "12:30:45 to 13:00:00",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_harmless_text_stays_the_very_same(text: str) -> None:
    assert REDACTOR.text(text) is text


def test_our_own_new_keys_are_masked() -> None:
    assert REDACTOR.text(f"made {new_secret()}") == f"made {MASK}"


@pytest.mark.parametrize("name", ["password", "api_key", "API-Key", "apiKey", "bot_token", "Authorization",
                                  "X-ClaWatch-Key", "client_secret", "Set-Cookie", "access_token", "aws_secret_key"])
def test_these_names_stand_before_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert REDACTOR.value({name: "hunter2"}) == {name: MASK}


@pytest.mark.parametrize("name", ["tokens", "tokenCount", "input_tokens", "key", "agent", "author", "x" * 100_000])
def test_these_names_do_not(name: str) -> None:
    value = {name: "hunter2"}
    assert REDACTOR.value(value) is value


def test_values_are_masked_all_the_way_down_and_the_original_stays() -> None:
    value: dict[str, Any] = {"a": [{"password": "x"}, ("ok", f"sk-{BODY}")], "secret": {"deep": 1}, "n": 5, "o": None}
    masked = REDACTOR.value(value)
    assert masked == {"a": [{"password": MASK}, ("ok", MASK)], "secret": MASK, "n": 5, "o": None}
    assert value["a"][0] == {"password": "x"}


def test_an_empty_secret_and_a_flag_are_no_secret() -> None:
    value = {"password": "", "token": None, "secret": True}
    assert REDACTOR.value(value) is value


def test_secrets_in_the_names_of_a_mapping_go_too() -> None:
    assert REDACTOR.value({f"ghp_{BODY}": 1}) == {MASK: 1}


def test_what_is_nested_beyond_reason_is_cut_instead_of_overflowing() -> None:
    value: Any = "end"
    for _ in range(5_000):
        value = [value]
    assert TOO_DEEP in repr(REDACTOR.value(value))


def test_the_operators_own_patterns_count() -> None:
    redactor = Redactor([re.compile(r"ACME-\d+")])
    assert redactor.text("see ACME-12") == f"see {MASK}"
    assert redactor.value({"id": ["ACME-1"]}) == {"id": [MASK]}


def test_a_command_line_loses_the_word_after_a_secret_option() -> None:
    words = ["agent", "--api-key", "hunter2", "--token=abcdef", "--verbose", "--password", "--x", "API_KEY=abcdef"]
    assert REDACTOR.command(words) == [
        "agent", "--api-key", MASK, f"--token={MASK}", "--verbose", "--password", "--x", f"API_KEY={MASK}",
    ]


PIECES = ["a", "1", ":", "=", "&", "-", "eyJ", "sk-", "-sk-", "cw_", "://", "://a:", "@", "bearer ", "token=",
          "?token", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "password: ", "eyJaaaaaaaa.", "xoxb-", "AKIA",
          "authorization: ", "cookie: ", "1234567:", "?#;&", "secret   ", "login#", "\n", "\\", "\ud800",
          "--", "--token ", "--api-", " -u a:", "SG.", "hooks.slack.com/", "xai-", "npm_", "/api/webhooks/1"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4))
@settings(max_examples=60, deadline=60_000)
def test_no_repetition_makes_a_pattern_explode(pieces: list[str]) -> None:
    """A quadratic pattern would need minutes for this length, a linear one needs hundredths of a second."""
    piece = "".join(pieces)
    REDACTOR.text(piece * (300_000 // len(piece)))


@given(st.text(max_size=200))
@settings(max_examples=100)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@given(st.lists(st.sampled_from([*PIECES, *SECRETS[:-1], "words"]), max_size=8))
@settings(max_examples=200)
def test_no_neighbour_hides_a_secret_that_stands_alone(pieces: list[str]) -> None:
    masked = REDACTOR.text(" ".join(pieces))
    assert BODY not in masked
    assert "AKIAIOSFODNN7EXAMPLE" not in masked


def test_a_known_secret_goes_wherever_it_stands_also_written_for_a_url() -> None:
    redactor = Redactor(known=["tr0ub4dor&3 of ours", "tiny"])
    assert redactor.text("it is tr0ub4dor&3 of ours!") == "it is [redacted]!"
    assert redactor.text("/x/tr0ub4dor%263%20of%20ours/y") == "/x/[redacted]/y"
    assert redactor.text("a tiny word") == "a tiny word"


@pytest.mark.parametrize("name", ["cw_" + "x" * 43, "a:cw_" + "x" * 43, "eyJhbGciOi.eyJzdWIiOi.c", "of ours!"])
def test_a_name_that_holds_one_of_our_secrets_gives_it_away(name: str) -> None:
    assert Redactor(known=["of ours!"]).gives_away(name)


@pytest.mark.parametrize("name", ["cw_my_long_agent_name_here", "sk-learn-trainer-1", "run-20260309:" + "a" * 36])
def test_names_that_people_give_are_not_taken_for_secrets(name: str) -> None:
    assert not Redactor(known=["of ours!"]).gives_away(name)
