-- Metrics that measure values: means, ratios, scores and quantiles. Derived from the events by crates/govern/src/values.

-- When a reading first came in; 0 before this was kept. A metric with grace leaves out what came later than that.
ALTER TABLE readings ADD COLUMN received_ms INTEGER NOT NULL DEFAULT 0;

-- Each outcome as a metric measures it, in millionths; the metric is the digest of its rule, the outcome its row.
CREATE TABLE measured (
    metric      BLOB NOT NULL,
    unit        BLOB NOT NULL,
    outcome     INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    value       INTEGER NOT NULL,
    second      INTEGER NOT NULL,
    PRIMARY KEY (metric, unit, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX measured_of_unit ON measured (unit);

-- What each unit of an attempt has added to the sums below, and when it is to be looked at again: at once (0) because
-- something of it changed, or when its window closes. Null: never, unless something changes.
CREATE TABLE unit_values (
    attempt INTEGER NOT NULL,
    name    TEXT NOT NULL,
    unit    BLOB NOT NULL,
    due_ms  INTEGER,
    parts   TEXT NOT NULL,
    late    INTEGER NOT NULL,
    PRIMARY KEY (attempt, name, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX unit_values_due ON unit_values (attempt, name, due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX unit_values_of_unit ON unit_values (unit);

-- Sums over units; 128-bit whole numbers as decimal text.
CREATE TABLE value_sums (
    attempt        INTEGER NOT NULL,
    name           TEXT NOT NULL,
    cohort         INTEGER NOT NULL,
    probability    INTEGER NOT NULL,
    arm            INTEGER NOT NULL,
    units          INTEGER NOT NULL,
    non_zero       INTEGER NOT NULL,
    cut            INTEGER NOT NULL,
    sum            TEXT NOT NULL,
    squares        TEXT NOT NULL,
    second_sum     TEXT NOT NULL,
    second_squares TEXT NOT NULL,
    products       TEXT NOT NULL,
    PRIMARY KEY (attempt, name, cohort, probability, arm)
) STRICT, WITHOUT ROWID;

-- Units by the bucket of their value.
CREATE TABLE value_buckets (
    attempt     INTEGER NOT NULL,
    name        TEXT NOT NULL,
    cohort      INTEGER NOT NULL,
    probability INTEGER NOT NULL,
    arm         INTEGER NOT NULL,
    bucket      INTEGER NOT NULL,
    units       INTEGER NOT NULL,
    PRIMARY KEY (attempt, name, cohort, probability, arm, bucket)
) STRICT, WITHOUT ROWID;

-- Treated units by batch and score, in millionths.
CREATE TABLE value_scores (
    attempt INTEGER NOT NULL,
    name    TEXT NOT NULL,
    batch   INTEGER NOT NULL,
    score   INTEGER NOT NULL,
    units   INTEGER NOT NULL,
    PRIMARY KEY (attempt, name, batch, score)
) STRICT, WITHOUT ROWID;

-- Until when batches of scores have been handed to the judge: those that ended by then take in nobody any more.
CREATE TABLE scores_handed (
    attempt INTEGER NOT NULL,
    name    TEXT NOT NULL,
    upto_ms INTEGER NOT NULL,
    PRIMARY KEY (attempt, name)
) STRICT, WITHOUT ROWID;
