-- The payments of sessions that ended long ago move to a second file (ADR 0038). Their terms, their sums, their settlements
-- and what those cost stay here.

-- 0: its payments are here; 1: they are being moved; 2: they are in the archive.
ALTER TABLE sessions ADD COLUMN archived INTEGER NOT NULL DEFAULT 0 CHECK (archived IN (0, 1, 2));

CREATE INDEX sessions_to_archive ON sessions (created_at)
    WHERE archived = 0 AND state NOT IN ('opening', 'open', 'closing');
CREATE INDEX sessions_archived ON sessions (archived) WHERE archived > 0;

CREATE TRIGGER sessions_are_archived_once
BEFORE UPDATE OF archived ON sessions
WHEN NEW.archived <> OLD.archived AND (
    NEW.archived <> OLD.archived + 1 OR NEW.state IN ('opening', 'open', 'closing')
    OR (SELECT held FROM session_sums WHERE session = NEW.seq) <> 0
    OR EXISTS (SELECT 1 FROM settlements WHERE session = NEW.id AND state NOT IN ('settled', 'released'))
)
BEGIN SELECT RAISE(ABORT, 'only what has ended and holds nothing is archived, and once'); END;

-- Which file belongs to this ledger: the archive has the same id.
CREATE TABLE archive (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id BLOB NOT NULL CHECK (length(id) = 16)
) STRICT;

INSERT INTO archive (one, id) VALUES (1, randomblob(16));

CREATE TRIGGER archive_is_one_file
BEFORE UPDATE ON archive BEGIN SELECT RAISE(ABORT, 'a ledger has one archive'); END;

CREATE TRIGGER archive_stays
BEFORE DELETE ON archive BEGIN SELECT RAISE(ABORT, 'a ledger has one archive'); END;

-- What refers to a payment is found when the payment is moved.
CREATE INDEX session_events_of_hold ON session_events (hold) WHERE hold IS NOT NULL;

-- The newest row of each table stays, because the number of the next row follows it.
DROP TRIGGER holds_stay;
CREATE TRIGGER holds_stay
BEFORE DELETE ON holds
WHEN OLD.state NOT IN ('captured', 'released') OR OLD.seq = (SELECT max(seq) FROM holds)
    OR (SELECT archived FROM sessions WHERE id = OLD.session) <> 1
BEGIN SELECT RAISE(ABORT, 'holds are never deleted, only moved to the archive'); END;

DROP TRIGGER hold_returns_stay;
CREATE TRIGGER hold_returns_stay
BEFORE DELETE ON hold_returns
WHEN (SELECT s.archived FROM holds h JOIN sessions s ON s.id = h.session WHERE h.id = OLD.hold) <> 1
BEGIN SELECT RAISE(ABORT, 'hold_returns is append-only, but for what moves to the archive'); END;

DROP TRIGGER session_events_stay;
CREATE TRIGGER session_events_stay
BEFORE DELETE ON session_events
WHEN OLD.seq = (SELECT max(seq) FROM session_events) OR (SELECT archived FROM sessions WHERE id = OLD.session) <> 1
BEGIN SELECT RAISE(ABORT, 'session_events is append-only, but for what moves to the archive'); END;
