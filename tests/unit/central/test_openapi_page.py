"""docs/openapi.json is what the centre serves."""

import json
from pathlib import Path

import pytest

from central.api.description import openapi_text

PAGE = Path(__file__).parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def text() -> str:
    return openapi_text()


def test_the_page_is_what_the_routes_say(text: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == text, (
        "the API changed: run `make api-page` and commit docs/openapi.json"
    )


def test_every_route_names_its_refusals_and_all_but_the_open_ones_want_a_bearer(text: str) -> None:
    document = json.loads(text)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            is_open = path in ("/healthz", "/v1/sessions")
            assert ("security" in operation) != is_open, f"{method} {path}"
            assert is_open or {"401", "403", "429"} <= set(operation["responses"]), f"{method} {path}"
            assert "default" not in operation["responses"]
            for status, response in operation["responses"].items():
                if not status.startswith("2"):
                    assert list(response["content"]) == ["application/problem+json"], (
                        f"{method} {path} {status}"
                    )


def test_every_reference_leads_to_a_schema(text: str) -> None:
    schemas = json.loads(text)["components"]["schemas"]
    used = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used <= set(schemas)
    assert "Problem" in used
