-- Append-only. hash = SHA-256(previous || record); the first entry's previous is 32 zero bytes.
CREATE TABLE ledger (
    entry    INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    flag     TEXT,
    record   TEXT NOT NULL,
    previous BLOB NOT NULL CHECK (length(previous) = 32),
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX ledger_of_flag ON ledger (flag, entry);

CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_is_never_deleted BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

-- The judge's inputs behind each decision in the ledger, by their digest: what is needed to replay it.
CREATE TABLE decision_inputs (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    inputs TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Thresholds crossed. They stay crossed for the rest of the attempt.
CREATE TABLE latches (
    attempt INTEGER NOT NULL REFERENCES attempts (id),
    metric  TEXT NOT NULL,
    latched TEXT NOT NULL,
    PRIMARY KEY (attempt, metric)
) STRICT, WITHOUT ROWID;

-- The signed pulses, newest last; numbers rise for ever.
CREATE TABLE pulses (
    number  INTEGER PRIMARY KEY,
    issued  INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    says    BLOB NOT NULL,
    note    BLOB NOT NULL
) STRICT;
