-- What a session takes from an approve: bound after it is written, from what it had captured then, and what a fork takes back of
-- that. And how far what happened to accounts since their approves was examined (ADR 0048).

-- A row that came bound would take from an approve before anything is counted.
CREATE TRIGGER sessions_are_bound_once_they_are_written
BEFORE INSERT ON sessions WHEN NEW.approval IS NOT NULL OR NEW.bound_from IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a session is bound to an approve once it is written'); END;

-- What it has captured before is the former approve's, and nothing that it captures later is.
CREATE TRIGGER sessions_count_from_what_they_had_captured
BEFORE UPDATE OF approval, bound_from ON sessions
WHEN CASE WHEN NEW.approval IS OLD.approval THEN NEW.bound_from IS NOT OLD.bound_from
    ELSE NEW.bound_from IS NOT (SELECT captured FROM session_sums WHERE session = NEW.seq) END
BEGIN SELECT RAISE(ABORT, 'a session takes from an approve what it captures once it is bound'); END;

-- Transfers of a session that had landed and were not final when it was bound to an approve. They were drawn from the one before;
-- where a fork takes one back, what it moved is drawn from this one.
CREATE TABLE bound_captures (
    approval INTEGER NOT NULL REFERENCES approvals (seq),
    settlement BLOB NOT NULL REFERENCES settlements (id),
    session INTEGER NOT NULL REFERENCES sessions (seq),
    amount INTEGER NOT NULL CHECK (amount > 0),
    taken_back INTEGER NOT NULL DEFAULT 0 CHECK (taken_back IN (0, 1)),
    PRIMARY KEY (approval, settlement)
) STRICT, WITHOUT ROWID;

CREATE INDEX bound_captures_of_session ON bound_captures (session);
CREATE INDEX bound_captures_of_settlement ON bound_captures (settlement);

CREATE TRIGGER bound_captures_are_taken_back_once
BEFORE UPDATE ON bound_captures
WHEN NEW.approval <> OLD.approval OR NEW.settlement <> OLD.settlement OR NEW.session <> OLD.session OR NEW.amount <> OLD.amount
    OR NEW.taken_back < OLD.taken_back
BEGIN SELECT RAISE(ABORT, 'what was captured before a session was bound never changes'); END;

CREATE TRIGGER bound_captures_stay
BEFORE DELETE ON bound_captures BEGIN SELECT RAISE(ABORT, 'what was captured before a session was bound is never deleted'); END;

DROP VIEW approval_use;
CREATE VIEW approval_use AS
SELECT s.approval AS approval, s.state IN ('opening', 'open', 'closing') AS live,
    max(0, CASE WHEN s.state IN ('opening', 'open', 'closing') THEN s.cap ELSE t.captured + t.held END - s.bound_from
        + coalesce((SELECT sum(b.amount) FROM bound_captures b
            WHERE b.session = s.seq AND b.approval = s.approval AND b.taken_back = 1), 0)) AS taken
FROM sessions s JOIN session_sums t ON t.session = s.seq
WHERE s.approval IS NOT NULL;

-- The slot of the state in which the account showed `seen_handle`.
ALTER TABLE approvals ADD COLUMN seen_slot INTEGER CHECK (seen_slot >= 0);

-- What transfers of ours had drawn from it before it was on record, where they lower what is delegated: they are counted on the one
-- before.
ALTER TABLE approvals ADD COLUMN drawn INTEGER NOT NULL DEFAULT 0 CHECK (drawn >= 0);

CREATE TRIGGER approvals_keep_what_was_drawn
BEFORE UPDATE OF drawn ON approvals
BEGIN SELECT RAISE(ABORT, 'what was drawn from an approve before it was on record never changes'); END;

DROP TRIGGER sessions_take_no_more_than_was_approved;
CREATE TRIGGER sessions_take_no_more_than_was_approved
AFTER UPDATE OF approval, bound_from ON sessions WHEN NEW.approval IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'an approve backs no more than it delegated')
    FROM approvals a WHERE a.seq = NEW.approval AND a.complete = 1 AND (
        a.user <> NEW.user OR a.asset <> NEW.asset OR a.state <> 'current' OR coalesce(a.amount, a.claimed) IS NULL
        OR (SELECT sum(u.taken) FROM approval_use u WHERE u.approval = a.seq) > coalesce(a.amount, a.claimed) - a.drawn
    );
END;

-- Everything that an account's list shows between an approve and this entry is examined, and final.
CREATE TABLE approve_examinations (
    user BLOB NOT NULL CHECK (length(user) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    entry BLOB NOT NULL CHECK (length(entry) = 64),
    slot INTEGER NOT NULL CHECK (slot >= 0),
    -- The newest of it that may have touched the delegation, and the slot of the newest that we signed as the delegate.
    change BLOB CHECK (length(change) = 64),
    own_slot INTEGER CHECK (own_slot >= 0),
    -- The list was last read to its end from a node that knew this slot.
    read_at INTEGER CHECK (read_at >= 0),
    PRIMARY KEY (user, asset, signature)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER approve_examinations_go_on
BEFORE UPDATE ON approve_examinations
WHEN NEW.user <> OLD.user OR NEW.asset <> OLD.asset OR NEW.signature <> OLD.signature OR NEW.slot < OLD.slot
    OR (OLD.change IS NOT NULL AND NEW.change IS NULL)
BEGIN SELECT RAISE(ABORT, 'what was examined stays examined'); END;

CREATE TRIGGER approve_examinations_stay
BEFORE DELETE ON approve_examinations BEGIN SELECT RAISE(ABORT, 'what was examined stays examined'); END;
