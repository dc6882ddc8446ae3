-- What may happen only so often: attempts of one settlement, accounts created for one recipient, sessions opened by one
-- approve.

-- Each attempt follows a proof that the one before it never landed; where so many vanish the proofs are to be doubted, and
-- the settlement waits for an operator.
CREATE TRIGGER attempts_are_few
BEFORE INSERT ON attempts WHEN NEW.number > 5
BEGIN SELECT RAISE(ABORT, 'a settlement has had its last attempt'); END;

-- The token accounts that were created at our cost, or are being created: the owner can close one and keep its rent.
CREATE TABLE created_recipients (
    recipient BLOB NOT NULL CHECK (length(recipient) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    settlement BLOB NOT NULL UNIQUE REFERENCES settlements (id),
    PRIMARY KEY (recipient, asset)
) STRICT, WITHOUT ROWID;

-- Of several creations before this table existed, the one that counts most.
INSERT INTO created_recipients (recipient, asset, settlement)
SELECT recipient, asset, id FROM (
    SELECT o.recipient, o.asset, s.id,
        row_number() OVER (PARTITION BY o.recipient, o.asset ORDER BY s.state = 'released', s.seq) AS place
    FROM settlements s JOIN sessions o ON o.id = s.session WHERE s.purpose = 'create_recipient'
) WHERE place = 1;

-- Only one that came to nothing may be followed by another.
CREATE TRIGGER created_recipients_once
BEFORE UPDATE ON created_recipients
WHEN NEW.recipient <> OLD.recipient OR NEW.asset <> OLD.asset
    OR (SELECT state FROM settlements WHERE id = OLD.settlement) <> 'released'
BEGIN SELECT RAISE(ABORT, 'an account is created for a recipient once'); END;

CREATE TRIGGER created_recipients_stay
BEFORE DELETE ON created_recipients BEGIN SELECT RAISE(ABORT, 'created_recipients is never deleted'); END;

-- Whoever plans a creation passes here.
CREATE TRIGGER created_recipients_are_planned
AFTER INSERT ON settlements WHEN NEW.purpose = 'create_recipient'
BEGIN
    INSERT INTO created_recipients (recipient, asset, settlement)
    SELECT recipient, asset, NEW.id FROM sessions WHERE id = NEW.session
    ON CONFLICT (recipient, asset) DO UPDATE SET settlement = excluded.settlement;
END;

-- The approves that have opened a session, by what each did on chain: the handle of the amount that it delegated from the
-- user's token account. A name that a caller gives to an approve is only their word.
CREATE TABLE used_approves (
    user BLOB NOT NULL CHECK (length(user) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    handle BLOB NOT NULL CHECK (length(handle) = 16),
    session BLOB NOT NULL REFERENCES sessions (id),
    PRIMARY KEY (user, asset, handle)
) STRICT, WITHOUT ROWID;

-- Of several sessions on one approve before this table existed, the first; not one that was never open.
INSERT INTO used_approves (user, asset, handle, session)
SELECT user, asset, handle, session FROM (
    SELECT s.user, s.asset, a.handle, a.session,
        row_number() OVER (PARTITION BY s.user, s.asset, a.handle ORDER BY s.seq) AS place
    FROM approvals a JOIN sessions s ON s.id = a.session
    WHERE s.state <> 'opening' AND (s.state <> 'rejected'
        OR EXISTS (SELECT 1 FROM session_events e WHERE e.session = s.id AND e.state = 'open'))
) WHERE place = 1;

CREATE TRIGGER used_approves_never_change
BEFORE UPDATE ON used_approves BEGIN SELECT RAISE(ABORT, 'an approve stays used'); END;

CREATE TRIGGER used_approves_stay
BEFORE DELETE ON used_approves BEGIN SELECT RAISE(ABORT, 'an approve stays used'); END;
