"""The ledger's tables. Every table that grows leads its key with `store_id`, so that one schema shards by it.

Chain-wide tables (members, campaigns, endpoints, tokens, kill-switches) are small, named last and in CHAIN_TABLES. Flags
are 0 or 1, lists and objects are JSON text: nothing that only one database knows. A change here needs a migration.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Float, Index, MetaData, Table, Text
from sqlalchemy.sql.elements import ColumnElement

metadata = MetaData()

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Sorted by its bytes in every database: a page's cursor means the same everywhere."""


def _table(
    name: str, *columns: Column[object], with_rowid: bool = False, split_by: str | None = None
) -> Table:
    # Clustered by the key: a store's rows lie together, and the key costs no second tree. Not where rows are long.
    # split_by: on PostgreSQL it is a table a month (partitions.py).
    split: dict[str, Any] = {"postgresql_partition_by": f"RANGE ({split_by})"} if split_by else {}
    return Table(name, metadata, *columns, sqlite_with_rowid=with_rowid, **split)


def _text(name: str, *, key: bool = False, nullable: bool = False) -> Column[object]:
    return Column(name, _TEXT, primary_key=key, nullable=nullable)


def _int(name: str, *, key: bool = False, nullable: bool = False) -> Column[object]:
    return Column(name, BigInteger, primary_key=key, nullable=nullable, autoincrement=False)


def _count(name: str) -> Column[object]:
    """A whole number that begins with 0."""
    return Column(name, BigInteger, nullable=False, server_default="0")


def _index(name: str, *columns: Column[object], only: ColumnElement[bool], unique: bool = False) -> None:
    Index(name, *columns, unique=unique, sqlite_where=only, postgresql_where=only)


meta = _table("meta", _text("key", key=True), _text("value"))

# One row a store, locked by whoever writes there: where several processes write, it says whether memory is still true.
store_heads = _table("store_heads", _text("store_id", key=True), _int("version"))

# ---- what a gateway told -------------------------------------------------------------------------------------

# unsummed_from: the first seq whose windows and stock facts are not in `rollups` yet (central/summing.py); null: all are.
positions = _table(
    "positions", _text("store_id", key=True), _text("gateway", key=True), _text("epoch", key=True),
    _int("through_seq"), _int("ordinal"), _int("opened_ms"), _int("changed_ms"), _int("unsummed_from", nullable=True),
)  # fmt: skip
_index("positions_unsummed", positions.c.store_id, only=positions.c.unsummed_from.is_not(None))

# run: the process that speaks for the gateway, a random id; replaced: those before it, as JSON.
identities = _table(
    "identities", _text("store_id", key=True), _text("gateway", key=True), _text("run"), _text("replaced"),
    _int("since_ms"),
)  # fmt: skip

receipts = _table(
    "receipts", _text("store_id", key=True), _text("business_date", key=True), _text("register_id", key=True),
    _int("sequence", key=True), _int("at_ms"), _text("gateway"), _text("epoch"), _int("seq"),
    _text("clock_quality"), _int("total_cents"), _text("member", nullable=True), _int("line_count"),
    _int("sold_units"), _int("sold_g"), _text("content_hash"), split_by="business_date",
)  # fmt: skip
_index("receipts_member", receipts.c.member, only=receipts.c.member.is_not(None))

receipt_lines = _table(
    "receipt_lines", _text("store_id", key=True), _text("business_date", key=True), _text("register_id", key=True),
    _int("sequence", key=True), _int("line", key=True), _text("kind"), _text("sku", nullable=True),
    _text("gtin", nullable=True), _text("raw_code"), _int("quantity_units"), _int("quantity_g"),
    _int("unit_price_cents"), _int("extended_cents"), _text("code_hash", nullable=True), split_by="business_date",
)  # fmt: skip

day_closes = _table(
    "day_closes", _text("store_id", key=True), _text("register_id", key=True), _text("business_date", key=True),
    _int("at_ms"), _int("receipts"), _int("lines"), _int("units"), _int("grams"), _int("cents"),
)  # fmt: skip

# A day of a till on both sides (till_days.py): sums of its receipts, and what the till told when it closed it (told_*).
till_days = _table(
    "till_days", _text("store_id", key=True), _text("business_date", key=True), _text("register_id", key=True),
    _count("receipts"), _count("lines"), _count("units"), _count("grams"), _count("cents"),
    _int("first_number", nullable=True), _int("last_number", nullable=True), _int("told_ms", nullable=True),
    _int("told_receipts", nullable=True), _int("told_lines", nullable=True), _int("told_units", nullable=True),
    _int("told_grams", nullable=True), _int("told_cents", nullable=True),
)  # fmt: skip

