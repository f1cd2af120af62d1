"""Large bodies straight from JSON bytes to a model: the usual way holds the body three times, as bytes, as dicts and as model."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

Body = TypeVar("Body", bound=BaseModel)

_MODELS: list[type[BaseModel]] = []
REF = "#/components/schemas/{model}"


def json_body(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """A dependency that reads the request's body as `model`."""

    async def read(request: Request) -> Body:
        body = await request.body()
        try:
            return await run_in_threadpool(model.model_validate_json, body)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False, include_context=False)) from None

    return read


def described(model: type[BaseModel]) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its body by `json_body`."""
    if model not in _MODELS:
        _MODELS.append(model)
    schema = {"$ref": REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def add_schemas(openapi: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the schemas that `described` routes name."""
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    for model in _MODELS:
        schema = model.model_json_schema(ref_template=REF)
        for name, part in schema.pop("$defs", {}).items():
            schemas.setdefault(name, part)
        schemas.setdefault(model.__name__, schema)
    return openapi
