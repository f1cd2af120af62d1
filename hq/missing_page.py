"""What an address without a page shows: which address, and the way back."""

from html import escape

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response


def register_missing(pages: FastAPI) -> None:
    """Takes the place of NiceGUI's own page, which names an exception and leads nowhere."""

    @pages.exception_handler(404)
    async def missing(request: Request, _: Exception) -> Response:
        return _page(request.url.path)


def _page(path: str) -> HTMLResponse:
    body = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>No such page · Shelfloop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/hq-static/hq.css"></head>
<body><main class="login"><h1>No such page</h1><p>There is nothing at <code>{escape(path[:200])}</code>.</p>
<p><a href="/">To the overview</a></p></main></body></html>"""
    return HTMLResponse(body, 404)
