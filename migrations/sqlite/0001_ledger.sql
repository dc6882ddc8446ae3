-- The ledger. Amounts are base units, lamports are lamports, times are Unix seconds, ids are the 16 bytes of a UUID,
-- keys 32 bytes, signatures 64. `seq` is the order of writing: everything that is "oldest first" goes by it. Nothing is
-- ever deleted.

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
    captured INTEGER NOT NULL,
    held INTEGER NOT NULL,
    -- What the deployed service had captured before its ledger was imported: captured, but by no hold of ours.
    captured_before INTEGER NOT NULL CHECK (captured_before >= 0),
    approve BLOB CHECK (length(approve) = 64),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT nonce_once_per_user UNIQUE (user, nonce),
    CONSTRAINT rejected_has_a_reason CHECK ((state = 'rejected') = (rejected IS NOT NULL)),
    -- captured + held <= cap, written so that no sum can overflow into a float.
    CONSTRAINT cap_is_kept CHECK (captured >= captured_before AND held >= 0 AND captured <= cap AND held <= cap - captured)
) STRICT;

CREATE INDEX sessions_live ON sessions (user, asset) WHERE state IN ('opening', 'open');
CREATE INDEX sessions_opening ON sessions (seq) WHERE state = 'opening';
CREATE INDEX sessions_unverified ON sessions (seq) WHERE state = 'open' AND cap_verified = 0;
CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE state = 'open';
CREATE INDEX sessions_created ON sessions (created_at, user);

CREATE TRIGGER sessions_keep_their_terms
BEFORE UPDATE OF id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, network, intent, intent_signature,
    settle_signature, captured_before, created_at ON sessions
BEGIN SELECT RAISE(ABORT, 'the terms of a session never change'); END;

CREATE TRIGGER sessions_end_once
BEFORE UPDATE OF state ON sessions
WHEN OLD.state NOT IN ('opening', 'open', 'closing') AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'an ended session never changes its state'); END;

CREATE TRIGGER sessions_stay
BEFORE DELETE ON sessions BEGIN SELECT RAISE(ABORT, 'sessions are never deleted'); END;

-- The promise to carry holds (or another purpose's one transaction): the projection of settlement_events.
CREATE TABLE settlements (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    purpose TEXT NOT NULL CHECK (purpose IN ('capture', 'approve', 'create_recipient', 'probe')),
    session BLOB REFERENCES sessions (id),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'in_flight', 'landed', 'settled', 'released')),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    signature BLOB CHECK (length(signature) = 64),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT all_but_probes_serve_a_session CHECK (purpose = 'probe' OR session IS NOT NULL),
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
        event IN ('reserved', 'signed', 'landed', 'finalised', 'taken_back', 'refused', 'absent', 'abandoned')
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

