"""What every job of the writer works with: one transaction, the memory of one store, and the centre's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from central.core.audit_chain import digest_of, entry_hash
from central.core.vouched import DOCUMENT, TRIGGER, VOUCHED, VOUCHED_LISTS, about_document
from central.ledger import outgoing, restock_rows, vouched_rows
from central.ledger.outgoing import OutgoingEvent
from central.ledger.writer import Transaction
from central.memory import LedgerMemory
from central.settings import CentralSettings
from central.store_memory import StoreMemory

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
    changed_triggers: set[str] = field(default_factory=set)
    changed_rows: dict[tuple[str, ...], None] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        return self.transaction.connection

    @property
    def now_ms(self) -> int:
        return self.transaction.now_ms

    def audit(
        self, who: str, action: str, subject: str, reason: str = "", about: Mapping[str, object] | None = None
    ) -> None:
        """Adds to the store's chain. about: the row that the entry vouches for, as it stands now."""
        if self.store.store == CHAIN and not self.transaction.is_shared:
            # The command line adds to this one, too, and no head tells of it where one process writes.
            number, self.store.audit_hash = restock_rows.audit_end(self.connection, CHAIN)
            self.store.numbers["audit"] = number
        entry: dict[str, object] = {
            "store_id": self.store.store, "number": self.store.next_number("audit"), "at_ms": self.now_ms, "who": who,
            "action": action, "subject": subject, "reason": reason, "digest": "" if about is None else digest_of(about),
        }  # fmt: skip
        self.store.audit_hash = entry_hash(self.store.audit_hash, entry)
        restock_rows.insert_audit(self.connection, {**entry, "hash": self.store.audit_hash})

    def vouch_for(self, action: str, row: Mapping[str, object]) -> None:
        """Adds an entry about `row` as it is stored now; see `central.core.vouched`."""
        kind = VOUCHED[action]
        self.audit("the centre", action, kind.subject_of(row), about=kind.about(row))

    def vouch_for_row(self, action: str, *key: str) -> None:
        """The same for the row that `key` names, read again; when it is not there, for its being gone."""
        kind = VOUCHED[action]
        row = vouched_rows.row_of(self.connection, kind, self.store.store, key)
        if row is None:
            self.audit("the centre", action, kind.name_of(key))
        else:
            self.vouch_for(action, row)

    def will_vouch(self, action: str, *key: str) -> None:
        """`vouch_for_row` at the end of the job, once."""
        self.changed_rows[action, *key] = None

    def vouch_for_list(self, action: str, supplier: str | None = None) -> None:
        """Adds an entry about all rows of the store, or of the supplier, as they are stored now."""
        owner = self.store.store if supplier is None else supplier
        about = vouched_rows.about_list(self.connection, VOUCHED_LISTS[action], owner)
        self.audit("the centre", action, owner, about=about)

    def vouch_for_document(self, kind: str, body: str) -> None:
        self.audit("the centre", DOCUMENT, kind, about=about_document(kind, body))

    def vouch_for_changes(self) -> None:
        """For each trigger and row that changed, once: as it is at the end of the job."""
        for action, *key in self.changed_rows:
            self.vouch_for_row(action, *key)
        self.changed_rows.clear()
        for trigger in sorted(self.changed_triggers):
            row = restock_rows.trigger_row(self.connection, trigger)
            if row is not None:
                self.vouch_for(TRIGGER, row)
        self.changed_triggers.clear()

    def write_events(self) -> None:
        if self.events:
            numbered = [(self.store.next_number("event"), event) for event in self.events]
            outgoing.put_events(self.connection, self.settings.event_source, numbered, self.now_ms)
            self.events = []
            self.transaction.has_outgoing = True
