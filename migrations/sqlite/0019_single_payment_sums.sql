-- Single payments, once more (ADR 0050): whom the one success of each is kept for.

-- Until when its success is kept for the request that recorded it. From then on it is told to a request that proves more than
-- what the chain shows everybody.
ALTER TABLE single_payments ADD COLUMN kept_until INTEGER NOT NULL DEFAULT 0 CHECK (kept_until >= 0);

CREATE TRIGGER single_payments_are_kept_as_long_as_was_said
BEFORE UPDATE OF kept_until ON single_payments
BEGIN SELECT RAISE(ABORT, 'how long a success is kept never changes'); END;