_SEQ_KEY = ("store_id", "gateway", "epoch")


def _fact(name: str, *columns: Column[object]) -> Table:
    """A table of one record kind as it came, keyed by its place in the gateway's stream."""
    return _table(
        name, *(_text(part, key=True) for part in _SEQ_KEY), _int("seq", key=True), _int("at_ms"), *columns
    )


# A row is the windows of one batch (window_runs.py): seq is the first one's, sums are theirs, body has them all.
windows = _table(
    "windows", *(_text(part, key=True) for part in _SEQ_KEY), _int("seq", key=True), _int("last_seq"), _int("at_ms"),
    _int("until_ms"), _int("window_count"), _int("picked_units"), _int("put_back_units"), _int("refilled_units"),
    _int("unresolved_g"), _int("stock_out_ms"), _text("body"), with_rowid=True,
)  # fmt: skip
Index("windows_until", windows.c.store_id, windows.c.until_ms)
stock_facts = _fact(
    "stock_facts", _text("fact"), _text("sku"), _int("units"), _text("place"), _int("on_hand_units", nullable=True),
    _int("on_shelf_units", nullable=True), _int("expected_units", nullable=True), _text("despatch", nullable=True),
    _text("reason"),
)  # fmt: skip
_index(
    "stock_facts_despatch", stock_facts.c.store_id, stock_facts.c.despatch, stock_facts.c.sku,
    only=stock_facts.c.despatch.is_not(None),
)  # fmt: skip
Index("stock_facts_at", stock_facts.c.store_id, stock_facts.c.at_ms)
proposals = _fact("proposals", _text("sku"), _int("quantity_units"), _text("outcome"), _text("body"))
Index("proposals_at", proposals.c.store_id, proposals.c.at_ms)
alerts = _fact(
    "alerts",
    _text("code"),
    _text("subject"),
    _text("severity"),
    _text("text"),
    _int("cleared_ms", nullable=True),
)
gaps = _fact(
    "gaps", _text("what"), _text("reason"), _text("lost_epoch", nullable=True), _int("seq_from", nullable=True),
    _int("seq_to", nullable=True), _int("units", nullable=True), _int("cents", nullable=True), _text("declared_by"),
)  # fmt: skip
quarantine = _table(
    "quarantine", _text("store_id", key=True), _int("number", key=True), _int("at_ms"), _text("found_at"),
    _text("gateway"), _text("epoch"), _int("seq"), _text("source"), _text("stream"), _text("reason"), _text("sample"),
)  # fmt: skip
forecasts = _table(
    "forecasts", _text("store_id", key=True), _text("sku", key=True), _text("first_day", key=True), _int("at_ms"),
    _text("mean"), _text("quantiles"), _text("bundle"),
)  # fmt: skip

staging_events = _fact(
    "staging_events", _text("what"), _text("name"), _text("state"), _text("reason"), _text("sha256")
)
_index("staging_bundles", staging_events.c.sha256, only=staging_events.c.sha256 != "")
model_scores = _fact(
    "model_scores", _text("day"), _text("bundle"), _text("sha256"), _text("role"), _int("skus"), _int("units"),
    Column("mean_units", Float, nullable=False), Column("pinball", Float, nullable=False), _int("inside_80"),
    _int("inside_95"),
)  # fmt: skip
Index("model_scores_bundle", model_scores.c.sha256, model_scores.c.day)
# Which raising of an alert was noted, by whom. Apart from `alerts`, whose rows are as the gateway told them.
alert_acks = _table(
    "alert_acks", _text("store_id", key=True), _text("code", key=True), _text("subject", key=True),
    _int("raised_ms", key=True), _text("who"), _int("at_ms"),
)  # fmt: skip

# ---- what follows from it --------------------------------------------------------------------------------------

stock = _table(
    "stock", _text("store_id", key=True), _text("sku", key=True), _int("on_hand_units", nullable=True),
    _int("on_shelf_units", nullable=True), _int("at_ms"), _int("shrink_units"),
)  # fmt: skip
# Time before SKU: what happens now lies together, and a batch dirties few pages. A series reads its span of all SKUs.
# level_order: of levels of one moment the highest stands (central/core/rollups.py).
rollups = _table(
    "rollups", _text("store_id", key=True), _int("step_ms", key=True), _int("at_ms", key=True),
    _text("sku", key=True), _int("receipts"), _int("sold_units"), _int("sold_cents"), _int("picked_units"),
    _int("delivered_units"), _int("shrink_units"), _int("unresolved_g"), _int("stock_out_ms"),
    _int("on_hand_units", nullable=True), _int("level_ms"), _count("level_order"),
)  # fmt: skip

