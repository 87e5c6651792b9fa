-- What reporters sent, as they sent it, once per event id. Everything the judge sees is derived from these.
-- Event ids and units (pseudonyms) are 16 raw bytes.

CREATE TABLE batches (
    id          TEXT PRIMARY KEY,
    instance    TEXT NOT NULL,
    events      INTEGER NOT NULL,
    received_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Arms: 0 none, 1 treatment, 2 control. Probability in parts of 10^9.
CREATE TABLE exposures (
    row         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    stream      TEXT NOT NULL,
    flag        TEXT NOT NULL,
    variant     TEXT NOT NULL,
    arm         INTEGER NOT NULL CHECK (arm IN (0, 1, 2)),
    stage       INTEGER,
    cohort      INTEGER,
    probability INTEGER NOT NULL,
    unit        BLOB NOT NULL,
    snapshot    BLOB NOT NULL CHECK (length(snapshot) = 32),
    reason      TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    received_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX exposures_of_snapshot ON exposures (snapshot, flag);

-- Measures (whole millionths), booleans and slices are JSON objects.
CREATE TABLE outcomes (
    row         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    stream      TEXT NOT NULL,
    name        TEXT NOT NULL,
    unit        BLOB NOT NULL,
    measures    TEXT NOT NULL,
    booleans    TEXT NOT NULL,
    slices      TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    received_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX outcomes_by_name ON outcomes (name, row);

-- A reporter's own count of what it had to drop, so that every missing sequence number is explained or not.
CREATE TABLE instances (
    instance TEXT PRIMARY KEY,
    dropped  TEXT NOT NULL,
    seen_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sequence numbers received, as closed ranges that never touch one another.
CREATE TABLE received_ranges (
    instance TEXT NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    PRIMARY KEY (instance, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
