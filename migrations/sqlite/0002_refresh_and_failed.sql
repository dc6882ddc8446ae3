-- A purpose and an event more: a transfer of zero that refreshes decrypt allowances, and an attempt that landed with an
-- error which says nothing against the transfer. SQLite cannot alter a CHECK, so both tables are written anew under their
-- own names; with the references deferred, what refers to them finds its rows again before the commit.

PRAGMA defer_foreign_keys = ON;

CREATE TEMP TABLE settlements_before AS SELECT * FROM settlements;
CREATE TEMP TABLE settlement_events_before AS SELECT * FROM settlement_events;
DROP TABLE settlement_events;
DROP TABLE settlements;

-- The promise to carry holds (or another purpose's one transaction): the projection of settlement_events.
CREATE TABLE settlements (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    purpose TEXT NOT NULL CHECK (purpose IN ('capture', 'approve', 'create_recipient', 'probe', 'refresh')),
    session BLOB REFERENCES sessions (id),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'in_flight', 'landed', 'settled', 'released')),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    signature BLOB CHECK (length(signature) = 64),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT captures_and_openings_serve_a_session CHECK (purpose IN ('probe', 'refresh') OR session IS NOT NULL),
    CONSTRAINT only_captures_move_money CHECK ((purpose = 'capture') = (amount > 0)),
    CONSTRAINT signed_has_a_signature CHECK ((attempts > 0) = (signature IS NOT NULL))
) STRICT;

CREATE INDEX settlements_unfinished ON settlements (seq) WHERE state NOT IN ('settled', 'released');
CREATE INDEX settlements_of_session ON settlements (session, purpose);
-- A session's approve is broadcast once; only when nothing came of it may another be planned.
CREATE UNIQUE INDEX settlements_one_approve ON settlements (session) WHERE purpose = 'approve' AND state <> 'released';

CREATE TRIGGER settlements_end_once
BEFORE UPDATE ON settlements WHEN OLD.state IN ('settled', 'released')
BEGIN SELECT RAISE(ABORT, 'a finished settlement never changes'); END;

CREATE TRIGGER settlements_keep_their_terms
BEFORE UPDATE OF id, purpose, session, amount, created_at ON settlements
BEGIN SELECT RAISE(ABORT, 'the terms of a settlement never change'); END;

CREATE TRIGGER settlements_stay
BEFORE DELETE ON settlements BEGIN SELECT RAISE(ABORT, 'settlements are never deleted'); END;

-- What happened, in order: the truth. Of two drivers that append the same number one loses.
CREATE TABLE settlement_events (
    settlement BLOB NOT NULL REFERENCES settlements (id),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    event TEXT NOT NULL CHECK (
        event IN ('reserved', 'signed', 'landed', 'finalised', 'taken_back', 'refused', 'failed', 'absent', 'abandoned')
    ),
    signature BLOB CHECK (length(signature) = 64),
    slot INTEGER CHECK (slot >= 0),
    reason TEXT,
    finalised_height INTEGER CHECK (finalised_height >= 0),
    first_available_block INTEGER CHECK (first_available_block >= 0),
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (settlement, sequence)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER settlement_events_never_change
BEFORE UPDATE ON settlement_events BEGIN SELECT RAISE(ABORT, 'settlement_events is append-only'); END;

CREATE TRIGGER settlement_events_stay
BEFORE DELETE ON settlement_events BEGIN SELECT RAISE(ABORT, 'settlement_events is append-only'); END;

INSERT INTO settlements (seq, id, purpose, session, amount, state, sequence, attempts, signature, created_at)
SELECT seq, id, purpose, session, amount, state, sequence, attempts, signature, created_at FROM settlements_before;
INSERT INTO settlement_events (settlement, sequence, event, signature, slot, reason, finalised_height, first_available_block, at)
SELECT settlement, sequence, event, signature, slot, reason, finalised_height, first_available_block, at
FROM settlement_events_before;
DROP TABLE settlements_before;
DROP TABLE settlement_events_before;

-- Whether an attempt names handles in advance (it buys decrypt allowances), and so fails when somebody changes them first.
ALTER TABLE attempts ADD COLUMN bears_allowances INTEGER NOT NULL DEFAULT 0 CHECK (bears_allowances IN (0, 1));

CREATE TRIGGER attempts_keep_their_allowances
BEFORE UPDATE OF bears_allowances ON attempts
BEGIN SELECT RAISE(ABORT, 'a signed attempt never changes'); END;
