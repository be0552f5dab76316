"""Validates with pydantic models, and puts pydantic's findings into our words and lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from clawatch.config.document import Document
from clawatch.config.problems import Place, Problem, say_known
from clawatch.settings import settings_from_file

M = TypeVar("M", bound=BaseModel)

_WORDS = {
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list; write [a, b]",
    "tuple_type": "must be a list; write [a, b]",
    "set_type": "must be a list; write [a, b]",
    "frozen_set_type": "must be a list; write [a, b]",
    "dict_type": "must be a mapping of keys to values",
    "mapping_type": "must be a mapping of keys to values",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "none_required": "must be null",
}
_OWN_WORDS = ("value_error", "assertion_error")


def validate(model: type[M], values: Any, document: Document, place: Place, problems: list[Problem]) -> M | None:
    """The settings, or None with the reasons added to ``problems``."""
    try:
        settings: M = settings_from_file(model, values)
    except ValidationError as error:
        problems += problems_of(error, model, document, place)
        return None
    return settings


def problems_of(error: ValidationError, model: type[BaseModel], document: Document, place: Place) -> list[Problem]:
    """A problem for each place that pydantic complains about; the branches of a union are told as one."""
    said: dict[Place, list[str]] = {}
    errors = error.errors(include_url=False, include_input=False)
    for found in errors:
        if found["type"] == "too_short" and any(_is_inside(other, found) for other in errors):
            continue  # only because wrong items do not count
        where = _place(found, document, place)
        if any(where[:size] in document.unread for size in range(1, len(where) + 1)):
            continue
        words = _words(found, model)
        if words not in said.setdefault(where, []):
            said[where].append(words)
    return [document.problem(where, ", or ".join(words)) for where, words in said.items()]


def _is_inside(inner: ErrorDetails, outer: ErrorDetails) -> bool:
    return len(inner["loc"]) > len(outer["loc"]) and inner["loc"][: len(outer["loc"])] == outer["loc"]


def _place(found: ErrorDetails, document: Document, place: Place) -> Place:
    """Where the mistake is, without the names of union branches that pydantic puts into its locations."""
    where = place + found["loc"]
    if found["type"] in ("missing", "extra_forbidden"):
        return where
    while len(where) > len(place) and where not in document.lines:
        where = where[:-1]
    return where


def _words(found: ErrorDetails, model: type[BaseModel]) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind in _OWN_WORDS:
        return str(context["error"])
    if kind == "missing":
        return "is missing; write it"
    if kind == "extra_forbidden":
        return f"is not known; {say_known(str(found['loc'][-1]), _keys_beside(found['loc'], model))}"
    if kind in ("enum", "literal_error"):
        return f"is not known; write {context['expected']}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty" if context["min_length"] == 1 else f"needs at least {context['min_length']}"
    if kind in _WORDS:
        return _WORDS[kind]
    message = found["msg"].removeprefix("Input should ").removeprefix("Value should ")
    return f"must {message}" if message != found["msg"] else f"is wrong: {message}"


def _keys_beside(loc: Place, model: type[BaseModel]) -> list[str]:
    """The keys that are known where the last part of ``loc`` is not."""
    models: list[type[BaseModel]] = [model]
    for part in loc[:-1]:
        models = [inner for one in models for inner in _models_under(one, part)] or models
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _models_under(model: type[BaseModel], part: str | int) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if part in (name, field.alias):
            yield from _models_in(field.annotation)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
