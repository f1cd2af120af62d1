"""What the centre answers to a batch, read."""

import json

from pydantic import ValidationError

from contract.documents import DocumentKind
from contract.errors import MalformedMessageError
from contract.message import reason_from_validation
from edge.core.lean import LEAN_DOCUMENT, LeanDocument, LeanReceipt
from edge.core.messages import BadInput


class _LooseReceipt(LeanReceipt):
    documents: list[object] = []  # type: ignore[assignment]  # looser on purpose


def receipt_from(body: bytes) -> tuple[LeanReceipt, list[BadInput]]:
    """The receipt without the documents that are malformed, and those: one bad document must not hold up every batch.

    Raises MalformedMessageError when it is no receipt.
    """
    try:
        return LeanReceipt.from_json(body, "batch receipt"), []
    except MalformedMessageError:
        envelope = _LooseReceipt.from_json(body, "batch receipt")
    bad: list[BadInput] = []
    documents: list[LeanDocument] = []
    for value in envelope.documents:
        try:
            documents.append(LEAN_DOCUMENT.validate_json(json.dumps(value)))
        except ValidationError as error:
            text = json.dumps(value).encode()[:4000]
            reason = f"document: {reason_from_validation(error)}"
            bad.append(BadInput("central", "document", reason, text, *_kind_and_version(value)))
    receipt = LeanReceipt(
        gateway=envelope.gateway, epoch=envelope.epoch, acked_through=envelope.acked_through,
        rejected=envelope.rejected, documents=documents, server_time_ms=envelope.server_time_ms,
    )  # fmt: skip
    return receipt, bad


def _kind_and_version(document: object) -> tuple[str, int]:
    """Of a document that is wrong elsewhere, so that the centre is not asked for it again; ("", 0) when unreadable."""
    if not isinstance(document, dict):
        return "", 0
    kind, version = document.get("kind"), document.get("version")
    if kind not in set(DocumentKind) or type(version) is not int or not 1 <= version < 2**53:
        return "", 0
    return str(kind), version
