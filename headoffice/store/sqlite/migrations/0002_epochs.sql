-- Records that neither the device nor head office has any more.
CREATE TABLE gaps (
  epoch INTEGER NOT NULL REFERENCES epochs (id),
  first INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  found INTEGER NOT NULL,
  PRIMARY KEY (epoch, first)
) STRICT, WITHOUT ROWID;

-- One row each time head office became another one: made, or brought back from a copy.
CREATE TABLE incarnations (
  incarnation TEXT PRIMARY KEY,
  begun       INTEGER NOT NULL,
  copied      INTEGER NOT NULL  -- when its copy was made, 0 for a new database
) STRICT, WITHOUT ROWID;
INSERT INTO incarnations (incarnation, begun, copied)
  SELECT value, coalesce((SELECT min(at) FROM audit), 0), 0 FROM meta WHERE name = 'incarnation';

-- What devices ask for after they were put together again.
CREATE INDEX runs_received ON runs (device, received);
