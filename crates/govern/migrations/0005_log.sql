-- What people said, beside the ledger whose records hold only a commitment to it: SHA-256(salt || words), where words
-- is canonical JSON with the members actor and reason. Rows may be deleted (erasure), never changed unnoticed.
CREATE TABLE ledger_words (
    entry INTEGER PRIMARY KEY REFERENCES ledger (entry),
    salt  BLOB NOT NULL CHECK (length(salt) = 32),
    words TEXT NOT NULL
) STRICT;

-- The ledger entry that a snapshot was written down in: it is served from when the log has that entry.
ALTER TABLE snapshots ADD COLUMN entry INTEGER;
UPDATE snapshots SET entry = (
    SELECT ledger.entry FROM ledger
    WHERE kind = 'snapshot-posted' AND json_extract(record, '$.data.snapshot.digest') = lower(hex(snapshots.digest))
);
