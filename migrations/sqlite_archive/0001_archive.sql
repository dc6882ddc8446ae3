-- The archive of a ledger (ADR 0038): rows as they stood there, under their numbers. Nothing here ever changes.

CREATE TABLE archive (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- The ledger's, so that no other file is taken for its archive.
    id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;

CREATE TABLE holds (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    session BLOB NOT NULL CHECK (length(session) = 16),
    nonce TEXT,
    content BLOB NOT NULL CHECK (length(content) = 32),
    amount INTEGER NOT NULL CHECK (amount > 0),
    spent_after INTEGER NOT NULL CHECK (spent_after >= amount),
    remaining_after INTEGER NOT NULL CHECK (remaining_after >= 0),
    state TEXT NOT NULL CHECK (state IN ('captured', 'released')),
    settlement BLOB CHECK (length(settlement) = 16),
    reason TEXT,
    signature BLOB CHECK (length(signature) = 64),
    told INTEGER NOT NULL CHECK (told IN (0, 1)),
    pending_answered INTEGER NOT NULL CHECK (pending_answered IN (0, 1)),
    taken_over INTEGER NOT NULL CHECK (taken_over >= 0),
    accepted_at INTEGER NOT NULL CHECK (accepted_at >= 0),
    deferred INTEGER NOT NULL CHECK (deferred IN (0, 1)),
    returns INTEGER NOT NULL CHECK (returns >= 0),
    not_before INTEGER NOT NULL CHECK (not_before >= 0),
    funding TEXT NOT NULL CHECK (funding IN ('proven', 'unproven', 'short')),
    awaited_by INTEGER,
    awaited_until INTEGER,
    CONSTRAINT released_has_a_reason CHECK ((state = 'released') = (reason IS NOT NULL)),
    CONSTRAINT captured_is_covered CHECK (state <> 'captured' OR settlement IS NOT NULL)
) STRICT;

CREATE INDEX holds_of_session ON holds (session, seq);
CREATE INDEX holds_of_settlement ON holds (settlement) WHERE settlement IS NOT NULL;
CREATE UNIQUE INDEX holds_nonce_once_per_session ON holds (session, nonce) WHERE nonce IS NOT NULL;

CREATE TABLE hold_returns (
    settlement BLOB NOT NULL CHECK (length(settlement) = 16),
    hold BLOB NOT NULL REFERENCES holds (id),
    reason TEXT NOT NULL,
    signature BLOB CHECK (length(signature) = 64),
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (settlement, hold)
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_returns_of_hold ON hold_returns (hold);

CREATE TABLE session_events (
    seq INTEGER PRIMARY KEY,
    session BLOB NOT NULL CHECK (length(session) = 16),
    holds_before INTEGER NOT NULL CHECK (holds_before >= 0),
    settlement BLOB,
    sequence INTEGER,
    hold BLOB,
    state TEXT
) STRICT;

CREATE INDEX session_events_of_session ON session_events (session, seq);

CREATE TRIGGER archive_never_changes BEFORE UPDATE ON archive
BEGIN SELECT RAISE(ABORT, 'an archive is of one ledger'); END;
CREATE TRIGGER archive_stays BEFORE DELETE ON archive
BEGIN SELECT RAISE(ABORT, 'an archive is of one ledger'); END;
CREATE TRIGGER holds_never_change BEFORE UPDATE ON holds
BEGIN SELECT RAISE(ABORT, 'the archive never changes'); END;
CREATE TRIGGER holds_stay BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'the archive never changes'); END;
CREATE TRIGGER hold_returns_never_change BEFORE UPDATE ON hold_returns
BEGIN SELECT RAISE(ABORT, 'the archive never changes'); END;
CREATE TRIGGER hold_returns_stay BEFORE DELETE ON hold_returns
BEGIN SELECT RAISE(ABORT, 'the archive never changes'); END;
CREATE TRIGGER session_events_never_change BEFORE UPDATE ON session_events
BEGIN SELECT RAISE(ABORT, 'the archive never changes'); END;
CREATE TRIGGER session_events_stay BEFORE DELETE ON session_events
BEGIN SELECT RAISE(ABORT, 'the archive never changes'); END;
