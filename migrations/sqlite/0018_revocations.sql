-- Revokes of our delegation that wallets sign and we pay for (ADR 0054). Each stands alone: it is recorded with its settlement and
-- its signed transaction, and only while no session of the wallet and asset can need the delegation.

INSERT INTO settlement_subjects (kind) VALUES ('revocation');
INSERT INTO settlement_purposes (purpose, subject_kind, moves_money) VALUES ('revoke', 'revocation', 0);

CREATE TABLE revocations (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Written in the same transaction, after this row.
    settlement BLOB NOT NULL UNIQUE REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED,
    user BLOB NOT NULL CHECK (length(user) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    -- The hash of the transaction's message as it was signed.
    signed BLOB NOT NULL UNIQUE CHECK (length(signed) = 32),
    -- Whether the wallet had earned no credit: such ones share a part of all places.
    newcomer INTEGER NOT NULL CHECK (newcomer IN (0, 1)),
    created_at INTEGER NOT NULL CHECK (created_at >= 0)
) STRICT;

CREATE INDEX revocations_of_user ON revocations (user, created_at);
CREATE INDEX revocations_by_time ON revocations (created_at);

CREATE TRIGGER revocations_never_change
BEFORE UPDATE ON revocations BEGIN SELECT RAISE(ABORT, 'the terms of a revoke never change'); END;

CREATE TRIGGER revocations_stay
BEFORE DELETE ON revocations BEGIN SELECT RAISE(ABORT, 'revokes are never deleted'); END;

-- What was promised to merchants is not taken back at our cost.
CREATE TRIGGER revocations_end_what_nobody_uses
BEFORE INSERT ON revocations WHEN EXISTS (
    SELECT 1 FROM sessions s JOIN session_sums t ON t.session = s.seq
    WHERE s.user = NEW.user AND s.asset = NEW.asset AND (s.state IN ('opening', 'open', 'closing') OR t.held > 0)
)
BEGIN SELECT RAISE(ABORT, 'a session of this wallet and asset is live or holds something'); END;

-- A transfer that a fork takes back can land again only while the delegation stands.
CREATE TRIGGER revocations_wait_for_captures
BEFORE INSERT ON revocations WHEN EXISTS (
    SELECT 1 FROM settlements t JOIN sessions s ON s.id = t.session
    WHERE t.state NOT IN ('settled', 'released') AND t.purpose = 'capture'
      AND s.user = NEW.user AND s.asset = NEW.asset
)
BEGIN SELECT RAISE(ABORT, 'a transfer of this wallet and asset is not final'); END;

CREATE TRIGGER revocations_come_one_at_a_time
BEFORE INSERT ON revocations WHEN EXISTS (
    SELECT 1 FROM revocations r JOIN settlements s ON s.id = r.settlement
    WHERE r.user = NEW.user AND r.asset = NEW.asset AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a revoke of this wallet and asset is on its way'); END;

-- A session that opens now could lose its approve to what is on its way.
CREATE TRIGGER sessions_open_after_revocations
BEFORE INSERT ON sessions WHEN EXISTS (
    SELECT 1 FROM revocations r JOIN settlements s ON s.id = r.settlement
    WHERE r.user = NEW.user AND r.asset = NEW.asset AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a revoke of this wallet and asset is on its way'); END;

CREATE TRIGGER revocations_come_before_their_settlement
BEFORE INSERT ON settlements WHEN NEW.purpose = 'revoke' AND NOT EXISTS (
    SELECT 1 FROM revocations WHERE id = NEW.subject_id AND settlement = NEW.id
)
BEGIN SELECT RAISE(ABORT, 'a settlement carries no such revoke'); END;
