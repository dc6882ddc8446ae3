-- While something that a wallet signed is on its way nobody knows what its grant will be: by the renewal's limit a channel may be
-- more than there is, and by Swig the role that it would stand on may be gone. A renewal is recorded only where it covers what is
-- reserved; so that it stays so, nothing opens until it has landed or is over. Of leaves this was so before.
DROP TRIGGER channels_open_after_leaves;

CREATE TRIGGER channels_open_after_what_is_on_its_way
BEFORE INSERT ON channels WHEN EXISTS (
    SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement
    WHERE m.delegation = NEW.delegation AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a message of this wallet is on its way'); END;
