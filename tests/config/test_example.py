"""The example configuration is complete and right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from clawatch.config import ConfigError, load
from clawatch.config.document import read
from clawatch.config.models import AgentOverride, FileSettings, Price, RouteSettings
from clawatch.config.validation import validate
from clawatch.plugins import collect
from clawatch.settings import RuleSettings

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in models_in(field.annotation):
            yield from keys(inner)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


@pytest.mark.parametrize("model", [FileSettings, AgentOverride, RouteSettings, RuleSettings, Price])
def test_every_key_of_the_core_stands_in_the_example(model: type[BaseModel]) -> None:
    text = EXAMPLE.read_text()
    assert [key for key in keys(model) if f"{key}:" not in text] == []


def test_every_top_level_key_is_written_out() -> None:
    assert set(read(EXAMPLE, {}).values) == set(FileSettings.model_fields)


def test_the_core_part_of_the_example_has_no_mistakes() -> None:
    document = read(EXAMPLE, {})
    problems = list(document.problems)
    values = {key: value for key, value in document.values.items() if value is not None}
    assert validate(FileSettings, values, document, (), problems) is not None
    assert problems == []


def test_the_example_says_the_defaults() -> None:
    document = read(EXAMPLE, {})
    values = {key: value for key, value in document.values.items() if value is not None}
    settings = validate(FileSettings, values, document, (), [])
    assert settings is not None
    raw = {"auth", "storage", "rules", "notifiers", "apis"}  # these show entries that change nothing
    assert settings.model_dump(exclude=raw) == FileSettings().model_dump(exclude=raw)


def test_the_example_as_a_whole_is_right_and_means_the_defaults() -> None:
    broken = [report for report in collect().reports if report.origin == "clawatch" and not report.is_well]
    if broken:
        pytest.skip(f"official plugins do not load: {', '.join(report.name for report in broken)}")
    try:
        example = load(EXAMPLE, {"HOME": "/home/x"}).config
    except ConfigError as error:
        pytest.fail(str(error))
    plain = load(None, {"HOME": "/home/x"}).config
    assert example.rules == plain.rules
    assert example.storage == plain.storage
    assert example.notifiers == plain.notifiers == ()
    assert example.apis == plain.apis
    assert example.controllers == plain.controllers
    assert example.enrichers == plain.enrichers
    assert example.auth.fixed_keys == ()


def uncommented(text: str) -> str:
    """``#  key: …`` lines become part of the file, in place of the empty value above them."""
    lines = text.splitlines()
    opened = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if following.startswith("#  ") and not line.startswith(("#", " ")):
            line = re.sub(r":\s+(?:\{\}|\[\])", ":", line)
        opened.append(line.removeprefix("#") if line.startswith("#  ") else line)
    return "\n".join(opened)


def test_the_commented_out_lines_are_right_too(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(uncommented(EXAMPLE.read_text()))
    document = read(path, {})
    problems = list(document.problems)
    values = {key: value for key, value in document.values.items() if value is not None}
    settings = validate(FileSettings, values, document, (), problems)
    assert problems == []
    assert settings is not None
    assert list(settings.prices) == ["my-model"]
    assert validate(AgentOverride, settings.agents[0], document, ("agents", 0), problems) is not None
    assert validate(RouteSettings, settings.routes[0], document, ("routes", 0), problems) is not None
    assert "webhook" in settings.notifiers
