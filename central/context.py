"""What every job of the writer works with: one transaction, the memory of one store, and the centre's settings."""

from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from central.ledger import outgoing, restock_rows
from central.ledger.outgoing import OutgoingEvent
from central.ledger.writer import Transaction
from central.memory import LedgerMemory, StoreMemory
from central.settings import CentralSettings
from contract.records import StagingRecord

CHAIN = ""
"""Stands as the store of what belongs to the chain."""


@dataclass(slots=True)
class Work:
    """One store's part of a transaction. events are written by `finish`; supply_changed makes a new supply document."""

    transaction: Transaction
    memory: LedgerMemory
    settings: CentralSettings
    store: StoreMemory
    events: list[OutgoingEvent] = field(default_factory=list)
    supply_changed: bool = False
    bundle_news: list[StagingRecord] = field(default_factory=list)
    """What gateways said of bundles in this transaction, for the roll-out to judge."""

    @property
    def connection(self) -> Connection:
        return self.transaction.connection

    @property
    def now_ms(self) -> int:
        return self.transaction.now_ms

    def audit(self, who: str, action: str, subject: str, reason: str = "") -> None:
        restock_rows.insert_audit(
            self.connection,
            {
                "store_id": self.store.store,
                "number": self.store.next_number("audit"),
                "at_ms": self.now_ms,
                "who": who,
                "action": action,
                "subject": subject,
                "reason": reason,
            },
        )

    def write_events(self) -> None:
        if self.events:
            outgoing.put_events(self.connection, self.settings.event_source, self.events, self.now_ms)
            self.events = []
            self.transaction.has_outgoing = True
