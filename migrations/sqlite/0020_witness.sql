-- What was seen of an account before a transfer from it was encrypted, settlements that are held until an operator knows more,
-- what operators have said, and which providers told of a landing (ADR 0057).

-- Whether it moves a balance, and of which account. The handle is the newest of that balance that was seen before the
-- transfer's ciphertext existed, with the slot of the state that showed it; none where none was known.
ALTER TABLE attempts ADD COLUMN moves_balance INTEGER NOT NULL DEFAULT 0 CHECK (moves_balance IN (0, 1));
ALTER TABLE attempts ADD COLUMN source BLOB CHECK (length(source) = 32);
ALTER TABLE attempts ADD COLUMN handle_before BLOB CHECK (length(handle_before) = 16);
ALTER TABLE attempts ADD COLUMN handle_slot INTEGER CHECK (
    (source IS NULL) = (handle_before IS NULL) AND (source IS NULL) = (handle_slot IS NULL) AND (source IS NULL OR moves_balance = 1)
    AND (handle_slot IS NULL OR handle_slot >= 0)
);

-- Of what was signed before this column nothing was seen.
UPDATE attempts SET moves_balance = 1 WHERE settlement IN (SELECT id FROM settlements WHERE moves_money = 1);

CREATE TRIGGER attempts_keep_their_witness
BEFORE UPDATE OF moves_balance, source, handle_before, handle_slot ON attempts
BEGIN SELECT RAISE(ABORT, 'what was seen before an attempt was signed never changes'); END;

-- Settlements of which nothing is signed and nothing given back until more is known: each from the event of this number on
-- until its next one.
CREATE TABLE held_settlements (
    settlement BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    why TEXT NOT NULL CHECK (why IN ('attempts', 'moved', 'silence', 'contradiction', 'seen')),
    since INTEGER NOT NULL CHECK (since >= 0),
    PRIMARY KEY (settlement, sequence),
    FOREIGN KEY (settlement, sequence) REFERENCES settlement_events (settlement, sequence)
) STRICT, WITHOUT ROWID;

-- Of those that were held before this table existed.
INSERT INTO held_settlements (settlement, sequence, why, since)
SELECT s.id, s.sequence, 'attempts', e.at FROM settlements s
JOIN settlement_events e ON e.settlement = s.id AND e.sequence = s.sequence
WHERE s.state = 'reserved' AND s.attempts >= 5;

CREATE TRIGGER held_settlements_never_change
BEFORE UPDATE ON held_settlements BEGIN SELECT RAISE(ABORT, 'held_settlements is append-only'); END;

CREATE TRIGGER held_settlements_stay
BEFORE DELETE ON held_settlements BEGIN SELECT RAISE(ABORT, 'held_settlements is append-only'); END;

-- What an operator said of a settlement, in their words, with the first event that was written for it. The transaction is
-- the one that they found on the chain; none where they found none.
CREATE TABLE resolutions (
    settlement BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    transaction_found BLOB REFERENCES attempts (signature),
    words TEXT NOT NULL CHECK (length(words) <= 1000),
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (settlement, sequence),
    FOREIGN KEY (settlement, sequence) REFERENCES settlement_events (settlement, sequence) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT absence_is_said_in_words CHECK (transaction_found IS NOT NULL OR trim(words) <> '')
) STRICT, WITHOUT ROWID;

CREATE TRIGGER resolutions_never_change
BEFORE UPDATE ON resolutions BEGIN SELECT RAISE(ABORT, 'resolutions is append-only'); END;

CREATE TRIGGER resolutions_stay
BEFORE DELETE ON resolutions BEGIN SELECT RAISE(ABORT, 'resolutions is append-only'); END;

-- What was proved absent lives again by an operator's word alone.
DROP TRIGGER attempts_die_once;
CREATE TRIGGER attempts_die_once
BEFORE UPDATE OF live ON attempts WHEN OLD.live = 0 AND NEW.live = 1 AND NOT EXISTS (
    SELECT 1 FROM resolutions WHERE settlement = OLD.settlement AND transaction_found = OLD.signature
)
BEGIN SELECT RAISE(ABORT, 'a dead attempt never lives again'); END;

DROP TRIGGER sponsored_lamports_void_for_good;
CREATE TRIGGER sponsored_lamports_void_for_good
BEFORE UPDATE OF state ON sponsored_lamports WHEN OLD.state = 'void' AND NEW.state <> 'void' AND NOT EXISTS (
    SELECT 1 FROM resolutions WHERE settlement = OLD.settlement AND transaction_found = OLD.signature
)
BEGIN SELECT RAISE(ABORT, 'a void booking stays void'); END;

-- A landing that names its transaction is one that an operator found.
CREATE TRIGGER landings_are_found_by_operators
BEFORE INSERT ON settlement_events WHEN NEW.event = 'landed' AND NEW.signature IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM resolutions
    WHERE settlement = NEW.settlement AND sequence = NEW.sequence AND transaction_found = NEW.signature
)
BEGIN SELECT RAISE(ABORT, 'nobody has found this transaction'); END;

-- Which providers told that a transaction had landed: until each of them says that it has no effect nothing is signed anew
-- (a provider that is configured no more says nothing). A provider is the host of its endpoint.
CREATE TABLE attempt_seen (
    signature BLOB NOT NULL REFERENCES attempts (signature),
    voice TEXT NOT NULL CHECK (voice <> ''),
    slot INTEGER NOT NULL CHECK (slot >= 0),
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (signature, voice)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER attempt_seen_never_changes
BEFORE UPDATE ON attempt_seen BEGIN SELECT RAISE(ABORT, 'attempt_seen is append-only'); END;

CREATE TRIGGER attempt_seen_stays
BEFORE DELETE ON attempt_seen BEGIN SELECT RAISE(ABORT, 'attempt_seen is append-only'); END;
