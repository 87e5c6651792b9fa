-- Trust notes, exactly as they were given: hosts that slept take one version after the other.
CREATE TABLE trust (
    version   INTEGER PRIMARY KEY,
    note      BLOB NOT NULL,
    posted_ms INTEGER NOT NULL
) STRICT;
