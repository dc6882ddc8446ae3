-- Single payments: transfers that their payers sign alone, outside any session (ADR 0050). What was issued unsigned has an
-- end; what was signed of it is a payment, once.

INSERT INTO settlement_purposes (purpose, subject_kind, moves_money) VALUES ('single_payment', 'single', 1);

-- Unsigned transactions that were issued, until they are signed or their time is over. Nothing depends on those that are
-- gone, so they are deleted.
CREATE TABLE pay_offers (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    recipient BLOB NOT NULL CHECK (length(recipient) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    -- The nonce and the hash of the message that the payer signed.
    nonce TEXT NOT NULL CHECK (length(nonce) BETWEEN 1 AND 64),
    content BLOB NOT NULL CHECK (length(content) = 32),
    amount INTEGER NOT NULL CHECK (amount > 0),
    ciphertext BLOB NOT NULL CHECK (length(ciphertext) BETWEEN 114 AND 152),
    -- The transaction's message as it was issued.
    message BLOB NOT NULL CHECK (length(message) <= 1232),
    proof_demanded INTEGER NOT NULL CHECK (proof_demanded IN (0, 1)),
    -- Whether its payer had earned no credit: such ones share a part of all offers.
    newcomer INTEGER NOT NULL CHECK (newcomer IN (0, 1)),
    issued_at INTEGER NOT NULL CHECK (issued_at >= 0),
    until INTEGER NOT NULL,
    CONSTRAINT an_offer_has_an_end CHECK (until > issued_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX pay_offers_of_payer ON pay_offers (payer);
CREATE INDEX pay_offers_by_end ON pay_offers (until);

CREATE TRIGGER pay_offers_never_change
BEFORE UPDATE ON pay_offers BEGIN SELECT RAISE(ABORT, 'an offer never changes'); END;

CREATE TABLE single_payments (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Written in the same transaction, after this row.
    settlement BLOB NOT NULL UNIQUE REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED,
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    recipient BLOB NOT NULL CHECK (length(recipient) = 32 AND recipient <> payer),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    nonce TEXT NOT NULL CHECK (length(nonce) BETWEEN 1 AND 64),
    content BLOB NOT NULL CHECK (length(content) = 32),
    amount INTEGER NOT NULL CHECK (amount > 0),
    -- A second transfer of the same would show on chain that two amounts are equal.
    ciphertext BLOB NOT NULL UNIQUE CHECK (length(ciphertext) BETWEEN 114 AND 152),
    -- The hash of the transaction's message as it was signed.
    signed BLOB NOT NULL UNIQUE CHECK (length(signed) = 32),
    proof_demanded INTEGER NOT NULL CHECK (proof_demanded IN (0, 1)),
    funding TEXT NOT NULL CHECK (funding IN ('proven', 'unproven', 'short')),
    told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
    -- Why it came to nothing.
    reason TEXT,
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT a_message_pays_once UNIQUE (payer, nonce)
) STRICT;

CREATE TRIGGER single_payments_keep_their_terms
BEFORE UPDATE OF id, settlement, payer, recipient, asset, nonce, content, amount, ciphertext, signed, proof_demanded,
    created_at ON single_payments
BEGIN SELECT RAISE(ABORT, 'the terms of a payment never change'); END;

CREATE TRIGGER single_payments_are_told_once
BEFORE UPDATE OF told ON single_payments WHEN OLD.told = 1 AND NEW.told = 0
BEGIN SELECT RAISE(ABORT, 'what was told stays told'); END;

CREATE TRIGGER single_payments_lose_their_proof_for_good
BEFORE UPDATE OF funding ON single_payments WHEN OLD.funding <> 'proven' AND NEW.funding <> OLD.funding
BEGIN SELECT RAISE(ABORT, 'what was not accepted as proven never becomes it'); END;

CREATE TRIGGER single_payments_stay
BEFORE DELETE ON single_payments BEGIN SELECT RAISE(ABORT, 'payments are never deleted'); END;

-- Nothing of a payer is moved but what is written of them.
CREATE TRIGGER single_payments_come_before_their_settlement
BEFORE INSERT ON settlements WHEN NEW.purpose = 'single_payment' AND NOT EXISTS (
    SELECT 1 FROM single_payments WHERE id = NEW.subject_id AND settlement = NEW.id AND amount = NEW.amount
)
BEGIN SELECT RAISE(ABORT, 'a settlement carries no such payment'); END;

-- The payer signs the transfer, so in the account's history it looks like a debit of theirs; but it is known as one of ours,
-- which no proof of a balance is lost by. So it is claimed from the proof from the moment when it is recorded.
CREATE TRIGGER single_payments_are_claimed
AFTER INSERT ON single_payments
BEGIN
    UPDATE sources SET claimed = claimed + NEW.amount
    WHERE user = NEW.payer AND asset = NEW.asset AND bound IS NOT NULL;
END;

CREATE TRIGGER single_payments_that_come_to_nothing_are_not_claimed
AFTER UPDATE OF state ON settlements WHEN NEW.purpose = 'single_payment' AND NEW.state = 'released'
BEGIN
    UPDATE sources SET claimed = claimed - NEW.amount
    WHERE (user, asset) = (SELECT payer, asset FROM single_payments WHERE settlement = NEW.id) AND bound IS NOT NULL;
END;