-- One signed transaction each. `live` is 1 from its signing until proof that it has no effect: an attempt that landed
-- stays live for ever, because it is the one that carried the settlement.
CREATE TABLE attempts (
    signature BLOB NOT NULL PRIMARY KEY CHECK (length(signature) = 64),
    settlement BLOB NOT NULL REFERENCES settlements (id),
    number INTEGER NOT NULL CHECK (number >= 1),
    wire BLOB NOT NULL CHECK (length(wire) BETWEEN 1 AND 1232),
    last_valid_block_height INTEGER NOT NULL CHECK (last_valid_block_height >= 0),
    signed_at_slot INTEGER NOT NULL CHECK (signed_at_slot >= 0),
    fee INTEGER NOT NULL CHECK (fee >= 0),
    rent INTEGER NOT NULL CHECK (rent >= 0),
    lamports_granted INTEGER NOT NULL CHECK (lamports_granted >= 0),
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    at INTEGER NOT NULL CHECK (at >= 0),
    UNIQUE (settlement, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX attempts_one_live ON attempts (settlement) WHERE live = 1;

CREATE TRIGGER attempts_keep_their_bytes
BEFORE UPDATE OF signature, settlement, number, wire, last_valid_block_height, signed_at_slot, fee, rent, lamports_granted, at
ON attempts
BEGIN SELECT RAISE(ABORT, 'a signed attempt never changes'); END;

CREATE TRIGGER attempts_die_once
BEFORE UPDATE OF live ON attempts WHEN OLD.live = 0 AND NEW.live = 1
BEGIN SELECT RAISE(ABORT, 'a dead attempt never lives again'); END;

CREATE TRIGGER attempts_stay
BEFORE DELETE ON attempts BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;

-- Accepted payments.
CREATE TABLE holds (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    session BLOB NOT NULL REFERENCES sessions (id),
    nonce TEXT,
    content BLOB NOT NULL CHECK (length(content) = 32),
    amount INTEGER NOT NULL CHECK (amount > 0),
    spent_after INTEGER NOT NULL CHECK (spent_after >= amount),
    remaining_after INTEGER NOT NULL CHECK (remaining_after >= 0),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'planned', 'captured', 'released')),
    settlement BLOB REFERENCES settlements (id),
    -- Why it was released, and the transaction that landed with an error, if one did.
    reason TEXT,
    signature BLOB CHECK (length(signature) = 64),
    -- success:true was handed out.
    told INTEGER NOT NULL CHECK (told IN (0, 1)),
    -- The last answer was settlement_pending and nobody has taken the payment over since.
    pending_answered INTEGER NOT NULL CHECK (pending_answered IN (0, 1)),
    taken_over INTEGER NOT NULL CHECK (taken_over >= 0),
    accepted_at INTEGER NOT NULL CHECK (accepted_at >= 0),
    CONSTRAINT released_has_a_reason CHECK ((state = 'released') = (reason IS NOT NULL)),
    CONSTRAINT only_released_failed CHECK (state = 'released' OR signature IS NULL),
    CONSTRAINT waiting_is_uncovered CHECK (state <> 'waiting' OR settlement IS NULL),
    CONSTRAINT planned_is_covered CHECK (state NOT IN ('planned', 'captured') OR settlement IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX holds_nonce_once_per_session ON holds (session, nonce) WHERE nonce IS NOT NULL;
CREATE INDEX holds_waiting ON holds (session) WHERE state = 'waiting';
CREATE INDEX holds_of_settlement ON holds (settlement) WHERE settlement IS NOT NULL;
CREATE INDEX holds_to_take_over ON holds (session, content) WHERE pending_answered = 1;

CREATE TRIGGER holds_keep_their_terms
BEFORE UPDATE OF id, session, nonce, content, amount, spent_after, remaining_after, accepted_at ON holds
BEGIN SELECT RAISE(ABORT, 'the terms of a hold never change'); END;

CREATE TRIGGER holds_are_released_once
BEFORE UPDATE OF state, settlement, reason, signature ON holds WHEN OLD.state = 'released'
BEGIN SELECT RAISE(ABORT, 'a released hold never changes'); END;

CREATE TRIGGER holds_are_told_for_good
BEFORE UPDATE OF told ON holds WHEN OLD.told = 1 AND NEW.told = 0
BEGIN SELECT RAISE(ABORT, 'what was told stays told'); END;

CREATE TRIGGER holds_stay
BEFORE DELETE ON holds BEGIN SELECT RAISE(ABORT, 'holds are never deleted'); END;

-- Lamports of ours that a transaction spent, keyed by it so that landing twice (around a fork) is booked once.
CREATE TABLE sponsored_lamports (
    signature BLOB NOT NULL PRIMARY KEY REFERENCES attempts (signature),
    settlement BLOB NOT NULL REFERENCES settlements (id),
    session BLOB REFERENCES sessions (id),
    purpose TEXT NOT NULL,
    fee INTEGER NOT NULL CHECK (fee >= 0),
    rent INTEGER NOT NULL CHECK (rent >= 0),
    lamports_granted INTEGER NOT NULL CHECK (lamports_granted >= 0),
    at INTEGER NOT NULL CHECK (at >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX sponsored_lamports_of_session ON sponsored_lamports (session);
CREATE INDEX sponsored_lamports_by_time ON sponsored_lamports (at);

CREATE TRIGGER sponsored_lamports_stay
BEFORE DELETE ON sponsored_lamports BEGIN SELECT RAISE(ABORT, 'bookings are never deleted'); END;
