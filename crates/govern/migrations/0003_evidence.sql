-- Derived from the events by crates/govern/src/derive.rs; nothing here is known that the events do not say.

-- One row a unit of an attempt, with up to two beginnings.
-- Enrolment is the earliest exposure that is evidence (0 < probability < 10^9): its arm, cohort and probability
-- stay the unit's for good. arms: bit 1 treatment, bit 2 control, of the exposures that are evidence.
-- Plain is the earliest exposure that is not: an allow-list, a unit that crossed over, a control given up. It ends
-- the follow-up of the enrolment, in both arms alike.
CREATE TABLE units (
    attempt           INTEGER NOT NULL,
    unit              BLOB NOT NULL,
    arms              INTEGER NOT NULL,
    treated           INTEGER NOT NULL,
    enrolled_ms       INTEGER,
    enrolled_by       BLOB,
    arm               INTEGER,
    cohort            INTEGER,
    probability       INTEGER,
    plain_ms          INTEGER,
    plain_by          BLOB,
    plain_arm         INTEGER,
    plain_cohort      INTEGER,
    PRIMARY KEY (attempt, unit)
) STRICT, WITHOUT ROWID;

-- What the units come to, so that a tick need not count them: kept in step with units and readings by differences.
-- kind 0: first exposures that the sample ratio is judged by; kind 1: what a metric (name) measured, with its bad
-- units; kind 2: units in the whole attempt, arm 1 given the candidate at any time, arm 2 never, arm 3 seen in both.
CREATE TABLE tallies (
    attempt     INTEGER NOT NULL,
    kind        INTEGER NOT NULL,
    name        TEXT NOT NULL,
    cohort      INTEGER NOT NULL,
    probability INTEGER NOT NULL,
    arm         INTEGER NOT NULL,
    units       INTEGER NOT NULL,
    bad         INTEGER NOT NULL,
    PRIMARY KEY (attempt, kind, name, cohort, probability, arm)
) STRICT, WITHOUT ROWID;

-- When the last exposure of an attempt came in.
CREATE TABLE attempt_exposures (
    attempt  INTEGER PRIMARY KEY,
    events   INTEGER NOT NULL,
    last_ms  INTEGER NOT NULL
) STRICT;

-- Each outcome as a metric reads it; the metric is the digest of its rule.
CREATE TABLE readings (
    metric BLOB NOT NULL,
    unit   BLOB NOT NULL,
    at_ms  INTEGER NOT NULL,
    bad    INTEGER NOT NULL CHECK (bad IN (0, 1)),
    PRIMARY KEY (metric, unit, at_ms, bad)
) STRICT, WITHOUT ROWID;

-- Outcomes of the metric's event that the rule could and could not be read on, and when the last one came in:
-- a metric that fell silent is seen to be silent.
CREATE TABLE metric_reads (
    metric  BLOB PRIMARY KEY,
    read    INTEGER NOT NULL,
    unread  INTEGER NOT NULL,
    last_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far each derivation has read.
CREATE TABLE cursors (
    name TEXT PRIMARY KEY,
    row  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
