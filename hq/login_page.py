"""The log-in page: a plain form, so that nothing runs in the browser before somebody is known."""

from html import escape
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from contract.api.people import LogIn, SessionMade
from hq.errors import CentralAwayError, HqError
from hq.login import COOKIE, LOGIN_PATH, People

MAX_FORM_BYTES = 4_096


def register_login(web: FastAPI, people: People) -> None:
    @web.get(LOGIN_PATH)
    async def show(request: Request, link: str = "") -> Response:
        """The form; with a one-time link's code, straight in."""
        if not link:
            return _page(_next_of(request))
        try:
            made = await people.log_in(LogIn(link=link[:200]))
        except HqError as error:
            if await _is_in(people, request):
                return RedirectResponse("/", 303)  # the link that let this browser in, once more
            return _page("/", _said(error), _status_of(error))
        return _welcome(request, made, "/")

    @web.post(LOGIN_PATH)
    async def log_in(request: Request) -> Response:
        form = await _form(request)
        if form is None:
            return _page("/", "That was too much for a name and a password.", 413)
        after = _inside(form.get("next", ""))
        try:
            made = await people.log_in(
                LogIn(name=form.get("name", "")[:80], password=form.get("password", "")[:200])
            )
        except HqError as error:
            return _page(after, _said(error), _status_of(error))
        return _welcome(request, made, after)

    @web.post("/logout")
    async def log_out(request: Request) -> Response:
        try:
            await people.log_out(request.cookies.get(COOKIE, ""))
        except HqError as error:
            return _page(
                "/", f"The session could not be ended at the centre: {error.why} It ends by itself.", 503
            )
        reply = RedirectResponse(LOGIN_PATH, 303)
        reply.delete_cookie(COOKIE)
        return reply


async def _is_in(people: People, request: Request) -> bool:
    try:
        return await people.me(request.cookies.get(COOKIE, "")) is not None
    except HqError:
        return False


def _welcome(request: Request, made: SessionMade, after: str) -> Response:
    reply = RedirectResponse(after, 303)
    # Lax, not strict: a link in a mail opens the page. Writes from other sites are refused by OriginGuard.
    reply.set_cookie(
        COOKIE, made.token, httponly=True, samesite="lax", secure=request.url.scheme == "https", path="/"
    )
    reply.headers["Cache-Control"] = "no-store"
    return reply


async def _form(request: Request) -> dict[str, str] | None:
    """The form's fields; None when there is too much of it."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return None
    fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    return {name: values[0] for name, values in fields.items()}


def _next_of(request: Request) -> str:
    return _inside(request.query_params.get("next", ""))


def _inside(path: str) -> str:
    """`path` when it is one of ours: a log-in must not lead to another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


def _said(error: HqError) -> str:
    return f"{error.why} {error.do}"


def _status_of(error: HqError) -> int:
    return 503 if isinstance(error, CentralAwayError) else 401


def _page(after: str, problem: str = "", status: int = 200) -> HTMLResponse:
    told = f'<p class="tone-bad" role="alert">{escape(problem)}</p>' if problem else ""
    body = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Log in · Shelfloop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/hq-static/hq.css"></head>
<body><main class="login"><h1>Shelfloop</h1>{told}
<form method="post" action="{LOGIN_PATH}"><input type="hidden" name="next" value="{escape(after)}">
<label>Name <input name="name" autocomplete="username" maxlength="80" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" maxlength="200" required></label>
<button type="submit">Log in</button></form>
<p class="panel-note">No account, or a lost password? An admin makes one at the centre:
<code>shelfloop central person add</code></p></main></body></html>"""
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})
