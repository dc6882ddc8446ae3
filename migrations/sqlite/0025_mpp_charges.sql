-- The Machine Payments Protocol (ADR 0062): whose root this ledger's keys are derived from, charges, and what is sponsored for
-- whom. Every settlement of the protocol, whatever its purpose, has a row that says who is sponsored, so that caps are kept by
-- triggers and no purpose can forget them.

INSERT INTO settlement_purposes (purpose, subject_kind, moves_money) VALUES ('mpp_charge', 'charge', 1);

-- The key that certifies channels, which only the root can derive: the newest row of a chain is the one in use.
CREATE TABLE mpp_issuers (
    seq INTEGER PRIMARY KEY,
    chain_id TEXT NOT NULL CHECK (length(chain_id) BETWEEN 1 AND 64),
    issuer BLOB NOT NULL CHECK (length(issuer) = 32),
    since INTEGER NOT NULL CHECK (since >= 0)
) STRICT;

CREATE INDEX mpp_issuers_of_chain ON mpp_issuers (chain_id, seq);

CREATE TRIGGER mpp_issuers_never_change
BEFORE UPDATE ON mpp_issuers BEGIN SELECT RAISE(ABORT, 'an issuer never changes'); END;

CREATE TRIGGER mpp_issuers_stay
BEFORE DELETE ON mpp_issuers BEGIN SELECT RAISE(ABORT, 'issuers are never forgotten'); END;

-- How often something happened, ever and on the last day on which it did (days since the epoch, UTC).
CREATE TABLE mpp_counts (
    name TEXT NOT NULL PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 32),
    total INTEGER NOT NULL CHECK (total >= 0),
    day INTEGER NOT NULL CHECK (day >= 0),
    today INTEGER NOT NULL CHECK (today >= 0)
) STRICT, WITHOUT ROWID;

