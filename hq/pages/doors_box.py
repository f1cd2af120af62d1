"""At the centre's door: refused tokens, malformed batches and requests, and webhooks whose receivers fail."""

from contract.api.doors import DoorsView
from contract.api.feed import WebhookView
from hq.pages.frame import section
from hq.pages.table import Column, DataTable, Row, cell
from hq.words import UNKNOWN, ago, number


class DoorsBox:
    def __init__(self) -> None:
        with section("At the centre's door", "of the whole chain, whatever is chosen above", anchor="doors"):
            self._rows = DataTable(
                _DOORS,
                empty="Nothing was turned away, and every webhook is answered.",
                page_rows=10,
            )

    def show(self, doors: DoorsView, now_ms: int) -> None:
        self._rows.set_rows(door_rows(doors, now_ms))


_DOORS = [
    Column("what", "What", wide=True),
    Column("count", "How often", numeric=True),
    Column("last", "Last answer", wide=True, sortable=False),
    Column("at", "When", numeric=True),
]


def door_rows(doors: DoorsView, now_ms: int) -> list[Row]:
    """What happened at least once; a webhook when it failed or is switched off."""
    since = f"since the centre started, {ago(doors.since_ms, now_ms)}"
    counts = (
        ("Keys and tokens refused", doors.refused_tokens_total),
        ("Malformed batches of gateways", doors.bad_batches_total),
        ("Other requests that made no sense", doors.bad_requests_total),
    )
    rows: list[Row] = [
        {
            "id": what,
            "what": cell(what, sub=since),
            "count": cell(number(count), count, tone="warn"),
            "last": cell(UNKNOWN),
            "at": cell(UNKNOWN, -1),
        }
        for what, count in counts
        if count
    ]
    return rows + [
        _webhook_row(webhook, now_ms)
        for webhook in doors.webhooks
        if webhook.failed_total or not webhook.enabled
    ]


def _webhook_row(webhook: WebhookView, now_ms: int) -> Row:
    # Receivers may keep a secret in the query: it is nobody's to read here.
    said = f"{number(webhook.delivered_total)} delivered · {number(webhook.pending)} waiting"
    if webhook.given_up_total:
        said += f" · {number(webhook.given_up_total)} given up"
    if webhook.given_up_from is not None:
        said += f": replay after {webhook.given_up_from - 1}"
    return {
        "id": webhook.webhook,
        "what": cell(
            f"Webhook failures, {webhook.url.partition('?')[0]}",
            sub=said,
        ),
        "count": cell(number(webhook.failed_total), webhook.failed_total, tone="warn"),
        "last": cell(webhook.last_status or UNKNOWN, sub="" if webhook.enabled else "switched off"),
        "at": cell(ago(webhook.last_ms, now_ms), webhook.last_ms or -1),
    }
