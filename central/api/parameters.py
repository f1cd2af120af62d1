"""Query parameters that a route does not have: refused, since one that is mistyped would change the answer unseen."""

from collections import Counter
from difflib import get_close_matches
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request

from central.errors import SenderError
from runtime.logs import printable

PROBES = frozenset({"/healthz"})
"""Asked by machines that add words of their own against caches."""
MAX_NAMES = 100


async def known_parameters(request: Request) -> None:
    """For all routes. Raises SenderError for a parameter that the route does not have, or that stands more than once."""
    text = request.scope["query_string"]
    if not text or request.url.path in PROBES:
        return
    route = request.scope["route"]
    known = frozenset(_names(route.dependant))
    asked = Counter(name for name, _ in _pairs(text.decode("latin-1")))
    for name, times in asked.items():
        if name not in known:
            raise SenderError(_unknown(name, known, f"{request.method} {route.path}"))
        if times > 1:
            raise SenderError(f"query.{name} stands {times} times; give it once")


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_NAMES)
    except ValueError:
        raise SenderError(f"the query has more than {MAX_NAMES} parameters; no route takes so many") from None


def _unknown(name: str, known: frozenset[str], route: str) -> str:
    shown = printable(name, 40)
    if not known:
        return f"query.{shown} is unknown: {route} takes no query parameters; leave it out"
    near = get_close_matches(name, sorted(known), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"query.{shown} is unknown to {route}; {meant}Known are {', '.join(sorted(known))}"


def _names(dependant: Any) -> list[str]:
    """Those of the route and of what it depends on."""
    own = [field.alias for field in dependant.query_params]
    return own + [name for part in dependant.dependencies for name in _names(part)]