# Of managed items, by the category that they had when it was told.
category_hours = _table(
    "category_hours", _text("store_id", key=True), _int("at_ms", key=True), _text("category", key=True),
    _int("sold_units"), _int("sold_cents"), _int("picked_units"), _int("delivered_units"), _int("shrink_units"),
    _int("stock_out_ms"),
)  # fmt: skip
# Hours that are over, a day (of UTC) in a row (category_days.py); what came late for one is in category_hours.
category_days = _table(
    "category_days", _text("store_id", key=True), _int("at_ms", key=True), _text("body"), with_rowid=True
)
# Retention: facts of `kind` before from_ms are gone, and sums of then cannot be made again.
kept_since = _table("kept_since", _text("store_id", key=True), _text("kind", key=True), _int("from_ms"))

series_changes = _table(
    "series_changes", _text("store_id", key=True), _int("at_ms", key=True), _int("change")
)

# ---- desired state ---------------------------------------------------------------------------------------------

stores = _table(
    "stores", _text("store_id", key=True), _text("name"), _text("region"), _text("timezone"), _text("currency"),
    _text("h3_cell", nullable=True), _text("hours"), _text("closed_days"),
)  # fmt: skip
documents = _table(
    "documents", _text("store_id", key=True), _text("kind", key=True), _int("version"), _text("body")
)
items = _table(
    "items", _text("store_id", key=True), _text("sku", key=True), _text("gtin"), _text("name"), _text("category"),
    _int("managed"),
)  # fmt: skip
prices = _table(
    "prices",
    _text("store_id", key=True),
    _text("sku", key=True),
    _int("from_ms", key=True),
    _int("price_cents"),
)

# ---- restock ---------------------------------------------------------------------------------------------------

triggers = _table(
    "triggers", _text("store_id", key=True), _int("number", key=True), _text("trigger_id"), _int("revision"),
    _text("sku"), _text("gtin"), _text("kind"), _text("supplier"), _text("state"), _int("quantity_units"),
    _int("pack_units"), _int("shipped_units", nullable=True), _int("received_units", nullable=True),
    _int("value_cents"), _int("on_hand_units", nullable=True), _int("on_order_units"),
    Column("expected_stock_out_units", Float, nullable=False), _text("why"), _text("doubt"), _int("lead_time_days"),
    _int("created_ms"), _int("changed_ms"), _int("expires_ms", nullable=True), _int("watermark_ms"), _text("bundle"),
    _text("rule"), _text("inputs"), _text("supersedes", nullable=True), _text("erp_document", nullable=True),
    _text("despatch", nullable=True), _text("arrives_day", nullable=True), _int("due_ms", nullable=True),
    _int("agreed_revision", nullable=True), _int("agreed_units", nullable=True),
)  # fmt: skip
_index("triggers_due", triggers.c.store_id, triggers.c.due_ms, only=triggers.c.due_ms.is_not(None))
Index("triggers_id", triggers.c.trigger_id)
Index("triggers_state", triggers.c.store_id, triggers.c.state)
_index("triggers_transfers", triggers.c.supplier, triggers.c.state, only=triggers.c.kind == "transfer")
Index("triggers_sku", triggers.c.store_id, triggers.c.sku)

trigger_statuses = _table(
    "trigger_statuses", _text("store_id", key=True), _text("trigger_id", key=True), _int("revision", key=True),
    _text("status", key=True), _int("at_ms"), _int("heard_ms"), _text("effect"), _text("body"),
)  # fmt: skip
outside_orders = _table(
    "outside_orders", _text("store_id", key=True), _text("order_number", key=True), _text("sku", key=True),
    _int("quantity_units"), _int("at_ms"), _text("despatch", nullable=True), _text("arrives_day", nullable=True),
    _int("received_units", nullable=True), _text("state"),
)  # fmt: skip
audit = _table(
    "audit", _text("store_id", key=True), _int("number", key=True), _int("at_ms"), _text("who"), _text("action"),
    _text("subject"), _text("reason"), _text("digest"), _text("hash"),
)  # fmt: skip

# ---- outgoing events -------------------------------------------------------------------------------------------

