CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Head office's own keys; sealed ones open with the key file only.
CREATE TABLE keys (name TEXT PRIMARY KEY, public BLOB NOT NULL, sealed BLOB NOT NULL) STRICT;

CREATE TABLE tokens (
  hash        TEXT PRIMARY KEY,
  created     INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  by_hand     INTEGER NOT NULL,
  by_person   TEXT NOT NULL,
  by_kind     TEXT NOT NULL,
  used        INTEGER,
  key         TEXT,  -- fingerprint of the one public key that used it
  device      TEXT
) STRICT, WITHOUT ROWID;

-- Deleting a row revokes the device.
CREATE TABLE devices (
  id           TEXT PRIMARY KEY,
  state        TEXT NOT NULL,
  key          TEXT NOT NULL,
  fingerprint  TEXT NOT NULL DEFAULT '',
  serial       TEXT NOT NULL DEFAULT '',
  expires      INTEGER NOT NULL DEFAULT 0,
  hostname     TEXT NOT NULL,
  version      TEXT NOT NULL,
  enrolled     INTEGER NOT NULL,
  last_seen    INTEGER NOT NULL DEFAULT 0,
  halt_reason  TEXT NOT NULL DEFAULT '',
  epoch        INTEGER REFERENCES epochs (id)  -- the one that grows
) STRICT, WITHOUT ROWID;

-- One gapless sequence each. They outlive the device's row.
CREATE TABLE epochs (
  id       INTEGER PRIMARY KEY,
  device   TEXT NOT NULL,
  epoch    TEXT NOT NULL,
  next_seq INTEGER NOT NULL DEFAULT 1,
  begun    INTEGER NOT NULL DEFAULT 0,  -- device's clock at its first record
  UNIQUE (device, epoch)
) STRICT;

-- Every record as it was sent.
CREATE TABLE inbox (
  epoch    INTEGER NOT NULL REFERENCES epochs (id),
  seq      INTEGER NOT NULL,
  digest   TEXT NOT NULL,
  flag     TEXT NOT NULL,
  kind     TEXT NOT NULL,
  subject  TEXT NOT NULL,
  received INTEGER NOT NULL,
  raw      BLOB NOT NULL,
  PRIMARY KEY (epoch, seq)
) STRICT;
CREATE INDEX inbox_flagged ON inbox (flag) WHERE flag <> '';

-- The other version of a record, or a record of a superseded epoch that grew.
CREATE TABLE conflicts (
  epoch    INTEGER NOT NULL REFERENCES epochs (id),
  seq      INTEGER NOT NULL,
  digest   TEXT NOT NULL,
  received INTEGER NOT NULL,
  raw      BLOB NOT NULL,
  PRIMARY KEY (epoch, seq, digest)
) STRICT;

-- Read model: the latest state of each run. Its record is the inbox row.
CREATE TABLE runs (
  device    TEXT NOT NULL,
  run       TEXT NOT NULL,
  epoch     INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  received  INTEGER NOT NULL,
  bot       TEXT NOT NULL,
  version   TEXT NOT NULL,
  state     TEXT NOT NULL,
  exception TEXT NOT NULL,
  started   INTEGER NOT NULL,
  finished  INTEGER NOT NULL,
  PRIMARY KEY (device, run)
) STRICT;
CREATE INDEX runs_started ON runs (started);
CREATE INDEX runs_state ON runs (state, started);

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at      INTEGER NOT NULL,
  person  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL
) STRICT;

CREATE TABLE links (
  hash TEXT PRIMARY KEY, role TEXT NOT NULL, person TEXT NOT NULL, expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  hash TEXT PRIMARY KEY, role TEXT NOT NULL, person TEXT NOT NULL, csrf TEXT NOT NULL, expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
