-- Slices: parts of the population (a language, an intent), as far as plans ask for them.

-- What is known of a unit: of each dimension the value of its earliest outcome that has one, as a JSON object of
-- [unix milliseconds, event id in hexadecimal, value]. Earliest by time and then id, so that the order in which events came in
-- decides nothing.
CREATE TABLE unit_slices (
    unit  BLOB PRIMARY KEY,
    known TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What the units come to by slice, kept in step by differences as `tallies` are.
-- kind 0: first exposures; kind 1: what a metric (name) measured, with its bad units. A cell of two dimensions has both,
-- a slice of one has an empty second one.
CREATE TABLE slice_tallies (
    attempt      INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    name         TEXT NOT NULL,
    dimension    TEXT NOT NULL,
    value        TEXT NOT NULL,
    second       TEXT NOT NULL,
    second_value TEXT NOT NULL,
    cohort       INTEGER NOT NULL,
    probability  INTEGER NOT NULL,
    treated      INTEGER NOT NULL,
    treated_bad  INTEGER NOT NULL,
    control      INTEGER NOT NULL,
    control_bad  INTEGER NOT NULL,
    PRIMARY KEY (attempt, kind, name, dimension, value, second, second_value, cohort, probability)
) STRICT, WITHOUT ROWID;

-- Thresholds crossed in a slice. They stay crossed for the rest of the attempt.
CREATE TABLE slice_latches (
    attempt   INTEGER NOT NULL REFERENCES attempts (id),
    metric    TEXT NOT NULL,
    dimension TEXT NOT NULL,
    value     TEXT NOT NULL,
    latched   TEXT NOT NULL,
    PRIMARY KEY (attempt, metric, dimension, value)
) STRICT, WITHOUT ROWID;

-- Whether an attempt's units are counted by slice from its first one on. Attempts that began before they were go on without.
ALTER TABLE attempts ADD COLUMN sliced INTEGER NOT NULL DEFAULT 0;
