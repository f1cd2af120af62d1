"""Electronic shelf labels: what each tag should show, what it shows, and the commands in between.

Newest wins: a tag has one command under way at most, and a newer content replaces it. A label base that is told what it
already shows never acknowledges a redraw, so equal content is success. Waiting for an answer runs on real time
(`real_ms`, monotonic), and ends after a few tries in an alert.
"""

import hashlib
from dataclasses import dataclass

from pydantic import TypeAdapter

from contract.devices import EslAck, EslResult, EslStatus, PriceCommand
from edge.core.documents import Documents
from edge.core.rows import Row, Rows

MAX_IN_FLIGHT = 16
ANSWER_WITHIN_MS = 5000
MAX_TRIES = 5
LOW_BATTERY_MV = 2500


@dataclass(slots=True)
class TagRow:
    """shown_hash: what the tag said it shows. asked_hash: of the command under way, "" for none. failed: gave up on it."""

    shown_hash: str = ""
    asked_hash: str = ""
    tries: int = 0
    failed: bool = False
    battery_mv: int | None = None


@dataclass(frozen=True, slots=True)
class LabelCommand:
    base: str
    command: PriceCommand


@dataclass(frozen=True, slots=True)
class LabelOutcome:
    """failed: the tag gave up; shown: it shows what it should."""

    tag: str
    failed: bool
    text: str


def content_hash(sku: str, name: str, price_cents: int, currency: str) -> str:
    """Sixteen hex digits that say what a tag shows."""
    return hashlib.sha256(f"{sku}\n{name}\n{price_cents}\n{currency}".encode()).hexdigest()[:16]


class Labels:
    def __init__(self, documents: Documents) -> None:
        self.rows: Rows[TagRow] = Rows("tag", TypeAdapter(TagRow))
        self._documents = documents
        self._desired: dict[str, PriceCommand] = {}
        self._asked_real_ms: dict[str, int] = {}
        self._settled = False

    def plan(self, now_ms: int) -> None:
        """What each tag should show now: the facing's SKU, its name and its price in effect."""
        self._desired.clear()
        self._settled = False
        store = self._documents.store
        if store is None or self._documents.esl_base is None:
            return
        for facing in self._documents.planogram.facings_at(now_ms).values():
            if facing.tag is None or facing.sku is None:
                continue
            item = self._documents.item_by_sku.get(facing.sku)
            cents = self._documents.price_cents(facing.sku, now_ms)
            if item is None or cents is None:
                continue
            self._desired[facing.tag] = PriceCommand(
                command_id=f"p-{content_hash(facing.sku, item.name, cents, store.currency)}",
                tag=facing.tag,
                sku=facing.sku,
                name=item.name,
                price_cents=cents,
                currency=store.currency,
                content_hash=content_hash(facing.sku, item.name, cents, store.currency),
            )
        for tag, command in self._desired.items():
            row = self.rows.get(tag)
            if row is not None and (row.failed or row.asked_hash) and row.asked_hash != command.content_hash:
                row.asked_hash, row.tries, row.failed = "", 0, False
                self._asked_real_ms.pop(tag, None)
                self.rows.touch(tag)

    def step(self, real_ms: int) -> tuple[list[LabelCommand], list[LabelOutcome]]:
        """Commands to send now, first and again, and tags that were given up."""
        commands: list[LabelCommand] = []
        outcomes: list[LabelOutcome] = []
        base = self._documents.esl_base
        if base is None:
            return commands, outcomes
        in_flight = len(self._asked_real_ms)
        for tag, wanted in self._desired.items():
            row = self.rows.get(tag) or TagRow()
            if row.shown_hash == wanted.content_hash or row.failed:
                continue
            asked_ms = self._asked_real_ms.get(tag)
            if asked_ms is not None and real_ms - asked_ms < ANSWER_WITHIN_MS:
                continue
            if row.tries >= MAX_TRIES:
                self._asked_real_ms.pop(tag, None)
                row.failed = True
                self.rows.put(tag, row)
                outcomes.append(
                    LabelOutcome(
                        tag,
                        failed=True,
                        text=f"tag {tag} did not show {wanted.sku} after {MAX_TRIES} tries",
                    )
                )
                continue
            if asked_ms is None:
                if in_flight >= MAX_IN_FLIGHT:
                    continue
                in_flight += 1
            row.tries, row.asked_hash = row.tries + 1, wanted.content_hash
            self.rows.put(tag, row)
            self._asked_real_ms[tag] = real_ms
            commands.append(
                LabelCommand(
                    base, wanted.model_copy(update={"command_id": f"{wanted.command_id}-{row.tries}"})
                )
            )
        return commands, outcomes

    def acknowledged(self, ack: EslAck) -> list[LabelOutcome]:
        row = self.rows.get(ack.tag) or TagRow()
        self._asked_real_ms.pop(ack.tag, None)
        self.rows.put(ack.tag, row)
        if ack.result is EslResult.FAILED:
            return []  # the next step tries again, up to MAX_TRIES
        return self._shows(ack.tag, row, ack.content_hash)

    def status(self, status: EslStatus) -> list[LabelOutcome]:
        """A check-in says what the tag shows: a tag that lost its content is told again."""
        row = self.rows.get(status.tag) or TagRow()
        row.battery_mv = status.battery_mv
        self.rows.put(status.tag, row)
        return self._shows(status.tag, row, status.content_hash)

    def base_is_back(self) -> None:
        """The label base started anew: what is under way is asked again, and the given-up tags get another chance."""
        self._asked_real_ms.clear()
        self._settled = False
        for tag, row in self.rows.by_key.items():
            if row.failed or row.asked_hash:
                row.failed, row.tries, row.asked_hash = False, 0, ""
                self.rows.touch(tag)

    def needs_step(self) -> bool:
        """False until a plan, an answer or a check-in makes a tag differ again."""
        if not self._settled:
            self._settled = not any(
                (row := self.rows.get(tag)) is None
                or (row.shown_hash != wanted.content_hash and not row.failed)
                for tag, wanted in self._desired.items()
            )
        return not self._settled

    def waiting(self) -> int:
        return len(self._asked_real_ms)

    def shows_list_price(self, sku: str) -> bool | None:
        """Whether all labels of the SKU show what the list says; None when it has none."""
        shown = [
            (row := self.rows.get(tag)) is not None and row.shown_hash == wanted.content_hash
            for tag, wanted in self._desired.items()
            if wanted.sku == sku
        ]
        return all(shown) if shown else None

    def wrong_tags(self) -> set[str]:
        """Tags that do not show what they should, or never said what they show."""
        return {
            tag
            for tag, wanted in self._desired.items()
            if (row := self.rows.get(tag)) is None or row.shown_hash != wanted.content_hash
        }

    def changed(self) -> list[Row]:
        return self.rows.changed()

    def _shows(self, tag: str, row: TagRow, shown_hash: str) -> list[LabelOutcome]:
        row.shown_hash = shown_hash
        self._settled = False
        wanted = self._desired.get(tag)
        if wanted is None or wanted.content_hash != shown_hash:
            return []
        was_failed = row.failed
        row.asked_hash, row.tries, row.failed = "", 0, False
        self._asked_real_ms.pop(tag, None)
        return [LabelOutcome(tag, failed=False, text=f"tag {tag} shows its price")] if was_failed else []
