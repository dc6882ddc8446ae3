-- What payers approved on chain, and which sessions take from which approve (ADR 0048).

-- The handle of what a session's approve delegated, under a name that leaves the other one free.
DROP TRIGGER approvals_never_change;
DROP TRIGGER approvals_stay;
ALTER TABLE approvals RENAME TO approve_handles;

CREATE TRIGGER approve_handles_never_change
BEFORE UPDATE ON approve_handles BEGIN SELECT RAISE(ABORT, 'what an approve delegated never changes'); END;

CREATE TRIGGER approve_handles_stay
BEFORE DELETE ON approve_handles BEGIN SELECT RAISE(ABORT, 'what an approve delegated is never deleted'); END;

-- `used_approves` is what it was when this was written, and stays so: approves that opened sessions before approvals were kept.

-- An approve that has landed, by the signature of its transaction.
CREATE TABLE approvals (
    seq INTEGER PRIMARY KEY,
    user BLOB NOT NULL CHECK (length(user) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    -- What it delegated, in base units; none while nobody knows, and then what the first session on it says counts.
    amount INTEGER CHECK (amount >= 0),
    claimed INTEGER CHECK (claimed > 0),
    -- The handle of what it delegated, and the one that the account had when it was last known to stand.
    handle BLOB CHECK (length(handle) = 16),
    seen_handle BLOB CHECK (length(seen_handle) = 16),
    -- It landed in this slot or before.
    landed_slot INTEGER CHECK (landed_slot >= 0),
    state TEXT NOT NULL CHECK (state IN ('current', 'replaced', 'revoked')),
    -- 0: from before approvals were kept. What was taken from it earlier is not counted, so nothing more opens on it.
    complete INTEGER NOT NULL CHECK (complete IN (0, 1)),
    UNIQUE (user, asset, signature)
) STRICT;

-- A token account has one delegate slot.
CREATE UNIQUE INDEX approvals_current ON approvals (user, asset) WHERE state = 'current';

CREATE TRIGGER approvals_keep_their_terms
BEFORE UPDATE OF user, asset, signature, claimed, handle, landed_slot, complete ON approvals
WHEN NEW.user <> OLD.user OR NEW.asset <> OLD.asset OR NEW.signature <> OLD.signature OR NEW.handle IS NOT OLD.handle
    OR NEW.landed_slot IS NOT OLD.landed_slot OR NEW.complete <> OLD.complete
    OR (OLD.claimed IS NOT NULL AND NEW.claimed IS NOT OLD.claimed)
BEGIN SELECT RAISE(ABORT, 'what an approve is never changes'); END;

CREATE TRIGGER approvals_are_told_once
BEFORE UPDATE OF amount ON approvals WHEN OLD.amount IS NOT NULL AND NEW.amount IS NOT OLD.amount
BEGIN SELECT RAISE(ABORT, 'what was approved never changes'); END;

CREATE TRIGGER approvals_end_once
BEFORE UPDATE OF state ON approvals WHEN OLD.state <> 'current' AND NEW.state <> OLD.state
BEGIN SELECT RAISE(ABORT, 'an approve that was replaced never stands again'); END;

CREATE TRIGGER approvals_stay
BEFORE DELETE ON approvals BEGIN SELECT RAISE(ABORT, 'approvals are never deleted'); END;

-- What the payer says in the intent that they approved in all.
ALTER TABLE sessions ADD COLUMN approved INTEGER CHECK (approved IS NULL OR approved >= cap);
-- The approve that the session takes from, and what it had captured when it began to.
ALTER TABLE sessions ADD COLUMN approval INTEGER REFERENCES approvals (seq);
ALTER TABLE sessions ADD COLUMN bound_from INTEGER CHECK ((bound_from IS NULL) = (approval IS NULL) AND coalesce(bound_from, 0) >= 0);

CREATE INDEX sessions_bound ON sessions (approval) WHERE approval IS NOT NULL;

DROP TRIGGER sessions_keep_their_terms;
CREATE TRIGGER sessions_keep_their_terms
BEFORE UPDATE OF id, user, asset, recipient, spender, session_key, nonce, cap, expires_at, network, intent, intent_signature,
    settle_signature, created_at, approved ON sessions
BEGIN SELECT RAISE(ABORT, 'the terms of a session never change'); END;

-- What each session takes from its approve: all of its cap while it can, then what it has captured or holds.
CREATE VIEW approval_use AS
SELECT s.approval AS approval, s.state IN ('opening', 'open', 'closing') AS live,
    max(0, CASE WHEN s.state IN ('opening', 'open', 'closing') THEN s.cap ELSE t.captured + t.held END - s.bound_from) AS taken
FROM sessions s JOIN session_sums t ON t.session = s.seq
WHERE s.approval IS NOT NULL;

-- No approve backs more than it delegated, whoever binds a session to it and however many at once. Nothing else makes a sum
-- larger: a payment turns one part of it into another, and an end gives back.
CREATE TRIGGER sessions_take_no_more_than_was_approved
AFTER UPDATE OF approval, bound_from ON sessions WHEN NEW.approval IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an approve backs no more than it delegated')
    FROM approvals a WHERE a.seq = NEW.approval AND a.complete = 1 AND (
        a.user <> NEW.user OR a.asset <> NEW.asset OR a.state <> 'current' OR coalesce(a.amount, a.claimed) IS NULL
        OR (SELECT sum(u.taken) FROM approval_use u WHERE u.approval = a.seq) > coalesce(a.amount, a.claimed)
    );
END;

CREATE TRIGGER sessions_are_bound_for_good
BEFORE UPDATE OF approval ON sessions WHEN OLD.approval IS NOT NULL AND NEW.approval IS NULL
BEGIN SELECT RAISE(ABORT, 'a session takes from another approve or from the same, never from none'); END;

-- The newest approve behind the open sessions of each account, where somebody has looked at what it did.
INSERT INTO approvals (user, asset, signature, amount, claimed, handle, seen_handle, landed_slot, state, complete)
SELECT user, asset, approve, NULL, NULL, handle, NULL, NULL, 'current', 0 FROM (
    SELECT s.user, s.asset, s.approve, h.handle,
        row_number() OVER (PARTITION BY s.user, s.asset ORDER BY s.seq DESC) AS place
    FROM sessions s JOIN approve_handles h ON h.session = s.id
    WHERE s.state IN ('open', 'closing') AND s.approve IS NOT NULL
) WHERE place = 1;

UPDATE sessions SET
    bound_from = (SELECT captured FROM session_sums WHERE session = sessions.seq),
    approval = (SELECT a.seq FROM approvals a WHERE a.user = sessions.user AND a.asset = sessions.asset)
WHERE state IN ('open', 'closing')
    AND EXISTS (SELECT 1 FROM approvals a WHERE a.user = sessions.user AND a.asset = sessions.asset)
    AND EXISTS (SELECT 1 FROM approve_handles h WHERE h.session = sessions.id);
