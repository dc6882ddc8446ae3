-- A schema may refuse a plan, never a fact (ADR 0064): what a settlement has moved is written however much it is, and what may be
-- planned is bounded instead. Caps on what is in flight count what may still be sent.

-- What has moved by a grant is a fact. SQLite cannot alter a CHECK, so the column is made anew.
DROP TRIGGER channel_settlements_lower_their_grant;
ALTER TABLE delegation_grants RENAME COLUMN moved TO moved_before;
ALTER TABLE delegation_grants ADD COLUMN moved INTEGER NOT NULL DEFAULT 0 CHECK (moved >= 0);
UPDATE delegation_grants SET moved = moved_before;
ALTER TABLE delegation_grants DROP COLUMN moved_before;

-- What is left of a grant on chain is its limit less what landed by it.
CREATE TRIGGER channel_settlements_lower_their_grant
AFTER UPDATE OF state ON settlements
WHEN NEW.purpose = 'mpp_close' AND (NEW.state IN ('landed', 'settled')) <> (OLD.state IN ('landed', 'settled'))
BEGIN
    UPDATE delegation_grants SET moved = moved + iif(NEW.state IN ('landed', 'settled'), NEW.amount, -NEW.amount)
    WHERE (delegation, generation) = (
        SELECT c.delegation, p.generation FROM channel_settlements p JOIN channels c ON c.seq = p.channel
        WHERE p.settlement = NEW.id
    );
END;

-- Whatever its account would allow, no more moves by a grant than was granted to us: what landed, what is on its way, and this.
CREATE TRIGGER channel_settlements_stay_within_their_grant
BEFORE INSERT ON channel_settlements WHEN NEW.amount > (
    SELECT g.spend_limit - g.moved - coalesce((
        SELECT sum(p.amount) FROM live_channels l
        JOIN channel_settlements p ON p.channel = l.channel AND p.live = 1 AND p.generation = NEW.generation
        JOIN settlements s ON s.id = p.settlement
        WHERE l.delegation = c.delegation AND s.state IN ('reserved', 'in_flight')
    ), 0)
    FROM channels c JOIN delegation_grants g ON g.delegation = c.delegation AND g.generation = NEW.generation
    WHERE c.seq = NEW.channel
)
BEGIN SELECT RAISE(ABORT, 'a settlement moves no more than was granted'); END;

-- While a message that replaces or ends a grant is on its way, nobody knows which grant stands: nothing new stands on either.
DROP TRIGGER channels_open_after_leaves;

CREATE TRIGGER channels_open_under_a_grant_that_stays
BEFORE INSERT ON channels WHEN EXISTS (
    SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement
    WHERE m.delegation = NEW.delegation AND m.kind <> 'create_swig' AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a message that changes the grant of this wallet is on its way'); END;

CREATE TRIGGER channel_settlements_use_a_grant_that_stays
BEFORE INSERT ON channel_settlements WHEN EXISTS (
    SELECT 1 FROM channels c JOIN issued_messages m ON m.delegation = c.delegation
    JOIN settlements s ON s.id = m.settlement
    WHERE c.seq = NEW.channel AND m.kind <> 'create_swig' AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a message that changes the grant of this wallet is on its way'); END;

-- A renewal that we pay for never takes away what channels count on, nor what tells whether a settlement landed, whichever message
-- makes it. A Swig's old role is gone between two rounds.
DROP TRIGGER issued_grants_cover_what_is_reserved;

CREATE TRIGGER issued_grants_cover_what_is_reserved
BEFORE UPDATE OF settlement ON issued_messages
WHEN NEW.kind IN ('grant_role', 'create_session_account') AND EXISTS (
    SELECT 1 FROM delegation_use u JOIN delegations d ON d.seq = u.delegation
    JOIN delegation_grants g ON g.delegation = d.seq AND g.generation = NEW.generation
    WHERE d.seq = NEW.delegation
        AND (u.in_flight > 0 OR u.reserved > g.spend_limit OR (d.backend = 'swig' AND u.live > 0))
)
BEGIN SELECT RAISE(ABORT, 'a renewal must leave what channels count on'); END;

-- For what is held nothing is sent, so it takes no place of what may be in flight: it is not open until its next event.
DROP TRIGGER mpp_transactions_are_in_flight;

CREATE TRIGGER mpp_transactions_are_in_flight
AFTER UPDATE OF state, sequence ON settlements
WHEN substr(NEW.purpose, 1, 4) = 'mpp_' AND (NEW.state <> OLD.state OR NEW.sequence <> OLD.sequence)
BEGIN
    UPDATE mpp_transactions SET open = NEW.state IN ('reserved', 'in_flight')
    WHERE settlement = NEW.id AND open <> (NEW.state IN ('reserved', 'in_flight'));
END;

CREATE TRIGGER mpp_transactions_that_are_held_are_not
AFTER INSERT ON held_settlements
WHEN EXISTS (SELECT 1 FROM settlements WHERE id = NEW.settlement AND sequence = NEW.sequence)
BEGIN
    UPDATE mpp_transactions SET open = 0 WHERE settlement = NEW.settlement AND open = 1;
END;

UPDATE mpp_transactions SET open = 0 WHERE open = 1 AND settlement IN (
    SELECT s.id FROM settlements s JOIN held_settlements h ON h.settlement = s.id AND h.sequence = s.sequence
);
