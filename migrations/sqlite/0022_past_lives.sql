-- By which slot finality had passed the life of an attempt that is examined (ADR 0057), as those said who say that it is absent:
-- what landed later is not it, so whoever examines it again, also after a restart, reads no more of the payer's history than
-- that. A later answer would only be later, so the first one stays.
CREATE TABLE attempt_past (
    signature BLOB PRIMARY KEY REFERENCES attempts (signature),
    slot INTEGER NOT NULL CHECK (slot >= 0),
    at INTEGER NOT NULL CHECK (at >= 0)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempt_past_never_changes
BEFORE UPDATE ON attempt_past BEGIN SELECT RAISE(ABORT, 'attempt_past is append-only'); END;

CREATE TRIGGER attempt_past_stays
BEFORE DELETE ON attempt_past BEGIN SELECT RAISE(ABORT, 'attempt_past is append-only'); END;