# number: counts within the store. position: the place in the feed, given by the relay after the commit.
outgoing = _table(
    "outgoing", _text("store_id", key=True), _int("number", key=True), _int("position", nullable=True),
    _text("event_id"), _text("type"), _text("subject"), _int("created_ms"), _text("body"),
    _text("member", nullable=True), _int("secret"),
)  # fmt: skip
Index("outgoing_event", outgoing.c.store_id, outgoing.c.event_id, unique=True)
Index("outgoing_position", outgoing.c.position)
_index("outgoing_unplaced", outgoing.c.store_id, outgoing.c.number, only=outgoing.c.position.is_(None))
_index("outgoing_secret", outgoing.c.created_ms, only=outgoing.c.secret == 1)
_index(
    "outgoing_orders",
    outgoing.c.store_id,
    outgoing.c.subject,
    only=outgoing.c.type == "shelfloop.restock.trigger.v1",
)
_index("outgoing_member", outgoing.c.member, only=outgoing.c.member.is_not(None))

# given_up_from: the lowest position that was given up and not asked for again since.
endpoints = _table(
    "endpoints", _text("endpoint", key=True), _text("url"), _text("types"), _text("owner"), _text("secret"),
    _int("enabled"), _int("created_ms"), _int("delivered_total"), _int("failed_total"), _text("last_status"),
    _int("last_ms", nullable=True), _text("old_secret", nullable=True), _int("old_secret_until_ms", nullable=True),
    _text("reach", nullable=True), _count("given_up_total"), _int("given_up_from", nullable=True),
)  # fmt: skip
deliveries = _table(
    "deliveries", _text("endpoint", key=True), _int("position", key=True), _int("attempts"), _int("due_ms"),
    _text("last_status"),
)  # fmt: skip

# ---- the chain's ----------------------------------------------------------------------------------------------

gateways = _table(
    "gateways", _text("gateway", key=True), _text("store_id"), _text("key_hash"), _int("created_ms"),
    _int("last_heard_ms", nullable=True), _int("watermark_ms", nullable=True), _text("version"), _text("bundle"),
    _text("counters"), _text("devices_online"), _text("devices_offline"), _int("rejected_total"),
    _int("quarantined_total"), _int("gaps_total"), _text("state", nullable=True), _int("told_ms", nullable=True),
    _int("ahead_ms", nullable=True), _text("twin", nullable=True),
)  # fmt: skip
Index("gateways_key", gateways.c.key_hash)
# reach, here and below: JSON {"stores": [...], "regions": [...]}; null for the whole chain. Expiry is real time.
tokens = _table(
    "tokens",
    _text("token_hash", key=True),
    _text("name"),
    _text("scope"),
    _int("created_ms"),
    _int("revoked"),
    _int("expires_ms", nullable=True),
    _text("reach", nullable=True),
)
people = _table(
    "people", _text("person", key=True), _text("password_hash"), _text("role"), _text("reach", nullable=True),
    _int("created_ms"),
)  # fmt: skip
# kind: `session` or `link`, which opens one session and is gone.
sessions = _table(
    "sessions",
    _text("token_hash", key=True),
    _text("person"),
    _text("kind"),
    _int("created_ms"),
    _int("expires_ms"),
)
Index("sessions_person", sessions.c.person)
kill_switches = _table(
    "kill_switches", _text("scope", key=True), _text("target", key=True), _int("on"), _text("who"), _text("reason"),
    _int("changed_ms"),
)  # fmt: skip
members = _table(
    "members", _text("member", key=True), _int("marketing_consent"), _int("location_consent"),
    _text("h3_cell", nullable=True), _int("cell_expires_ms"), _text("timezone"), _int("quiet_from_minute"),
    _int("quiet_until_minute"),
)  # fmt: skip
_index("members_cell", members.c.h3_cell, only=members.c.h3_cell.is_not(None))
# granted_*: what stores hold of it by leases, or have promised.
campaigns = _table(
    "campaigns", _text("campaign", key=True), _text("body"), _text("prefix"), _text("key_hex"), _text("salt"),
    _int("created_ms"), _count("granted_coupons"), _count("granted_cents"), _count("leases_total"),
)  # fmt: skip
Index("campaigns_prefix", campaigns.c.prefix, unique=True)
# A part of a campaign that one store may promise alone; gone when the store has given back the rest of it.
campaign_leases = _table(
    "campaign_leases", _text("campaign", key=True), _text("store_id", key=True), _int("number"), _int("coupons"),
    _int("cents"), _int("until_ms"),
)  # fmt: skip
Index("campaign_leases_store", campaign_leases.c.store_id)
# The store's side of its newest lease: what is left of it.
lease_rests = _table(
    "lease_rests", _text("store_id", key=True), _text("campaign", key=True), _int("number"), _int("coupons"),
    _int("cents"), _int("is_open"),
)  # fmt: skip
assignments = _table(
    "assignments",
    _text("campaign", key=True),
    _text("member", key=True),
    _text("store_id"),
    _text("arm"),
    _int("at_ms"),
)
Index("assignments_member", assignments.c.member)
# returned: it ended unused, and its cents may be promised again.
coupons = _table(
    "coupons", _text("store_id", key=True), _int("number", key=True), _text("coupon_id"), _text("campaign"),
    _text("member", nullable=True), _text("sku"), _text("gtin"), _text("code_hash"), _text("code_tail"), _text("title"),
    _int("discount_cents"), _text("state"), _int("issued_ms"), _int("valid_until_ms"), _count("returned"),
)  # fmt: skip
Index("coupons_code", coupons.c.code_hash)
Index("coupons_member", coupons.c.member)
coupon_events = _table(
    "coupon_events", _text("store_id", key=True), _int("number", key=True), _int("at_ms"), _text("event"),
    _text("campaign", nullable=True), _text("coupon_id", nullable=True), _text("code_tail"), _int("cents"),
    _text("receipt"), _text("reason"),
)  # fmt: skip

