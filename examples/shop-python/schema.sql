-- The books of the shop. Money and what is owed to whom stand here; Redis has the stock.

-- The only place a price comes from. In cents.
CREATE TABLE IF NOT EXISTS prices (sku TEXT PRIMARY KEY, title TEXT NOT NULL, cents INTEGER NOT NULL CHECK (cents > 0));
INSERT OR IGNORE INTO prices VALUES ('red', 'Runner, red', 12900), ('blue', 'Runner, blue', 11900);

-- One row a reservation that somebody wants to pay. `items` has the prices of that moment:
-- [{"sku": "red", "qty": 1, "cents": 12900}]. `psp_ref` is the payment that counts.
--
--   open -> authorised -> sold -> captured -> (refunded in part or whole: table refunds)
--   open | authorised -> closing -> closed, or sold after all
CREATE TABLE IF NOT EXISTS intents (
  id TEXT PRIMARY KEY,
  reservation TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  items TEXT NOT NULL,
  cents INTEGER NOT NULL,
  psp_ref TEXT UNIQUE,
  state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'authorised', 'closing', 'closed', 'sold', 'captured')),
  expires_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS intents_by_state ON intents (state, changed_at_ms);

-- What the order stream says, each entry once. `ref` is empty where there is none, never
-- NULL: NULL equals nothing, so a key with it removes no duplicate.
CREATE TABLE IF NOT EXISTS orders (
  sale_id TEXT NOT NULL, id TEXT NOT NULL, ref TEXT NOT NULL, user TEXT NOT NULL, qty INTEGER NOT NULL,
  items TEXT NOT NULL, payload TEXT, at_ms INTEGER NOT NULL, PRIMARY KEY (sale_id, id)
);
CREATE TABLE IF NOT EXISTS refunds (
  sale_id TEXT NOT NULL, id TEXT NOT NULL, ref TEXT NOT NULL, qty INTEGER NOT NULL,
  items TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (sale_id, id, ref)
);

-- What remains to be done. Every job may run twice.
CREATE TABLE IF NOT EXISTS jobs (
  kind TEXT NOT NULL, intent TEXT NOT NULL, ref TEXT NOT NULL DEFAULT '',
  due_at_ms INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (kind, intent, ref)
);
CREATE INDEX IF NOT EXISTS jobs_by_due ON jobs (due_at_ms);

-- What no program may decide.
CREATE TABLE IF NOT EXISTS alarms (
  topic TEXT NOT NULL, id TEXT NOT NULL, says TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (topic, id)
);

-- Who gets no pass. In the middle of a sale, also RELEASE what USER lists. The last table: a
-- database without it is brought up to date.
CREATE TABLE IF NOT EXISTS denied (user TEXT PRIMARY KEY);
