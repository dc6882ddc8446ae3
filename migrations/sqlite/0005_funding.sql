-- What is known of a payer's token account: whether it is frozen, and how much its owner has proved to hold.
-- A row is per user and asset, shared by all sessions of it.

CREATE TABLE sources (
    user BLOB NOT NULL CHECK (length(user) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    frozen INTEGER NOT NULL CHECK (frozen IN (0, 1)),
    -- The attested balance, the handle that stands for it, and the slot after which the account was seen to hold that
    -- handle. The anchor is the newest signature in the account's history at that slot; none when there is no history.
    bound INTEGER CHECK (bound >= 0),
    handle BLOB CHECK (length(handle) = 16),
    slot INTEGER CHECK (slot >= 0),
    anchor BLOB CHECK (length(anchor) = 64),
    proved_at INTEGER CHECK (proved_at >= 0),
    -- What all sessions of this user and asset hold, and what they captured in slots after `slot`.
    claimed INTEGER NOT NULL CHECK (claimed >= 0),
    -- The history is examined up to and including this slot; whether the anchor can no longer be taken back; when the
    -- account was last looked at, in seconds and by slot.
    examined INTEGER CHECK (examined >= slot),
    final INTEGER NOT NULL CHECK (final IN (0, 1)),
    looked_at INTEGER CHECK (looked_at >= 0),
    -- Why the proof no longer counts, and the slot that shows it.
    lost TEXT,
    lost_slot INTEGER CHECK (lost_slot >= 0),
    PRIMARY KEY (user, asset),
    CONSTRAINT a_proof_is_whole CHECK (
        (bound IS NULL) = (handle IS NULL) AND (bound IS NULL) = (slot IS NULL) AND (bound IS NULL) = (proved_at IS NULL)
        AND (bound IS NULL) = (examined IS NULL) AND (bound IS NULL) = (looked_at IS NULL)
    ),
    CONSTRAINT without_a_proof_nothing_is_claimed CHECK (bound IS NOT NULL OR (claimed = 0 AND anchor IS NULL AND final = 0)),
    CONSTRAINT only_a_proof_is_lost CHECK ((lost IS NULL) = (lost_slot IS NULL) AND (bound IS NOT NULL OR lost IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER sources_are_whose_they_are
BEFORE UPDATE OF user, asset ON sources
BEGIN SELECT RAISE(ABORT, 'a source never changes hands'); END;

CREATE TRIGGER sources_stay
BEFORE DELETE ON sources BEGIN SELECT RAISE(ABORT, 'sources are never deleted'); END;

-- A lost proof stays lost: only a newer one counts again.
CREATE TRIGGER sources_lose_for_good
BEFORE UPDATE OF lost ON sources WHEN OLD.lost IS NOT NULL AND NEW.lost IS NOT OLD.lost AND NEW.slot <= OLD.slot
BEGIN SELECT RAISE(ABORT, 'a lost proof counts no more'); END;

-- Whatever changes what a session holds or has captured changes what its user's balance is claimed for; a capture moves
-- the same amount from one to the other and changes nothing.
CREATE TRIGGER sources_are_claimed
AFTER UPDATE OF captured, held ON sessions
WHEN NEW.captured + NEW.held <> OLD.captured + OLD.held
BEGIN
    UPDATE sources SET claimed = claimed + (NEW.captured + NEW.held) - (OLD.captured + OLD.held)
    WHERE user = NEW.user AND asset = NEW.asset AND bound IS NOT NULL;
END;

-- What was known of the payer's balance when the payment was accepted.
ALTER TABLE holds ADD COLUMN funding TEXT NOT NULL DEFAULT 'unproven' CHECK (funding IN ('proven', 'unproven', 'short'));

-- Landings by slot: which of them a proof has seen.
CREATE INDEX settlement_events_landed ON settlement_events (slot) WHERE event = 'landed';

-- The handle of the amount that a session's approve delegated, as it stood when it was proved. Under documented
-- delegation each transfer replaces it, and only this one can be decrypted.
CREATE TABLE approvals (
    session BLOB NOT NULL PRIMARY KEY REFERENCES sessions (id),
    handle BLOB NOT NULL CHECK (length(handle) = 16)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER approvals_never_change
BEFORE UPDATE ON approvals BEGIN SELECT RAISE(ABORT, 'an approval never changes'); END;

CREATE TRIGGER approvals_stay
BEFORE DELETE ON approvals BEGIN SELECT RAISE(ABORT, 'approvals are never deleted'); END;
