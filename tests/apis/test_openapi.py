"""The document made from routes and types."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from msgspec import Struct

from clawatch.apis.envelopes import clawatch_envelope
from clawatch.apis.openapi import document
from clawatch.apis.routes import Api, Param, Route
from clawatch.domain.access import Principal, Scope


class Wheel(Struct):
    size: int


class Car(Struct, rename="camel"):
    wheel_list: list[Wheel]
    name: str | None = None


async def nothing(request: web.Request, principal: Principal) -> web.StreamResponse:
    return web.Response()


CARS = Api(
    (
        Route("GET", "/cars", nothing, Scope.READ, "All cars.", gives=list[Car],
              params=(Param("limit", "query", int, "At most."),)),
        Route("POST", "/cars/{id:[^/]+}", nothing, Scope.CONTROL, "Change one.", takes=Car, gives=Car, status=201),
        Route("GET", "/cars/ws", nothing, None, "Live.", is_socket=True),
        Route("GET", "/open", nothing, None, "Open.", gives=Wheel),
        Route("GET", "/page", nothing, None, "For people."),
        Route("POST", "/{prefix:.*}/cars", nothing, Scope.CONTROL, "At any depth."),
    ),
    clawatch_envelope,
)


def _refs(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [ref for part in value.values() for ref in _refs(part)]
    return [ref for part in value for ref in _refs(part)] if isinstance(value, list) else []


def test_every_route_is_there_with_its_types_and_rights() -> None:
    doc = document([("cars", CARS)], "1.2.3")
    assert doc["openapi"].startswith("3.1")
    assert doc["info"]["version"] == "1.2.3"
    listed = doc["paths"]["/cars"]["get"]
    assert listed["security"] == [{"key": ["read"]}, {"bearer": ["read"]}]
    assert listed["parameters"] == [
        {"name": "limit", "in": "query", "required": False, "schema": {"type": "integer"}, "description": "At most."}
    ]
    content = listed["responses"]["200"]["content"]["application/json"]["schema"]
    assert content == {"type": "array", "items": {"$ref": "#/components/schemas/Car"}}
    changed = doc["paths"]["/cars/{id}"]["post"]
    assert changed["parameters"][0] == {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    assert changed["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Car"}
    assert "201" in changed["responses"]
    assert "security" not in doc["paths"]["/open"]["get"]


def test_what_no_program_asks_for_is_left_out() -> None:
    assert set(document([("cars", CARS)], "1")["paths"]) == {"/cars", "/cars/{id}", "/open"}


def test_every_reference_leads_somewhere_and_the_wire_names_are_used() -> None:
    doc = json.loads(json.dumps(document([("cars", CARS)], "1")))
    assert {ref.rpartition("/")[2] for ref in _refs(doc)} == set(doc["components"]["schemas"]) == {"Car", "Wheel"}
    assert "wheelList" in doc["components"]["schemas"]["Car"]["properties"]


def test_refusals_are_shown_in_the_doors_own_envelope() -> None:
    doc = document([("cars", CARS)], "1")
    refusal = doc["paths"]["/cars"]["get"]["responses"]["default"]["content"]["application/json"]
    assert refusal["example"] == {"error": "what was wrong"}


def test_operations_have_ids_of_their_own() -> None:
    doc = document([("cars", CARS)], "1")
    ids = [operation["operationId"] for path in doc["paths"].values() for operation in path.values()]
    assert len(set(ids)) == len(ids) == 3
