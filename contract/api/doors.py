"""What the centre's doors turned away, and how its webhooks are answered."""

from contract.api.common import ApiModel
from contract.api.feed import WebhookView
from contract.ids import EpochMs


class DoorsView(ApiModel):
    """Counts since `since_ms`, when this centre process started; webhooks: all there are, counted since they were made.

    refused_tokens_total: requests with no key or token, an unknown one, or one that may not do this (401, 403).
    bad_batches_total, bad_requests_total: malformed or too large (400, 413, 422), gateways' batches and all others.
    """

    since_ms: EpochMs
    refused_tokens_total: int
    bad_batches_total: int
    bad_requests_total: int
    webhooks: list[WebhookView]
