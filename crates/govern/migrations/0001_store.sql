-- One file holds one environment. Times ending in _ms are unix milliseconds; digests are 32 raw bytes.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Release-signed sealed files, exactly as they were posted. Adopted: the pulse names it or has named it.
CREATE TABLE snapshots (
    digest     BLOB PRIMARY KEY CHECK (length(digest) = 32),
    epoch      INTEGER NOT NULL,
    sequence   INTEGER NOT NULL,
    issued     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    sealed     BLOB NOT NULL,
    posted_ms  INTEGER NOT NULL,
    adopted_ms INTEGER,
    UNIQUE (epoch, sequence)
) STRICT;

-- The source text a snapshot was compiled from. The first one stays; another text is refused.
CREATE TABLE definitions (
    digest    BLOB PRIMARY KEY CHECK (length(digest) = 32),
    text      TEXT NOT NULL,
    posted_ms INTEGER NOT NULL
) STRICT;

-- One attempt at introducing one candidate under one set of rules. The rows are the stage machine's state:
-- since_ms is when the open stage was opened, moved on by the length of outages; rule and reasons are the judge's
-- words for the phase. A halt that is a row here is the evidence's, and stays for the whole attempt.
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    flag        TEXT NOT NULL,
    number      INTEGER NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    begun_ms    INTEGER NOT NULL,
    phase       TEXT NOT NULL CHECK (phase IN ('closed', 'open', 'held', 'awaiting-approval', 'halted', 'complete')),
    stage       INTEGER,
    since_ms    INTEGER,
    rule        TEXT,
    reasons     TEXT NOT NULL DEFAULT '[]',
    UNIQUE (flag, number)
) STRICT;

-- Halts by people. They stay until a person lifts them, whatever is published meanwhile.
CREATE TABLE operator_halts (
    flag   TEXT PRIMARY KEY,
    actor  TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_ms  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which attempt a snapshot's exposures of a flag belong to: a higher ceiling alone goes on with the same one.
CREATE TABLE attempt_snapshots (
    snapshot BLOB NOT NULL,
    flag     TEXT NOT NULL,
    attempt  INTEGER NOT NULL REFERENCES attempts (id),
    PRIMARY KEY (snapshot, flag)
) STRICT, WITHOUT ROWID;

-- When each stage of an attempt was opened: the dashboard's timeline.
CREATE TABLE stage_openings (
    attempt    INTEGER NOT NULL REFERENCES attempts (id),
    stage      INTEGER NOT NULL,
    opened_ms  INTEGER NOT NULL,
    PRIMARY KEY (attempt, stage, opened_ms)
) STRICT, WITHOUT ROWID;
