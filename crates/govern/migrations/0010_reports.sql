-- Sampling: the probability with which a unit's events are kept, in parts of 10^9.
ALTER TABLE exposures ADD COLUMN inclusion INTEGER NOT NULL DEFAULT 1000000000;
ALTER TABLE outcomes ADD COLUMN inclusion INTEGER NOT NULL DEFAULT 1000000000;

-- Those seen in each cohort of an attempt: more than one, and its units are not drawn alike.
CREATE TABLE inclusions (
    attempt   INTEGER NOT NULL,
    cohort    INTEGER NOT NULL,
    inclusion INTEGER NOT NULL,
    PRIMARY KEY (attempt, cohort, inclusion)
) STRICT, WITHOUT ROWID;

-- Tombstones: units that took their consent back, and when. Events up to then are erased, those that come late included.
-- An erased event keeps its row and its id, in the stream `erased` and with nothing else in it, so that the same event
-- sent again is known. Pending: what was derived from the unit's events is still to be taken out of the counts.
CREATE TABLE withdrawals (
    stream  TEXT NOT NULL,
    unit    BLOB NOT NULL,
    at_ms   INTEGER NOT NULL,
    pending INTEGER NOT NULL CHECK (pending IN (0, 1)),
    PRIMARY KEY (stream, unit)
) STRICT, WITHOUT ROWID;
CREATE INDEX withdrawals_pending ON withdrawals (unit) WHERE pending = 1;

CREATE INDEX exposures_of_unit ON exposures (unit);
CREATE INDEX outcomes_of_unit ON outcomes (unit);
CREATE INDEX units_by_unit ON units (unit);
CREATE INDEX readings_of_unit ON readings (unit);
