-- A reading of an account that is older than what landed there last is no judge of what stands on it, and a grant that names a seller
-- opens channels to nobody else (ADR 0064).

-- The slot of the newest landing of a settlement or of an issued message; zero before the first.
ALTER TABLE delegation_use ADD COLUMN landed_slot INTEGER NOT NULL DEFAULT 0 CHECK (landed_slot >= 0);

UPDATE delegation_use SET landed_slot = max(
    coalesce((
        SELECT max(e.slot) FROM channels c JOIN channel_settlements p ON p.channel = c.seq
        JOIN settlement_events e ON e.settlement = p.settlement
        WHERE c.delegation = delegation_use.delegation AND e.event = 'landed'
    ), 0),
    coalesce((
        SELECT max(e.slot) FROM issued_messages m JOIN settlement_events e ON e.settlement = m.settlement
        WHERE m.delegation = delegation_use.delegation AND e.event = 'landed'
    ), 0)
);

CREATE TRIGGER channel_settlements_land_at_a_slot
AFTER INSERT ON settlement_events WHEN NEW.event = 'landed' AND NEW.slot IS NOT NULL
    AND EXISTS (SELECT 1 FROM channel_settlements WHERE settlement = NEW.settlement)
BEGIN
    UPDATE delegation_use SET landed_slot = max(landed_slot, NEW.slot) WHERE delegation = (
        SELECT c.delegation FROM channel_settlements p JOIN channels c ON c.seq = p.channel
        WHERE p.settlement = NEW.settlement
    );
END;

CREATE TRIGGER issued_messages_land_at_a_slot
AFTER INSERT ON settlement_events WHEN NEW.event = 'landed' AND NEW.slot IS NOT NULL
    AND EXISTS (SELECT 1 FROM issued_messages WHERE settlement = NEW.settlement)
BEGIN
    UPDATE delegation_use SET landed_slot = max(landed_slot, NEW.slot) WHERE delegation = (
        SELECT delegation FROM issued_messages WHERE settlement = NEW.settlement
    );
END;

-- A transfer to another wallet than the one that a grant names can never land, so that what such a channel draws is lost to its
-- seller.
CREATE TRIGGER channels_pay_whom_their_grant_names
BEFORE INSERT ON channels WHEN EXISTS (
    SELECT 1 FROM delegation_grants
    WHERE delegation = NEW.delegation AND generation = NEW.generation AND seller IS NOT NULL AND seller <> NEW.seller
)
BEGIN SELECT RAISE(ABORT, 'the grant of this wallet names another seller'); END;
