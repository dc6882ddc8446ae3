-- Single payments, once more (ADR 0050): whom the one success of each is kept for.

-- Until when its success is kept for the request that recorded it. From then on it is told to a request that proves more than
-- what the chain shows everybody.
ALTER TABLE single_payments ADD COLUMN kept_until INTEGER NOT NULL DEFAULT 0 CHECK (kept_until >= 0);

CREATE TRIGGER single_payments_are_kept_as_long_as_was_said
BEFORE UPDATE OF kept_until ON single_payments
BEGIN SELECT RAISE(ABORT, 'how long a success is kept never changes'); END;

-- From which address an unsigned transaction was asked for, by a keyed hash: whoever fills the places of newcomers gives up
-- their own. One message has one offer, the newest. Those from before end within two minutes, and their payers begin again.
DELETE FROM pay_offers;
DROP INDEX pay_offers_of_payer;
ALTER TABLE pay_offers ADD COLUMN caller BLOB NOT NULL DEFAULT x'00000000000000000000000000000000' CHECK (length(caller) = 16);
CREATE UNIQUE INDEX pay_offers_of_message ON pay_offers (payer, nonce);
CREATE INDEX pay_offers_by_caller ON pay_offers (newcomer, caller, payer, issued_at);
