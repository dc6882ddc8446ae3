-- Single payments, once more (ADR 0050): whom the one success of each is kept for, who asked for what was not signed yet, and that
-- no sum of them passes an amount. At the end, which grants went to wallets that proved nothing.

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
-- Until which block height its transaction can land: what is signed late is proved dead as soon as it is.
ALTER TABLE pay_offers ADD COLUMN last_valid_block_height INTEGER NOT NULL DEFAULT 0 CHECK (last_valid_block_height >= 0);
CREATE INDEX pay_offers_by_caller ON pay_offers (newcomer, caller, payer, issued_at);

-- What the single payments of a payer and asset move or may move, in base units. SQLite adds beyond its integers in floats, so
-- what would pass an amount is refused before anything is added: then no sum over a payer's single payments overflows. One that
-- passed it before is kept as the largest amount: it is added up in halves, because SQLite refuses a sum that overflows.
CREATE TABLE single_sums (
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (payer, asset)
) STRICT, WITHOUT ROWID;

INSERT INTO single_sums (payer, asset, amount)
SELECT p.payer, p.asset, iif(sum(p.amount >> 32) + (sum(p.amount & 4294967295) >> 32) > 2147483647, 9223372036854775807,
    (sum(p.amount >> 32) << 32) + sum(p.amount & 4294967295))
FROM single_payments p JOIN settlements s ON s.id = p.settlement
WHERE s.state <> 'released' GROUP BY p.payer, p.asset;

CREATE TRIGGER single_sums_stay
BEFORE DELETE ON single_sums BEGIN SELECT RAISE(ABORT, 'sums of payments are never deleted'); END;

CREATE TRIGGER single_payments_add_up_to_an_amount
BEFORE INSERT ON single_payments
WHEN (SELECT amount FROM single_sums WHERE payer = NEW.payer AND asset = NEW.asset) > 9223372036854775807 - NEW.amount
    OR (SELECT claimed FROM sources WHERE user = NEW.payer AND asset = NEW.asset) > 9223372036854775807 - NEW.amount
BEGIN SELECT RAISE(ABORT, 'what a payer pays adds up to no amount'); END;

CREATE TRIGGER single_payments_are_added
AFTER INSERT ON single_payments
BEGIN
    INSERT INTO single_sums (payer, asset, amount) VALUES (NEW.payer, NEW.asset, NEW.amount)
    ON CONFLICT (payer, asset) DO UPDATE SET amount = amount + excluded.amount;
END;

CREATE TRIGGER single_payments_that_come_to_nothing_are_taken_off
AFTER UPDATE OF state ON settlements
WHEN NEW.purpose = 'single_payment' AND NEW.state = 'released' AND OLD.state <> 'released'
BEGIN
    UPDATE single_sums SET amount = amount - NEW.amount
    WHERE amount < 9223372036854775807
        AND (payer, asset) = (SELECT payer, asset FROM single_payments WHERE settlement = NEW.id);
    -- What the largest amount stands for may be more, so it is added up anew.
    UPDATE single_sums SET amount = (
        SELECT iif(coalesce(sum(p.amount >> 32), 0) + (coalesce(sum(p.amount & 4294967295), 0) >> 32) > 2147483647,
            9223372036854775807, (coalesce(sum(p.amount >> 32), 0) << 32) + coalesce(sum(p.amount & 4294967295), 0))
        FROM single_payments p JOIN settlements s ON s.id = p.settlement
        WHERE p.payer = single_sums.payer AND p.asset = single_sums.asset AND s.state <> 'released'
    )
    WHERE amount = 9223372036854775807
        AND (payer, asset) = (SELECT payer, asset FROM single_payments WHERE settlement = NEW.id);
END;

-- Sessions whose opening was granted SOL while nothing proved their wallet's balance: the grant counts as such whatever is proved
-- later (ADR 0047). Of those from before, the ones that have proved nothing since.
CREATE TABLE unproven_grants (
    session BLOB NOT NULL PRIMARY KEY REFERENCES sessions (id)
) STRICT, WITHOUT ROWID;

INSERT INTO unproven_grants (session)
SELECT DISTINCT b.session FROM sponsored_lamports b
WHERE b.session IS NOT NULL AND b.lamports_granted > 0
    AND NOT EXISTS (SELECT 1 FROM sources p WHERE p.user = b.user AND p.proved_at IS NOT NULL);

CREATE TRIGGER unproven_grants_never_change
BEFORE UPDATE ON unproven_grants BEGIN SELECT RAISE(ABORT, 'what was not proved at an opening never was'); END;

CREATE TRIGGER unproven_grants_stay
BEFORE DELETE ON unproven_grants BEGIN SELECT RAISE(ABORT, 'unproven grants are never forgotten'); END;
