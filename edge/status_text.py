"""The status as a terminal shows it."""

from collections.abc import Iterator

from edge.status_view import AlertLine, StatusView


def text_from(view: StatusView) -> str:
    return "\n".join(_lines(view))


def _lines(view: StatusView) -> Iterator[str]:
    yield view.title
    yield f"{'ok' if view.is_well else '!!'}  {view.headline}"
    for problem in view.problems:
        yield f"    - {problem}"
    yield ""
    width = max((len(fact.name) for fact in view.facts), default=0)
    for fact in view.facts:
        yield f"{'  ' if fact.is_well else '! '}{fact.name:{width}}  {fact.value}"
    yield from _alerts("Stock", view.stock_alerts)
    yield from _alerts("Equipment and data", view.other_alerts)
    if view.alerts_not_shown:
        yield f"  … and {view.alerts_not_shown} more alerts"
    yield ""
    yield f"Devices ({len(view.devices) + view.devices_not_shown})"
    names = max((len(line.device) for line in view.devices), default=0)
    for line in view.devices:
        mark = "  " if line.is_well else "! "
        yield f"{mark}{line.device:{names}}  {line.kind:8} {line.state:8} {line.last_data:>14}  {line.messages}"
    if view.devices_not_shown:
        yield f"  … and {view.devices_not_shown} more devices"
    if not view.devices:
        yield "  none has spoken yet"


def _alerts(title: str, alerts: list[AlertLine]) -> Iterator[str]:
    if alerts:
        yield ""
        yield f"{title} ({len(alerts)})"
        for alert in alerts:
            yield f"! {alert.text}  (for {alert.since})"
