-- The shop's own tables, beside those of `flashsale worker`. Prices are in cents.
CREATE TABLE IF NOT EXISTS prices (sku TEXT PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents > 0));
INSERT OR IGNORE INTO prices VALUES ('red', 12900), ('blue', 11900), ('green', 4950);

-- What the till has to do. A row appears in the transaction that stores its entry, so exactly once.
CREATE TABLE IF NOT EXISTS jobs (
  kind TEXT NOT NULL CHECK (kind IN ('capture', 'refund')),
  reservation TEXT NOT NULL,
  ref TEXT NOT NULL,
  cents INTEGER NOT NULL CHECK (cents > 0),
  is_done INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, reservation, ref)
);
