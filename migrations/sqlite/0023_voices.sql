-- What everybody who works on this ledger has to agree on, and the second witness of a transfer (ADR 0058).

-- The newest number of a fact counts. `absence_voices`: how many RPC providers have to say that a transaction has no effect. One
-- service that asks for fewer than the others would give back, or sign anew, what they still hold.
CREATE TABLE ledger_facts (
    fact TEXT NOT NULL CHECK (fact = 'absence_voices'),
    number INTEGER NOT NULL CHECK (number >= 1),
    value TEXT NOT NULL,
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (fact, number),
    CONSTRAINT one_voice_or_two CHECK (fact <> 'absence_voices' OR value IN ('1', '2'))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER ledger_facts_never_change
BEFORE UPDATE ON ledger_facts BEGIN SELECT RAISE(ABORT, 'ledger_facts is append-only'); END;

CREATE TRIGGER ledger_facts_stay
BEFORE DELETE ON ledger_facts BEGIN SELECT RAISE(ABORT, 'ledger_facts is append-only'); END;

CREATE TRIGGER ledger_facts_are_numbered
BEFORE INSERT ON ledger_facts
WHEN NEW.number <> 1 + (SELECT coalesce(max(number), 0) FROM ledger_facts WHERE fact = NEW.fact)
BEGIN SELECT RAISE(ABORT, 'the facts of a ledger follow each other'); END;

-- The handle of the amount that the account delegates to us, in the state that showed `handle_before`, where the transfer lowers
-- that amount; none where it does not.
ALTER TABLE attempts ADD COLUMN delegated_before BLOB CHECK (
    length(delegated_before) = 16 AND (delegated_before IS NULL OR handle_before IS NOT NULL)
);

DROP TRIGGER attempts_keep_their_witness;
CREATE TRIGGER attempts_keep_their_witness
BEFORE UPDATE OF moves_balance, source, handle_before, handle_slot, delegated_before ON attempts
BEGIN SELECT RAISE(ABORT, 'what was seen before an attempt was signed never changes'); END;
