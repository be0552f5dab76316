"""The OpenAPI 3.1 document, made from the routes and the types they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from clawatch.apis.routes import Api, Param, Problem, Route

_COMPONENT = "#/components/schemas/{name}"
_PLACEHOLDER = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
_ANY_DEPTH = re.compile(r":\.[*+]\}")
_SECURITY_SCHEMES = {
    "key": {"type": "apiKey", "in": "header", "name": "X-ClaWatch-Key"},
    "bearer": {"type": "http", "scheme": "bearer", "description": "A key, or a token from POST /api/auth/token."},
}
_SAMPLE = Problem(400, "what was wrong", "invalid")


APIS: web.AppKey[Sequence[tuple[str, Api]]] = web.AppKey("apis", Sequence)
"""Every door of an application by its name, for the document of them all."""


def document(apis: Sequence[tuple[str, Api]], version: str) -> dict[str, Any]:
    """What programs may ask of these doors, each under its own tag.

    Left out are WebSockets, pages for people, ``HEAD``, and paths of any depth: the document has no words for them.
    """
    shown = [(name, api, route) for name, api in apis for route in api.routes if _is_shown(route)]
    schemas = _Schemas(route for _, _, route in shown)
    paths: dict[str, dict[str, Any]] = {}
    for name, api, route in shown:
        path = _PLACEHOLDER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(name, api, route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ClaWatch", "version": version},
        "paths": paths,
        "components": {"schemas": schemas.components, "securitySchemes": _SECURITY_SCHEMES},
        "tags": [{"name": name} for name in dict.fromkeys(name for name, _, _ in shown)],
    }


def _is_shown(route: Route) -> bool:
    is_page = route.method == "GET" and route.scope is None and route.gives is None
    return not (route.is_socket or is_page or _ANY_DEPTH.search(route.path))


class _Schemas:
    """Every type that routes name, as schemas that refer to shared components."""

    def __init__(self, routes: Iterable[Route]) -> None:
        types: list[Any] = []
        for route in routes:
            types += [one for one in (route.takes, route.gives) if one is not None]
            types += [param.type for param in route.params]
        schemas, self.components = msgspec.json.schema_components(types, ref_template=_COMPONENT)
        self._schemas = list(zip(types, schemas, strict=True))

    def of(self, type: Any) -> dict[str, Any]:
        return next(schema for known, schema in self._schemas if known is type or known == type)


def _operation(tag: str, api: Api, route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [tag],
        "summary": route.summary,
        "operationId": _operation_id(tag, route),
        "parameters": [_parameter(param, schemas) for param in _params(route)],
        "responses": _responses(api, route, schemas),
    }
    if route.takes is not None:
        operation["requestBody"] = {"required": True, "content": _json(schemas.of(route.takes))}
    if route.scope is not None:
        operation["security"] = [{"key": [str(route.scope)]}, {"bearer": [str(route.scope)]}]
        operation["description"] = f"Needs a key with the scope `{route.scope}`."
    return operation


def _operation_id(tag: str, route: Route) -> str:
    words = re.findall(r"\w+", _PLACEHOLDER.sub(r"by \1", route.path))
    return "_".join([tag, route.method.lower(), *words])


def _params(route: Route) -> list[Param]:
    """Those the route describes, and those of its path that it does not."""
    described = {param.name for param in route.params if param.where == "path"}
    missing = [name for name in _PLACEHOLDER.findall(route.path) if name not in described]
    return [*(Param(name, "path") for name in missing), *route.params]


def _parameter(param: Param, schemas: _Schemas) -> dict[str, Any]:
    schema = {"type": "string"} if param.type is str else schemas.of(param.type)
    parameter = {"name": param.name, "in": param.where, "required": param.where == "path", "schema": schema}
    return parameter | ({"description": param.description} if param.description else {})


def _responses(api: Api, route: Route, schemas: _Schemas) -> dict[str, Any]:
    refusal = {"description": "A refusal.", "content": {"application/json": {"example": _sample(api)}}}
    answer: dict[str, Any] = {"description": "Done."}
    if route.gives is not None:
        answer["content"] = _json(schemas.of(route.gives))
    return {str(route.status): answer, "default": refusal}


def _sample(api: Api) -> Any:
    """A refusal in the door's own envelope."""
    body = api.envelope(_SAMPLE).body
    return msgspec.json.decode(body) if isinstance(body, bytes) and body else None


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
