-- Deferred payments: answered when they are held, settled later. What was promised stays held until it is captured or
-- its loss is booked.

-- Whether the payment was answered as held. Only such a payment counts against the limits of exposure.
ALTER TABLE holds ADD COLUMN deferred INTEGER NOT NULL DEFAULT 0
    CHECK (deferred IN (0, 1) AND (deferred = 0 OR told = 1));
-- How many settlements came to nothing under it, and the moment before which no other is planned over it.
ALTER TABLE holds ADD COLUMN returns INTEGER NOT NULL DEFAULT 0 CHECK (returns >= 0);
ALTER TABLE holds ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0 CHECK (not_before >= 0);

CREATE TRIGGER holds_stay_as_promised
BEFORE UPDATE OF deferred ON holds
BEGIN SELECT RAISE(ABORT, 'the terms of a hold never change'); END;

-- What of `held` was promised, and what was promised and never captured.
ALTER TABLE sessions ADD COLUMN deferred_held INTEGER NOT NULL DEFAULT 0
    CHECK (deferred_held >= 0 AND deferred_held <= held);
ALTER TABLE sessions ADD COLUMN lost INTEGER NOT NULL DEFAULT 0 CHECK (lost >= 0);
UPDATE sessions SET lost =
    (SELECT coalesce(sum(amount), 0) FROM holds WHERE session = sessions.id AND state = 'released' AND told = 1);

-- What all sessions together hold for a merchant by promise.
CREATE TABLE merchant_exposure (
    recipient BLOB NOT NULL CHECK (length(recipient) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    deferred_held INTEGER NOT NULL CHECK (deferred_held >= 0),
    PRIMARY KEY (recipient, asset)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER merchant_exposure_stays
BEFORE DELETE ON merchant_exposure BEGIN SELECT RAISE(ABORT, 'merchant_exposure is never deleted'); END;

-- A promised hold whose settlement came to nothing waits again; this is what is left of that settlement's coverage.
CREATE TABLE hold_returns (
    settlement BLOB NOT NULL REFERENCES settlements (id),
    hold BLOB NOT NULL REFERENCES holds (id),
    -- Why, and the transaction that landed with an error, if one did.
    reason TEXT NOT NULL,
    signature BLOB CHECK (length(signature) = 64),
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (settlement, hold)
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_returns_of_hold ON hold_returns (hold);

CREATE TRIGGER hold_returns_never_change
BEFORE UPDATE ON hold_returns BEGIN SELECT RAISE(ABORT, 'hold_returns is append-only'); END;

CREATE TRIGGER hold_returns_stay
BEFORE DELETE ON hold_returns BEGIN SELECT RAISE(ABORT, 'hold_returns is append-only'); END;

-- What happened to a session, in the order of writing: pointers only. Payments that are accepted are found in `holds`;
-- `holds_before` is the newest of them when the row was written, which makes one order of both. Written by triggers, so
-- that no verb can forget to.
CREATE TABLE session_events (
    seq INTEGER PRIMARY KEY,
    session BLOB NOT NULL REFERENCES sessions (id),
    holds_before INTEGER NOT NULL CHECK (holds_before >= 0),
    -- One of three: an event of a settlement, a hold that was released uncovered, a state of the session.
    settlement BLOB,
    sequence INTEGER,
    hold BLOB REFERENCES holds (id),
    state TEXT,
    FOREIGN KEY (settlement, sequence) REFERENCES settlement_events (settlement, sequence),
    CONSTRAINT one_thing_happened CHECK (
        (settlement IS NOT NULL) + (hold IS NOT NULL) + (state IS NOT NULL) = 1
        AND (settlement IS NULL) = (sequence IS NULL)
    )
) STRICT;

CREATE INDEX session_events_of_session ON session_events (session);

CREATE TRIGGER session_events_of_settlements
AFTER INSERT ON settlement_events WHEN NEW.event NOT IN ('reserved', 'absent', 'failed')
BEGIN
    INSERT INTO session_events (session, holds_before, settlement, sequence)
    SELECT session, coalesce((SELECT max(seq) FROM holds), 0), NEW.settlement, NEW.sequence
    FROM settlements WHERE id = NEW.settlement AND purpose = 'capture';
END;

CREATE TRIGGER session_events_of_holds
AFTER UPDATE OF state ON holds WHEN NEW.state = 'released' AND OLD.state = 'waiting'
BEGIN
    INSERT INTO session_events (session, holds_before, hold)
    VALUES (NEW.session, coalesce((SELECT max(seq) FROM holds), 0), NEW.id);
END;

CREATE TRIGGER session_events_of_states
AFTER UPDATE OF state ON sessions WHEN NEW.state <> OLD.state
BEGIN
    INSERT INTO session_events (session, holds_before, state)
    VALUES (NEW.id, coalesce((SELECT max(seq) FROM holds), 0), NEW.state);
END;

CREATE TRIGGER session_events_never_change
BEFORE UPDATE ON session_events BEGIN SELECT RAISE(ABORT, 'session_events is append-only'); END;

CREATE TRIGGER session_events_stay
BEFORE DELETE ON session_events BEGIN SELECT RAISE(ABORT, 'session_events is append-only'); END;
