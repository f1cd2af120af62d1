CREATE TABLE alerts (
  store_id TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  code TEXT NOT NULL,
  subject TEXT NOT NULL,
  severity TEXT NOT NULL,
  text TEXT NOT NULL,
  cleared_ms BIGINT,
  PRIMARY KEY (store_id, gateway, epoch, seq)
)
 WITHOUT ROWID;

CREATE TABLE assignments (
  campaign TEXT NOT NULL,
  member TEXT NOT NULL,
  store_id TEXT NOT NULL,
  arm TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  PRIMARY KEY (campaign, member)
)
 WITHOUT ROWID;

CREATE INDEX assignments_member ON assignments (member);

CREATE TABLE audit (
  store_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  who TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (store_id, number)
)
 WITHOUT ROWID;

CREATE TABLE campaigns (
  campaign TEXT NOT NULL,
  body TEXT NOT NULL,
  prefix TEXT NOT NULL,
  key_hex TEXT NOT NULL,
  salt TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  PRIMARY KEY (campaign)
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX campaigns_prefix ON campaigns (prefix);

CREATE TABLE coupon_events (
  store_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  event TEXT NOT NULL,
  campaign TEXT,
  coupon_id TEXT,
  code_tail TEXT NOT NULL,
  cents BIGINT NOT NULL,
  receipt TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (store_id, number)
)
 WITHOUT ROWID;

CREATE TABLE coupons (
  store_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  coupon_id TEXT NOT NULL,
  campaign TEXT NOT NULL,
  member TEXT,
  sku TEXT NOT NULL,
  gtin TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  code_tail TEXT NOT NULL,
  title TEXT NOT NULL,
  discount_cents BIGINT NOT NULL,
  state TEXT NOT NULL,
  issued_ms BIGINT NOT NULL,
  valid_until_ms BIGINT NOT NULL,
  PRIMARY KEY (store_id, number)
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX coupons_code ON coupons (code_hash);

CREATE INDEX coupons_member ON coupons (member);

CREATE TABLE day_closes (
  store_id TEXT NOT NULL,
  register_id TEXT NOT NULL,
  business_date TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  receipts BIGINT NOT NULL,
  lines BIGINT NOT NULL,
  units BIGINT NOT NULL,
  grams BIGINT NOT NULL,
  cents BIGINT NOT NULL,
  PRIMARY KEY (store_id, register_id, business_date)
)
 WITHOUT ROWID;

CREATE TABLE deliveries (
  endpoint TEXT NOT NULL,
  position BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  last_status TEXT NOT NULL,
  PRIMARY KEY (endpoint, position)
)
 WITHOUT ROWID;

CREATE TABLE documents (
  store_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  version BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (store_id, kind)
)
 WITHOUT ROWID;

CREATE TABLE endpoints (
  endpoint TEXT NOT NULL,
  url TEXT NOT NULL,
  types TEXT NOT NULL,
  owner TEXT NOT NULL,
  secret TEXT NOT NULL,
  enabled BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  delivered_total BIGINT NOT NULL,
  failed_total BIGINT NOT NULL,
  last_status TEXT NOT NULL,
  last_ms BIGINT,
  PRIMARY KEY (endpoint)
)
 WITHOUT ROWID;

CREATE TABLE forecasts (
  store_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  first_day TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  mean TEXT NOT NULL,
  quantiles TEXT NOT NULL,
  bundle TEXT NOT NULL,
  PRIMARY KEY (store_id, sku, first_day)
)
 WITHOUT ROWID;

CREATE TABLE gaps (
  store_id TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  what TEXT NOT NULL,
  reason TEXT NOT NULL,
  lost_epoch TEXT,
  seq_from BIGINT,
  seq_to BIGINT,
  units BIGINT,
  cents BIGINT,
  declared_by TEXT NOT NULL,
  PRIMARY KEY (store_id, gateway, epoch, seq)
)
 WITHOUT ROWID;

CREATE TABLE gateways (
  gateway TEXT NOT NULL,
  store_id TEXT NOT NULL,
  key_hash TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  last_heard_ms BIGINT,
  watermark_ms BIGINT,
  version TEXT NOT NULL,
  bundle TEXT NOT NULL,
  counters TEXT NOT NULL,
  devices_online TEXT NOT NULL,
  devices_offline TEXT NOT NULL,
  rejected_total BIGINT NOT NULL,
  quarantined_total BIGINT NOT NULL,
  gaps_total BIGINT NOT NULL,
  PRIMARY KEY (gateway)
)
 WITHOUT ROWID;

CREATE TABLE items (
  store_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  gtin TEXT NOT NULL,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  managed BIGINT NOT NULL,
  PRIMARY KEY (store_id, sku)
)
 WITHOUT ROWID;

CREATE TABLE kill_switches (
  scope TEXT NOT NULL,
  target TEXT NOT NULL,
  "on" BIGINT NOT NULL,
  who TEXT NOT NULL,
  reason TEXT NOT NULL,
  changed_ms BIGINT NOT NULL,
  PRIMARY KEY (scope, target)
)
 WITHOUT ROWID;

CREATE TABLE members (
  member TEXT NOT NULL,
  marketing_consent BIGINT NOT NULL,
  location_consent BIGINT NOT NULL,
  h3_cell TEXT,
  cell_expires_ms BIGINT NOT NULL,
  timezone TEXT NOT NULL,
  quiet_from_minute BIGINT NOT NULL,
  quiet_until_minute BIGINT NOT NULL,
  PRIMARY KEY (member)
)
 WITHOUT ROWID;

CREATE INDEX members_cell ON members (h3_cell) WHERE h3_cell IS NOT NULL;

CREATE TABLE meta (
  "key" TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY ("key")
)
 WITHOUT ROWID;

CREATE TABLE outgoing (
  number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  position BIGINT,
  store_id TEXT NOT NULL,
  event_id TEXT NOT NULL,
  type TEXT NOT NULL,
  subject TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  body TEXT NOT NULL,
  member TEXT,
  secret BIGINT NOT NULL
);

CREATE UNIQUE INDEX outgoing_event ON outgoing (event_id);

CREATE INDEX outgoing_member ON outgoing (member) WHERE member IS NOT NULL;

CREATE UNIQUE INDEX outgoing_position ON outgoing (position);

CREATE INDEX outgoing_secret ON outgoing (created_ms) WHERE secret = 1;

CREATE INDEX outgoing_unplaced ON outgoing (number) WHERE position IS NULL;

CREATE TABLE outside_orders (
  store_id TEXT NOT NULL,
  order_number TEXT NOT NULL,
  sku TEXT NOT NULL,
  quantity_units BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  despatch TEXT,
  arrives_day TEXT,
  received_units BIGINT,
  state TEXT NOT NULL,
  PRIMARY KEY (store_id, order_number, sku)
)
 WITHOUT ROWID;

CREATE TABLE positions (
  store_id TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  through_seq BIGINT NOT NULL,
  ordinal BIGINT NOT NULL,
  opened_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  PRIMARY KEY (store_id, gateway, epoch)
)
 WITHOUT ROWID;

CREATE TABLE prices (
  store_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  from_ms BIGINT NOT NULL,
  price_cents BIGINT NOT NULL,
  PRIMARY KEY (store_id, sku, from_ms)
)
 WITHOUT ROWID;

CREATE TABLE proposals (
  store_id TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  sku TEXT NOT NULL,
  quantity_units BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (store_id, gateway, epoch, seq)
)
 WITHOUT ROWID;

CREATE TABLE quarantine (
  store_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  found_at TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  source TEXT NOT NULL,
  stream TEXT NOT NULL,
  reason TEXT NOT NULL,
  sample TEXT NOT NULL,
  PRIMARY KEY (store_id, number)
)
 WITHOUT ROWID;

CREATE TABLE receipt_lines (
  store_id TEXT NOT NULL,
  business_date TEXT NOT NULL,
  register_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  line BIGINT NOT NULL,
  kind TEXT NOT NULL,
  sku TEXT,
  gtin TEXT,
  raw_code TEXT NOT NULL,
  quantity_units BIGINT NOT NULL,
  quantity_g BIGINT NOT NULL,
  unit_price_cents BIGINT NOT NULL,
  extended_cents BIGINT NOT NULL,
  code_hash TEXT,
  PRIMARY KEY (store_id, business_date, register_id, sequence, line)
)
 WITHOUT ROWID;

CREATE TABLE receipts (
  store_id TEXT NOT NULL,
  business_date TEXT NOT NULL,
  register_id TEXT NOT NULL,
  sequence BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  clock_quality TEXT NOT NULL,
  total_cents BIGINT NOT NULL,
  member TEXT,
  line_count BIGINT NOT NULL,
  sold_units BIGINT NOT NULL,
  sold_g BIGINT NOT NULL,
  content_hash TEXT NOT NULL,
  PRIMARY KEY (store_id, business_date, register_id, sequence)
)
 WITHOUT ROWID;

CREATE INDEX receipts_member ON receipts (member) WHERE member IS NOT NULL;

CREATE TABLE rollups (
  store_id TEXT NOT NULL,
  step_ms BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  sku TEXT NOT NULL,
  receipts BIGINT NOT NULL,
  sold_units BIGINT NOT NULL,
  sold_cents BIGINT NOT NULL,
  picked_units BIGINT NOT NULL,
  delivered_units BIGINT NOT NULL,
  shrink_units BIGINT NOT NULL,
  unresolved_g BIGINT NOT NULL,
  stock_out_ms BIGINT NOT NULL,
  on_hand_units BIGINT,
  level_ms BIGINT NOT NULL,
  PRIMARY KEY (store_id, step_ms, at_ms, sku)
)
 WITHOUT ROWID;

CREATE TABLE series_changes (
  store_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  change BIGINT NOT NULL,
  PRIMARY KEY (store_id, at_ms)
)
 WITHOUT ROWID;

CREATE TABLE stock (
  store_id TEXT NOT NULL,
  sku TEXT NOT NULL,
  on_hand_units BIGINT,
  on_shelf_units BIGINT,
  at_ms BIGINT NOT NULL,
  shrink_units BIGINT NOT NULL,
  PRIMARY KEY (store_id, sku)
)
 WITHOUT ROWID;

CREATE TABLE stock_facts (
  store_id TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  fact TEXT NOT NULL,
  sku TEXT NOT NULL,
  units BIGINT NOT NULL,
  place TEXT NOT NULL,
  on_hand_units BIGINT,
  on_shelf_units BIGINT,
  expected_units BIGINT,
  despatch TEXT,
  reason TEXT NOT NULL,
  PRIMARY KEY (store_id, gateway, epoch, seq)
)
 WITHOUT ROWID;

CREATE INDEX stock_facts_despatch ON stock_facts (store_id, despatch, sku) WHERE despatch IS NOT NULL;

CREATE TABLE stores (
  store_id TEXT NOT NULL,
  name TEXT NOT NULL,
  region TEXT NOT NULL,
  timezone TEXT NOT NULL,
  currency TEXT NOT NULL,
  h3_cell TEXT,
  hours TEXT NOT NULL,
  closed_days TEXT NOT NULL,
  PRIMARY KEY (store_id)
)
 WITHOUT ROWID;

CREATE TABLE tokens (
  token_hash TEXT NOT NULL,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  created_ms BIGINT NOT NULL,
  revoked BIGINT NOT NULL,
  PRIMARY KEY (token_hash)
)
 WITHOUT ROWID;

CREATE TABLE trigger_statuses (
  store_id TEXT NOT NULL,
  trigger_id TEXT NOT NULL,
  revision BIGINT NOT NULL,
  status TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  heard_ms BIGINT NOT NULL,
  effect TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (store_id, trigger_id, revision, status)
)
 WITHOUT ROWID;

CREATE TABLE triggers (
  store_id TEXT NOT NULL,
  number BIGINT NOT NULL,
  trigger_id TEXT NOT NULL,
  revision BIGINT NOT NULL,
  sku TEXT NOT NULL,
  gtin TEXT NOT NULL,
  kind TEXT NOT NULL,
  supplier TEXT NOT NULL,
  state TEXT NOT NULL,
  quantity_units BIGINT NOT NULL,
  pack_units BIGINT NOT NULL,
  shipped_units BIGINT,
  received_units BIGINT,
  value_cents BIGINT NOT NULL,
  on_hand_units BIGINT,
  on_order_units BIGINT NOT NULL,
  expected_stock_out_units FLOAT NOT NULL,
  why TEXT NOT NULL,
  doubt TEXT NOT NULL,
  lead_time_days BIGINT NOT NULL,
  created_ms BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  expires_ms BIGINT,
  watermark_ms BIGINT NOT NULL,
  bundle TEXT NOT NULL,
  rule TEXT NOT NULL,
  inputs TEXT NOT NULL,
  supersedes TEXT,
  erp_document TEXT,
  despatch TEXT,
  arrives_day TEXT,
  PRIMARY KEY (store_id, number)
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX triggers_id ON triggers (trigger_id);

CREATE INDEX triggers_sku ON triggers (store_id, sku);

CREATE INDEX triggers_state ON triggers (store_id, state);

CREATE TABLE windows (
  store_id TEXT NOT NULL,
  gateway TEXT NOT NULL,
  epoch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  sku TEXT NOT NULL,
  span_ms BIGINT NOT NULL,
  picked_units BIGINT NOT NULL,
  put_back_units BIGINT NOT NULL,
  refilled_units BIGINT NOT NULL,
  unresolved_g BIGINT NOT NULL,
  on_hand_units BIGINT,
  on_shelf_units BIGINT,
  stock_out_ms BIGINT NOT NULL,
  PRIMARY KEY (store_id, gateway, epoch, seq)
)
 WITHOUT ROWID;