# ---- what the processes of one centre agree on -------------------------------------------------------------------

# Which turn of a recurring work was done last: where several processes run, one of them takes each turn.
turns = _table("turns", _text("work", key=True), _int("turn"))
# Work on all stores, a transaction a store; through_store: the last one done. A process that finds one left goes on.
sagas = _table(
    "sagas", _text("saga", key=True), _text("kind"), _text("subject"), _text("through_store"), _int("changed_ms"),
)  # fmt: skip

# A bundle's files as JSON of base64; the newest roll-out of each mode decides what a store should run.
bundles = _table(
    "bundles", _text("sha256", key=True), _text("name"), _text("manifest"), _text("files"), _int("size_bytes"),
    _text("who"), _int("created_ms"),
)  # fmt: skip
rollouts = _table(
    "rollouts", _int("number", key=True), _text("sha256"), _text("name"), _text("mode"), _text("state"),
    _int("percent"), _int("max_refusals"), _text("who"), _text("reason"), _int("created_ms"), _int("changed_ms"),
)  # fmt: skip

suppliers = _table("suppliers", _text("supplier", key=True), _text("body"), _int("changed_ms"))
supplier_stock = _table(
    "supplier_stock", _text("supplier", key=True), _text("sku", key=True), _int("available_units"), _int("at_ms"),
)  # fmt: skip
supplier_arrivals = _table(
    "supplier_arrivals", _text("supplier", key=True), _text("sku", key=True), _text("day", key=True), _int("units"),
)  # fmt: skip
budgets = _table("budgets", _text("store_id", key=True), _int("cents_a_day"))

# A line of a delivery note each; digest: of the whole note. state: open until the gateway's own fact came.
delivery_notes = _table(
    "delivery_notes", _text("store_id", key=True), _text("note", key=True), _text("sku", key=True), _text("despatch"),
    _int("at_ms"), _int("quantity_units"), _int("expected_units"), _text("substitutes", nullable=True), _text("state"),
    _int("booked_units", nullable=True), _int("heard_ms"), _text("digest"),
)  # fmt: skip
_index(
    "delivery_notes_open", delivery_notes.c.store_id, delivery_notes.c.despatch, delivery_notes.c.sku,
    only=delivery_notes.c.state == "open",
)  # fmt: skip
# What is true of a SKU from from_ms on; applied: it was brought into items, supply and orders.
assortment = _table(
    "assortment", _text("store_id", key=True), _text("sku", key=True), _text("change", key=True),
    _int("from_ms", key=True), _int("pack_units", nullable=True), _int("min_order_units", nullable=True),
    _text("gtin", nullable=True), _int("applied"), _int("heard_ms"),
)  # fmt: skip
_index("assortment_due", assortment.c.from_ms, assortment.c.store_id, only=assortment.c.applied == 0)

CHAIN_TABLES = frozenset(
    {
        "meta", "endpoints", "deliveries", "gateways", "tokens", "people", "sessions", "kill_switches", "members",
        "campaigns", "campaign_leases", "assignments", "turns", "sagas", "bundles", "rollouts", "suppliers", "supplier_stock",
        "supplier_arrivals",
    }
)  # fmt: skip
"""What belongs to the chain: small, or a queue that drains. All others lead their key with `store_id`."""