-- Who is sponsored by a settlement of the protocol, and whom it pays; written before the settlement, in one transaction with it.
CREATE TABLE mpp_transactions (
    settlement BLOB NOT NULL PRIMARY KEY REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED
        CHECK (length(settlement) = 16),
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    -- None where it pays nobody.
    seller BLOB CHECK (length(seller) = 32),
    -- Whether the payer was not known when it was recorded, and whether the seller was.
    stranger INTEGER NOT NULL CHECK (stranger IN (0, 1)),
    seller_known INTEGER NOT NULL CHECK (seller_known IN (0, 1)),
    -- What was booked for it.
    lamports INTEGER NOT NULL CHECK (lamports >= 0),
    -- When it was recorded, in days since the epoch (UTC).
    day INTEGER NOT NULL CHECK (day >= 0),
    -- Whether it is in flight.
    open INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1)),
    CONSTRAINT nobody_is_no_known_seller CHECK (seller IS NOT NULL OR seller_known = 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX mpp_transactions_open ON mpp_transactions (payer, seller, stranger) WHERE open = 1;

CREATE TRIGGER mpp_transactions_keep_their_terms
BEFORE UPDATE OF settlement, payer, seller, stranger, seller_known, lamports, day ON mpp_transactions
BEGIN SELECT RAISE(ABORT, 'who is sponsored never changes'); END;

CREATE TRIGGER mpp_transactions_stay
BEFORE DELETE ON mpp_transactions BEGIN SELECT RAISE(ABORT, 'who was sponsored is never forgotten'); END;

CREATE TRIGGER mpp_settlements_sponsor_somebody
BEFORE INSERT ON settlements WHEN substr(NEW.purpose, 1, 4) = 'mpp_'
    AND NOT EXISTS (SELECT 1 FROM mpp_transactions WHERE settlement = NEW.id)
BEGIN SELECT RAISE(ABORT, 'a settlement of the protocol sponsors nobody'); END;

-- What of each cap is used on a day: transactions that were recorded, vouchers, lamports, and what a payer earned by paying known
-- sellers. Days that are over are deleted.
CREATE TABLE mpp_use (
    day INTEGER NOT NULL CHECK (day >= 0),
    cap TEXT NOT NULL CHECK (cap IN ('verify', 'settle', 'lamports', 'earned')),
    scope TEXT NOT NULL CHECK (scope IN ('global', 'seller', 'payer')),
    subject BLOB NOT NULL CHECK (length(subject) = iif(scope = 'global', 0, 32)),
    stranger INTEGER NOT NULL CHECK (stranger IN (0, 1)),
    used INTEGER NOT NULL CHECK (used >= 0),
    PRIMARY KEY (day, cap, scope, subject, stranger)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER mpp_transactions_use_caps
AFTER INSERT ON mpp_transactions
BEGIN
    INSERT INTO mpp_use (day, cap, scope, subject, stranger, used) VALUES
        (NEW.day, 'settle', 'global', x'', NEW.stranger, 1),
        (NEW.day, 'settle', 'payer', NEW.payer, NEW.stranger, 1),
        (NEW.day, 'lamports', 'payer', NEW.payer, NEW.stranger, NEW.lamports)
    ON CONFLICT (day, cap, scope, subject, stranger) DO UPDATE SET used = used + excluded.used;
END;

-- Wallets by the days on which payments of theirs, or to them, landed; no more days of a wallet than it takes to know it.
CREATE TABLE mpp_days (
    wallet BLOB NOT NULL CHECK (length(wallet) = 32),
    role TEXT NOT NULL CHECK (role IN ('payer', 'seller')),
    day INTEGER NOT NULL CHECK (day >= 0),
    PRIMARY KEY (wallet, role, day)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER mpp_transactions_are_in_flight
AFTER UPDATE OF state ON settlements WHEN substr(NEW.purpose, 1, 4) = 'mpp_' AND NEW.state <> OLD.state
BEGIN
    UPDATE mpp_transactions SET open = NEW.state IN ('reserved', 'in_flight') WHERE settlement = NEW.id;
END;

-- What has paid a seller counts for the seller, and who paid or was paid is known by it some day. What somebody pays to
-- themselves counts for nothing.
CREATE TRIGGER mpp_landings_count
AFTER UPDATE OF state ON settlements
WHEN substr(NEW.purpose, 1, 4) = 'mpp_' AND NEW.state = 'landed' AND OLD.state <> 'landed' AND NEW.amount > 0
BEGIN
    INSERT INTO mpp_use (day, cap, scope, subject, stranger, used)
    SELECT day, 'settle', 'seller', seller, stranger, 1 FROM mpp_transactions
    WHERE settlement = NEW.id AND seller IS NOT NULL
    ON CONFLICT (day, cap, scope, subject, stranger) DO UPDATE SET used = used + 1;
    INSERT INTO mpp_use (day, cap, scope, subject, stranger, used)
    SELECT day, 'earned', 'payer', payer, stranger, NEW.amount FROM mpp_transactions
    WHERE settlement = NEW.id AND seller_known = 1 AND seller <> payer
    ON CONFLICT (day, cap, scope, subject, stranger)
    DO UPDATE SET used = min(used, 9223372036854775807 - excluded.used) + excluded.used;
    INSERT OR IGNORE INTO mpp_days (wallet, role, day)
    SELECT payer, 'payer', day FROM mpp_transactions t WHERE settlement = NEW.id AND seller <> payer
        AND (SELECT count(*) FROM mpp_days d WHERE d.wallet = t.payer AND d.role = 'payer') < 3;
    INSERT OR IGNORE INTO mpp_days (wallet, role, day)
    SELECT seller, 'seller', day FROM mpp_transactions t WHERE settlement = NEW.id AND seller <> payer
        AND (SELECT count(*) FROM mpp_days d WHERE d.wallet = t.seller AND d.role = 'seller') < 3;
END;

-- A fork took it back. The day stays: nothing but a share of what is sponsored follows from it.
CREATE TRIGGER mpp_landings_taken_back_do_not_count
AFTER UPDATE OF state ON settlements
WHEN substr(NEW.purpose, 1, 4) = 'mpp_' AND OLD.state = 'landed' AND NEW.state NOT IN ('landed', 'settled') AND NEW.amount > 0
BEGIN
    UPDATE mpp_use SET used = used - 1 WHERE cap = 'settle' AND scope = 'seller' AND used > 0
        AND (day, subject, stranger) = (SELECT day, seller, stranger FROM mpp_transactions WHERE settlement = NEW.id);
    UPDATE mpp_use SET used = max(used - NEW.amount, 0) WHERE cap = 'earned' AND scope = 'payer'
        AND (day, subject, stranger) = (SELECT day, payer, stranger FROM mpp_transactions
            WHERE settlement = NEW.id AND seller_known = 1 AND seller <> payer);
END;

-- Transactions that landed with an error, by whose they were: who has many is not sponsored for a while.
CREATE TABLE mpp_failures (
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    at INTEGER NOT NULL CHECK (at >= 0),
    settlement BLOB NOT NULL CHECK (length(settlement) = 16),
    PRIMARY KEY (payer, at, settlement)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER mpp_failures_are_noted
AFTER INSERT ON settlement_events WHEN NEW.event = 'refused'
BEGIN
    INSERT OR IGNORE INTO mpp_failures (payer, at, settlement)
    SELECT payer, NEW.at, settlement FROM mpp_transactions WHERE settlement = NEW.settlement;
END;

-- Charges: transfers that their buyers signed and that are known by their message for ever.
CREATE TABLE charges (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Written in the same transaction, after this row.
    settlement BLOB NOT NULL UNIQUE REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED,
    -- SHA-256 of the transaction's message, and the transaction's name: the fee payer's signature.
    message BLOB NOT NULL UNIQUE CHECK (length(message) = 32),
    signature BLOB NOT NULL UNIQUE CHECK (length(signature) = 64),
    payer BLOB NOT NULL CHECK (length(payer) = 32),
    recipient BLOB NOT NULL CHECK (length(recipient) = 32),
    asset BLOB NOT NULL CHECK (length(asset) = 32),
    -- The token accounts that it moves from and to.
    source BLOB NOT NULL CHECK (length(source) = 32),
    destination BLOB NOT NULL CHECK (length(destination) = 32 AND destination <> source),
    amount INTEGER NOT NULL CHECK (amount > 0),
    fee_payer BLOB NOT NULL CHECK (length(fee_payer) = 32),
    -- From which address it was asked for, by a keyed hash; and the hash of the key that came with it.
    caller BLOB NOT NULL CHECK (length(caller) = 16),
    first_key BLOB CHECK (length(first_key) = 32),
    told INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1)),
    -- The hash of the key to which success was told, and the slot that was told with it.
    told_key BLOB CHECK (length(told_key) = 32),
    told_slot INTEGER CHECK (told_slot >= 0),
    -- Where and when it landed; none while it is not there.
    landed_slot INTEGER CHECK (landed_slot >= 0),
    landed_at INTEGER CHECK (landed_at >= 0),
    -- Whether another reading has shown that the recipient has what was paid.
    verified INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
    -- Why it came to nothing. It may be found on the chain after all: then it has a slot too.
    reason TEXT,
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT told_with_a_slot CHECK ((told = 1) = (told_slot IS NOT NULL)),
    CONSTRAINT told_to_a_key CHECK (told = 1 OR told_key IS NULL),
    CONSTRAINT landed_at_a_time CHECK ((landed_slot IS NULL) = (landed_at IS NULL)),
    CONSTRAINT verified_has_landed CHECK (verified = 0 OR landed_slot IS NOT NULL)
) STRICT;

CREATE INDEX charges_by_landing ON charges (landed_at) WHERE landed_at IS NOT NULL;
CREATE INDEX charges_unverified ON charges (seq) WHERE verified = 0 AND landed_slot IS NOT NULL;
-- What is in flight from an account, and what left it since it was read.
CREATE INDEX charges_of_source ON charges (source, landed_slot);

CREATE TRIGGER charges_keep_their_terms
BEFORE UPDATE OF id, settlement, message, signature, payer, recipient, asset, source, destination, amount, fee_payer, caller,
    first_key, created_at ON charges
BEGIN SELECT RAISE(ABORT, 'the terms of a charge never change'); END;

CREATE TRIGGER charges_are_told_once
BEFORE UPDATE OF told, told_key, told_slot ON charges WHEN OLD.told = 1
BEGIN SELECT RAISE(ABORT, 'what was told stays told'); END;

CREATE TRIGGER charges_are_told_when_they_have_landed
BEFORE UPDATE OF told ON charges WHEN NEW.told = 1 AND NEW.landed_slot IS NULL
BEGIN SELECT RAISE(ABORT, 'what has not landed is no success'); END;

CREATE TRIGGER charges_stay
BEFORE DELETE ON charges BEGIN SELECT RAISE(ABORT, 'charges are never deleted'); END;

-- Nothing of a buyer is moved but what is written of them.
CREATE TRIGGER charges_come_before_their_settlement
BEFORE INSERT ON settlements WHEN NEW.purpose = 'mpp_charge' AND NOT EXISTS (
    SELECT 1 FROM charges c JOIN mpp_transactions t ON t.settlement = c.settlement
    WHERE c.id = NEW.subject_id AND c.settlement = NEW.id AND c.amount = NEW.amount
        AND t.payer = c.payer AND t.seller = c.recipient
)
BEGIN SELECT RAISE(ABORT, 'a settlement carries no such charge'); END;
