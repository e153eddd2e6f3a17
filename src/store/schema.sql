-- The registry as migration 1 makes it. A pool's values are integers; every one of them is at any
-- moment in exactly one place: in a lease, in an extent of free ones, or excluded.

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE migration (
  number  INTEGER PRIMARY KEY,
  dated   TEXT NOT NULL,  -- the day it was written
  applied TEXT NOT NULL   -- when this registry got it, UTC
) STRICT;

CREATE TABLE machine (
  uuid          TEXT PRIMARY KEY,
  short         TEXT NOT NULL UNIQUE,  -- the first 8 digits, which name its run directory
  cloud         TEXT NOT NULL,
  name          TEXT NOT NULL,
  cpus          INTEGER NOT NULL,
  memory        INTEGER NOT NULL,
  created       TEXT NOT NULL,
  boots         INTEGER NOT NULL,
  once_consumed INTEGER NOT NULL,
  last_end      TEXT NOT NULL,
  spec          TEXT NOT NULL,         -- JSON
  UNIQUE (cloud, name)
) STRICT;
CREATE INDEX machine_name ON machine (name);

CREATE TABLE run (
  machine    TEXT PRIMARY KEY REFERENCES machine (uuid) ON DELETE CASCADE,
  boot_id    TEXT NOT NULL,
  pid        INTEGER NOT NULL,
  start_time INTEGER NOT NULL,
  boot       INTEGER NOT NULL,
  since      TEXT NOT NULL,
  display    INTEGER,
  vnc_listen TEXT NOT NULL,
  taps       TEXT NOT NULL,  -- each one led by a slash, which no interface name has
  accel      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE network (
  name    TEXT PRIMARY KEY,
  bridge  TEXT NOT NULL UNIQUE,
  address INTEGER NOT NULL,  -- the bridge's own
  prefix  INTEGER NOT NULL,
  mac     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE network_user (
  network TEXT NOT NULL REFERENCES network (name) ON DELETE CASCADE,
  machine TEXT NOT NULL,
  PRIMARY KEY (network, machine)
) STRICT, WITHOUT ROWID;
CREATE INDEX network_user_machine ON network_user (machine);

CREATE TABLE pool (
  id       INTEGER PRIMARY KEY,
  name     TEXT NOT NULL UNIQUE,
  kind     TEXT NOT NULL,
  low      INTEGER NOT NULL,
  high     INTEGER NOT NULL,
  prefix   INTEGER NOT NULL,
  excluded TEXT NOT NULL,     -- "low-high,low-high"
  source   TEXT NOT NULL      -- "config", "network" or "fixed"
) STRICT;

-- Free values. `turn` orders the handing out: the place in the queue, or, where the lowest goes
-- first, `low` itself.
CREATE TABLE extent (
  pool INTEGER NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
  low  INTEGER NOT NULL,
  high INTEGER NOT NULL CHECK (high >= low),
  turn INTEGER NOT NULL,
  PRIMARY KEY (pool, low)
) STRICT, WITHOUT ROWID;
CREATE INDEX extent_turn ON extent (pool, turn, low);

-- What is handed out, reserved by hand, or held by something that is not ours.
CREATE TABLE lease (
  pool     INTEGER NOT NULL REFERENCES pool (id),
  low      INTEGER NOT NULL,
  high     INTEGER NOT NULL CHECK (high >= low),
  text     TEXT,              -- the value of a pool of names; low is then only a number
  holder   TEXT NOT NULL,     -- a machine's UUID, or empty
  place    INTEGER NOT NULL,  -- which NIC or disk
  lifetime INTEGER NOT NULL,
  reserved INTEGER NOT NULL,  -- 1: by hand
  "foreign" TEXT NOT NULL,    -- who has it, when it is not ours
  tried    INTEGER NOT NULL,  -- 1: found foreign by trying, not in the facts
  since    TEXT NOT NULL,
  note     TEXT NOT NULL,
  PRIMARY KEY (pool, low)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_holder ON lease (holder, lifetime) WHERE holder <> '';
CREATE INDEX lease_foreign ON lease (pool) WHERE "foreign" <> '';
CREATE UNIQUE INDEX lease_text ON lease (pool, text) WHERE text IS NOT NULL;

CREATE TABLE journal (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  plan        TEXT NOT NULL,  -- JSON
  steps       INTEGER NOT NULL,
  owner_pid   INTEGER NOT NULL,
  owner_start INTEGER NOT NULL,
  boot_id     TEXT NOT NULL,
  since       TEXT NOT NULL
) STRICT;

-- A step without a row is untouched.
CREATE TABLE journal_step (
  journal INTEGER NOT NULL REFERENCES journal (id) ON DELETE CASCADE,
  step    INTEGER NOT NULL,
  state   INTEGER NOT NULL,  -- 1 begun, 2 done, 3 undone
  PRIMARY KEY (journal, step)
) STRICT, WITHOUT ROWID;
