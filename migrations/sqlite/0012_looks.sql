-- What the last look at a payer's account told (ADR 0035), in the row of the account, so that every process on this ledger
-- shares it: how far its history is known to take nothing away, and how much was signed as proven, in all and when that
-- look began.

-- The balance's handle at the last look that read it: while the account has it, nothing has changed since. None
-- for a proof from before this was kept.
ALTER TABLE sources ADD COLUMN seen_handle BLOB CHECK (length(seen_handle) = 16);
-- Nothing that landed up to this slot took anything away. None: the proof's.
ALTER TABLE sources ADD COLUMN seen_slot INTEGER CHECK (seen_slot >= 0);
-- The sum of what was ever signed as proven, in base units, and what it was when the last look began.
ALTER TABLE sources ADD COLUMN ridden INTEGER NOT NULL DEFAULT 0 CHECK (ridden >= 0);
ALTER TABLE sources ADD COLUMN seen_ridden INTEGER NOT NULL DEFAULT 0 CHECK (seen_ridden BETWEEN 0 AND ridden);
