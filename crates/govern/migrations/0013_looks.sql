-- The path of the evidence: what the judge was given (canonical JSON), at looks that lie further apart the older the
-- attempt is, so that a path of any length has about as many. Every decision has its inputs besides (decision_inputs).
CREATE TABLE looks (
    attempt  INTEGER NOT NULL REFERENCES attempts (id),
    at_ms    INTEGER NOT NULL,
    evidence BLOB NOT NULL CHECK (length(evidence) = 32),
    inputs   TEXT NOT NULL,
    PRIMARY KEY (attempt, at_ms)
) STRICT, WITHOUT ROWID;
