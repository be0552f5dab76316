"""Settings get into settings: what is there stays, what is ours is brought up to date, and nothing is destroyed."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawatch.connections.files import MAX_SIZE, UnreadableError, merged_text, replace, shown, text_of
from clawatch.connections.merging import is_ours, keys_in, merge
from clawatch.ports import Merge

URL = "http://127.0.0.1:8787"
KEY, OLD_KEY = "cw_" + "k" * 43, "cw_" + "o" * 43


def wanted(format: str = "json", **settings: Any) -> Merge:
    return Merge(path=Path("/nowhere/settings"), format=format, settings=settings)  # type: ignore[arg-type]


def into(text: str, change: Merge, replaces: bool = False) -> tuple[str, list[str], list[str]]:
    written, merged = merged_text(text, change, is_ours(URL), replaces)
    return written, merged.changed, merged.kept


def test_what_is_there_stays() -> None:
    text = '{\n\t"model": "opus",\n\t"env": {"A": "1"}\n}\n'
    written, changed, kept = into(text, wanted(env={"B": "2"}))
    assert json.loads(written) == {"model": "opus", "env": {"A": "1", "B": "2"}}
    assert written.startswith('{\n\t"model"'), "indented as before"
    assert (changed, kept) == (["env.B"], [])


def test_a_second_time_changes_nothing() -> None:
    change = wanted(env={"B": KEY}, hooks={"Stop": [{"hooks": [{"url": URL + "/hooks"}]}]})
    once, _, _ = into("", change)
    assert into(once, change) == (once, [], [])


def test_what_is_ours_is_brought_up_to_date() -> None:
    there = {"env": {"H": f"X={OLD_KEY}", "U": URL + "/old"}, "hooks": {"Stop": [{"user": 1}, {"key": OLD_KEY}]}}
    written, _, kept = into(json.dumps(there), wanted(env={"H": f"X={KEY}", "U": URL}, hooks={"Stop": [{"key": KEY}]}))
    assert json.loads(written) == {"env": {"H": f"X={KEY}", "U": URL}, "hooks": {"Stop": [{"user": 1}, {"key": KEY}]}}
    assert kept == []


@pytest.mark.parametrize("off", [None, "", "none", "0", "false", False])
def test_what_is_switched_off_is_switched_on(off: Any) -> None:
    written, changed, kept = into(json.dumps({"exporter": off}), wanted(exporter="otlp"))
    assert (json.loads(written), changed, kept) == ({"exporter": "otlp"}, ["exporter"], [])


def test_somebody_elses_setting_stays_unless_told_otherwise() -> None:
    text = '{"env": {"ENDPOINT": "http://collector:4318"}, "telemetry": true, "hooks": {"Stop": "x"}}'
    change = wanted(env={"ENDPOINT": URL}, telemetry={"enabled": True}, hooks={"Stop": []})
    assert into(text, change) == (text, [], ["env.ENDPOINT", "telemetry", "hooks.Stop"])
    written, changed, kept = into(text, change, replaces=True)
    assert json.loads(written) == {"env": {"ENDPOINT": URL}, "telemetry": {"enabled": True}, "hooks": {"Stop": []}}
    assert (len(changed), kept) == (3, [])


def test_comments_and_order_of_toml_are_kept() -> None:
    text = '# mine\nmodel = "gpt-5.1"  # the best\n\n[otel]\nlog_user_prompt = false # no\nexporter = "none"\n'
    written, changed, _ = into(text, wanted("toml", otel={"exporter": {"otlp-http": {"endpoint": URL}}}))
    assert "# mine\nmodel = \"gpt-5.1\"  # the best\n" in written
    assert "log_user_prompt = false # no" in written
    assert tomllib.loads(written)["otel"] == {
        "log_user_prompt": False, "exporter": {"otlp-http": {"endpoint": URL}},
    }  # fmt: skip
    assert changed == ["otel.exporter"]


def test_an_inline_table_is_merged_into() -> None:
    text = f'[otel]\nexporter = {{ otlp-http = {{ endpoint = "{URL}/v1/logs", headers = {{ "K" = "{OLD_KEY}" }} }} }}\n'
    exporter = {"otlp-http": {"endpoint": f"{URL}/v1/logs", "headers": {"K": KEY}}}
    written, changed, _ = into(text, wanted("toml", otel={"exporter": exporter}))
    assert tomllib.loads(written)["otel"]["exporter"] == exporter
    assert changed == ["otel.exporter.otlp-http.headers.K"]


def test_variables_are_set_beside_others() -> None:
    written, changed, kept = into(f"# k\nexport A=1\nH='{OLD_KEY}'\nE=other\n", wanted("env", H=KEY, E=URL, N="x"))
    assert written == f'# k\nexport A=1\nH="{KEY}"\nE=other\nN="x"\n'
    assert (changed, kept) == (["H", "N"], ["E"])


@pytest.mark.parametrize(("format", "text"), [
    ("json", "{,}"), ("json", '{"a": 1, // a comment\n"b": 2}'), ("json", "[1]"), ("json", '{"a": 1, "a": 2}'),
    ("json", "[" * 100_000), ("toml", "a = "), ("toml", "[a]\n[a]\n"), ("json", '{"a": "\\ud800"}'),
    ("json", '{"a": 1e400}'), ("json", '{"a": NaN}'),
])  # fmt: skip
def test_what_is_not_understood_is_refused(format: str, text: str) -> None:
    with pytest.raises(UnreadableError, match="left as it is"):
        into(text, wanted(format, b={"c": "d"}))


def test_what_is_shown_is_what_would_be_written() -> None:
    assert json.loads(shown(wanted(env={"B": KEY}))) == {"env": {"B": KEY}}
    assert tomllib.loads(shown(wanted("toml", a={"b": 1}))) == {"a": {"b": 1}}


def test_keys_are_found_in_any_file() -> None:
    assert keys_in(f'"X-ClaWatch-Key={KEY}", "{OLD_KEY}", cw_short') == [KEY, OLD_KEY]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "none", "x", KEY]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.sampled_from("abc"), json_values, max_size=3)


@given(known=objects, change=objects)
@settings(max_examples=200, deadline=None)
def test_merging_ends_keeps_foreign_keys_and_comes_to_rest(known: dict[str, Any], change: dict[str, Any]) -> None:
    before = json.loads(json.dumps(known))
    merge(known, json.loads(json.dumps(change)), is_ours(URL))
    assert before.keys() <= known.keys()
    assert all(known[key] == value for key, value in before.items() if key not in change)
    assert all(key in known for key in change)


# -- files


def test_a_file_is_replaced_with_a_copy_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("{}")
    file.chmod(0o640)
    backup = replace(file, "{}", '{"a": 1}', "now")
    assert file.read_text() == '{"a": 1}'
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert backup is not None
    assert (backup.name, backup.read_text(), stat.S_IMODE(backup.stat().st_mode)) == (
        "settings.json.now.bak", "{}", 0o600,
    )  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 2


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "config.toml"
    assert replace(file, "", "a = 1\n", "now") is None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    real, link = tmp_path / "dotfiles" / "settings.json", tmp_path / "settings.json"
    real.write_text("{}")
    link.symlink_to(real)
    replace(link, "{}", "{1}", "now")
    assert link.is_symlink()
    assert real.read_text() == "{1}"


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text("theirs")
    with pytest.raises(UnreadableError, match="just been changed"):
        replace(file, "{}", "ours", "now")
    assert file.read_text() == "theirs"


def test_pipes_devices_folders_loops_and_what_has_no_end_are_left_alone(tmp_path: Path) -> None:
    pipe, folder, loop, large = (tmp_path / name for name in ("pipe", "folder", "loop", "large"))
    os.mkfifo(pipe)
    folder.mkdir()
    loop.symlink_to(loop)
    large.write_bytes(b" " * (MAX_SIZE + 1))
    for path in (pipe, folder, loop, large, Path("/dev/zero")):
        with pytest.raises(UnreadableError):
            text_of(path)


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnreadableError, match="cannot be"):
        replace(tmp_path / "file" / "below.json", "", "{}", "now")
