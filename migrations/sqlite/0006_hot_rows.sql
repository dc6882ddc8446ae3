-- What a payment writes stands close together (ADR 0023): a session's sums apart from its terms, which hold the signed
-- intent and fill a third of a page, and what waits by the order of writing instead of scattered by session.

PRAGMA defer_foreign_keys = ON;

CREATE TEMP TABLE sessions_before AS SELECT * FROM sessions;
DROP TRIGGER sources_are_claimed;
DROP TABLE sessions;

-- The terms of a session and its state. Its sums are in session_sums.
CREATE TABLE sessions (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    user BLOB NOT NULL CHECK (length(user) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    recipient BLOB NOT NULL CHECK (length(recipient) = 32),
    spender BLOB NOT NULL CHECK (length(spender) = 32),
    session_key BLOB CHECK (length(session_key) = 32),
    nonce TEXT NOT NULL,
    cap INTEGER NOT NULL CHECK (cap > 0),
    expires_at INTEGER NOT NULL CHECK (expires_at >= 0),
    -- The payer's spelling, and the genesis form.
    spelling TEXT NOT NULL,
    network TEXT NOT NULL,
    -- The bytes that were signed, never a re-serialisation.
    intent BLOB NOT NULL,
    intent_signature BLOB NOT NULL CHECK (length(intent_signature) = 64),
    settle_signature BLOB CHECK (length(settle_signature) = 64),
    state TEXT NOT NULL CHECK (
        state IN ('opening', 'open', 'expired', 'closing', 'closed', 'superseded', 'revoked', 'rejected')
    ),
    rejected TEXT,
    cap_verified INTEGER NOT NULL CHECK (cap_verified IN (0, 1)),
    approve BLOB CHECK (length(approve) = 64),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT nonce_once_per_user UNIQUE (user, nonce),
    CONSTRAINT rejected_has_a_reason CHECK ((state = 'rejected') = (rejected IS NOT NULL))
) STRICT;

CREATE INDEX sessions_live ON sessions (user, asset) WHERE state IN ('opening', 'open');
CREATE INDEX sessions_opening ON sessions (seq) WHERE state = 'opening';
CREATE INDEX sessions_unverified ON sessions (seq) WHERE state = 'open' AND cap_verified = 0;
CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE state = 'open';
CREATE INDEX sessions_created ON sessions (created_at, user);

CREATE TRIGGER sessions_keep_their_terms
BEFORE UPDATE OF id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, network, intent, intent_signature,
    settle_signature, created_at ON sessions
BEGIN SELECT RAISE(ABORT, 'the terms of a session never change'); END;

CREATE TRIGGER sessions_end_once
BEFORE UPDATE OF state ON sessions
WHEN OLD.state NOT IN ('opening', 'open', 'closing') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'an ended session never changes its state'); END;

CREATE TRIGGER sessions_stay
BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'sessions are never deleted'); END;

CREATE TRIGGER session_events_of_states
AFTER UPDATE OF state ON sessions WHEN NEW.state <> OLD.state
BEGIN
    INSERT INTO session_events (session, holds_before, state)
    VALUES (NEW.id, coalesce((SELECT max(seq) FROM holds), 0), NEW.state);
END;

-- How many sessions were opened with a merchant lately.
CREATE INDEX sessions_created_for ON sessions (recipient, created_at);

INSERT INTO sessions (seq, id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, spelling, network, intent, intent_signature,
    settle_signature, state, rejected, cap_verified, approve, created_at)
SELECT seq, id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, spelling, network, intent, intent_signature,
    settle_signature, state, rejected, cap_verified, approve, created_at
FROM sessions_before;

-- What a session spent and holds, one narrow row each: every payment writes one, and a hundred share a page.
CREATE TABLE session_sums (
    session INTEGER PRIMARY KEY REFERENCES sessions (seq),
    -- The session's, for the constraint to see.
    cap INTEGER NOT NULL CHECK (cap > 0),
    captured INTEGER NOT NULL,
    held INTEGER NOT NULL,
    -- What the deployed service had captured before its ledger was imported: captured, but by no hold of ours.
    captured_before INTEGER NOT NULL CHECK (captured_before >= 0),
    -- What of `held` was promised, and what was promised and never captured.
    deferred_held INTEGER NOT NULL CHECK (deferred_held >= 0 AND deferred_held <= held),
    lost INTEGER NOT NULL CHECK (lost >= 0),
    -- captured + held <= cap, written so that no sum can overflow into a float.
    CONSTRAINT cap_is_kept CHECK (captured >= captured_before AND held >= 0 AND captured <= cap AND held <= cap - captured)
) STRICT;

INSERT INTO session_sums (session, cap, captured, held, captured_before, deferred_held, lost)
SELECT seq, cap, captured, held, captured_before, deferred_held, lost FROM sessions_before;
DROP TABLE sessions_before;

CREATE TRIGGER session_sums_keep_their_terms
BEFORE UPDATE OF session, cap, captured_before ON session_sums
BEGIN SELECT RAISE(ABORT, 'the terms of a session never change'); END;

CREATE TRIGGER session_sums_stay
BEFORE DELETE ON session_sums BEGIN SELECT RAISE(ABORT, 'sessions are never deleted'); END;

-- Whatever changes what a session holds or has captured changes what its user's balance is claimed for; a capture moves
-- the same amount from one to the other and changes nothing.
CREATE TRIGGER sources_are_claimed
AFTER UPDATE OF captured, held ON session_sums
WHEN NEW.captured + NEW.held <> OLD.captured + OLD.held
BEGIN
    UPDATE sources SET claimed = claimed + (NEW.captured + NEW.held) - (OLD.captured + OLD.held)
    WHERE (user, asset) = (SELECT user, asset FROM sessions WHERE seq = NEW.session) AND bound IS NOT NULL;
END;

-- What waits, by stretches of 256 payments in the order of writing: all that is written at a time goes to the last page
-- or two, and what waits in one session is found with one probe for each stretch in which anything waits.
DROP INDEX holds_waiting;
CREATE INDEX holds_waiting ON holds (seq >> 8, session) WHERE state = 'waiting';

CREATE VIEW waiting_stretches AS
WITH RECURSIVE found (stretch) AS (
    SELECT min(seq >> 8) FROM holds WHERE state = 'waiting'
    UNION ALL
    SELECT (SELECT min(seq >> 8) FROM holds WHERE state = 'waiting' AND seq >> 8 > stretch) FROM found
    WHERE stretch IS NOT NULL
)
SELECT stretch FROM found WHERE stretch IS NOT NULL;
