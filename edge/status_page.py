"""The shop's own page: one HTML document without scripts, pictures or anything from elsewhere. It only reads."""

from collections.abc import Iterator
from html import escape

from edge.status_view import AlertLine, DeviceLine, Fact, StatusView

REFRESH_S = 10
STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --soft: #5b6875; --paper: #f4f6f8; --card: #fff; --line: #dfe4e9;
  --good: #12734a; --good-bg: #e3f4eb; --bad: #a12b1d; --bad-bg: #fbe7e3; --warn: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8edf2; --soft: #9aa7b4; --paper: #12181f; --card: #1a222b;
  --line: #2c3742; --good: #7ad7a9; --good-bg: #143526; --bad: #ff9d8c; --bad-bg: #43201a; --warn: #ffc966; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.05rem; font-weight: 600; margin: 0 0 .75rem; color: var(--soft); }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
h2 span { color: var(--soft); font-weight: 400; }
.banner { border-radius: .5rem; padding: .9rem 1.1rem; background: var(--good-bg); color: var(--good); }
.banner.bad { background: var(--bad-bg); color: var(--bad); }
.banner strong { font-size: 1.3rem; }
.banner ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); margin: 0; }
dl div { padding: .6rem 1.1rem; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; }
dd.bad, td.bad { color: var(--bad); font-weight: 600; }
ul.alerts { list-style: none; margin: 0; padding: 0; }
ul.alerts li { display: flex; justify-content: space-between; gap: 1rem; padding: .5rem 1.1rem; }
ul.alerts li + li, tbody tr { border-top: 1px solid var(--line); }
ul.alerts span { color: var(--soft); white-space: nowrap; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 400; color: var(--soft); font-size: .85rem; }
th, td { padding: .45rem .6rem; }
th:first-child, td:first-child { padding-left: 1.1rem; overflow-wrap: anywhere; }
.number { text-align: right; padding-right: 1.1rem; }
.more, footer { color: var(--soft); font-size: .85rem; padding: .5rem 1.1rem; }
@media (max-width: 34rem) { main { padding: .6rem; } .wide { display: none; } }
"""


def page_from(view: StatusView) -> str:
    return "".join(_parts(view))


def _parts(view: StatusView) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="refresh" content="{REFRESH_S}">'
    mark = "" if view.is_well else "! "
    yield f"<title>{mark}{escape(view.title)}</title><style>{STYLE}</style></head><body><main>"
    yield f"<h1>{escape(view.title)}</h1>"
    yield f'<div class="banner{"" if view.is_well else " bad"}"><strong>{escape(view.headline)}</strong>'
    if view.problems:
        yield f"<ul>{''.join(f'<li>{escape(problem)}</li>' for problem in view.problems)}</ul>"
    yield "</div>"
    yield from _alerts("Stock", view.stock_alerts, "No shelf is empty, nothing runs low.")
    yield from _alerts("Equipment and data", view.other_alerts, "")
    if view.alerts_not_shown:
        yield f'<p class="more">… and {view.alerts_not_shown} more alerts</p>'
    yield from _devices(view)
    yield f'<h2>The gateway</h2><dl class="card">{"".join(_fact(fact) for fact in view.facts)}</dl>'
    yield f"<footer>Shop time {escape(view.at)}. This page renews itself every {REFRESH_S} s, works without the internet "
    yield "and changes nothing.</footer></main></body></html>"


def _fact(fact: Fact) -> str:
    kind = "" if fact.is_well else ' class="bad"'
    return f"<div><dt>{escape(fact.name)}</dt><dd{kind}>{escape(fact.value)}</dd></div>"


def _alerts(title: str, alerts: list[AlertLine], if_none: str) -> Iterator[str]:
    if not alerts and not if_none:
        return
    yield f"<h2>{title} <span>{len(alerts) or ''}</span></h2><div class='card'>"
    if alerts:
        rows = (f"<li>{escape(alert.text)}<span>for {escape(alert.since)}</span></li>" for alert in alerts)
        yield f'<ul class="alerts">{"".join(rows)}</ul>'
    else:
        yield f'<p class="more">{if_none}</p>'
    yield "</div>"


def _devices(view: StatusView) -> Iterator[str]:
    count = len(view.devices) + view.devices_not_shown
    yield f"<h2>Devices <span>{count or ''}</span></h2><div class='card'>"
    if view.devices:
        yield "<table><thead><tr><th>Device</th><th class='wide'>Kind</th><th>State</th><th>Last data</th>"
        yield "<th class='number wide'>Messages</th></tr></thead><tbody>"
        yield from (_device(line) for line in view.devices)
        yield "</tbody></table>"
    else:
        yield '<p class="more">None has spoken yet.</p>'
    if view.devices_not_shown:
        yield f'<p class="more">… and {view.devices_not_shown} more devices</p>'
    yield "</div>"


def _device(line: DeviceLine) -> str:
    state = "" if line.is_well else ' class="bad"'
    return (
        f"<tr><td>{escape(line.device)}</td><td class='wide'>{escape(line.kind)}</td><td{state}>{escape(line.state)}</td>"
        f"<td>{escape(line.last_data)}</td><td class='number wide'>{escape(line.messages)}</td></tr>"
    )
