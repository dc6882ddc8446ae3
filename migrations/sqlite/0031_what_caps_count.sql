-- What caps and budgets count is what was signed, and what is paid for has a worth or a number: debts are paid whatever is used up,
-- leaves count in no row that others share, dust buys no transactions (ADR 0062, 0063, 0064).

-- A settlement of a channel is planned once and waits until it can be signed, so what is planned is not in flight; a leave closes no
-- cap for others. `open` is what caps on concurrency count.
DROP TRIGGER mpp_transactions_are_in_flight;

CREATE TRIGGER mpp_transactions_wait_or_count_for_nobody
AFTER INSERT ON settlements WHEN NEW.purpose IN ('mpp_close', 'mpp_leave')
BEGIN
    UPDATE mpp_transactions SET open = 0 WHERE settlement = NEW.id;
END;

CREATE TRIGGER mpp_transactions_are_in_flight
AFTER UPDATE OF state ON settlements
WHEN substr(NEW.purpose, 1, 4) = 'mpp_' AND NEW.purpose <> 'mpp_leave' AND NEW.state <> OLD.state
BEGIN
    UPDATE mpp_transactions SET open = NEW.state = 'in_flight' OR (NEW.state = 'reserved' AND NEW.purpose <> 'mpp_close')
    WHERE settlement = NEW.id;
END;

UPDATE mpp_transactions SET open = 0 WHERE open = 1 AND settlement IN (
    SELECT id FROM settlements WHERE purpose = 'mpp_leave' OR (purpose = 'mpp_close' AND state = 'reserved')
);

-- A transaction counts when it is first signed, on the day of that; until then it costs nothing.
DROP TRIGGER mpp_transactions_use_caps;

CREATE TRIGGER mpp_transactions_use_caps
AFTER INSERT ON settlement_events WHEN NEW.event = 'signed'
BEGIN
    INSERT INTO mpp_use (day, cap, scope, subject, stranger, used)
    SELECT NEW.at / 86400, u.cap, u.scope, iif(u.scope = 'global', x'', t.payer), t.stranger,
        iif(u.cap = 'lamports', t.lamports, 1)
    FROM mpp_transactions t JOIN settlements s ON s.id = t.settlement
    JOIN (SELECT 'settle' AS cap, 'global' AS scope UNION ALL SELECT 'settle', 'payer' UNION ALL SELECT 'lamports', 'payer') u
    WHERE t.settlement = NEW.settlement AND s.attempts = 1 AND (u.scope <> 'global' OR s.purpose <> 'mpp_leave')
    ON CONFLICT (day, cap, scope, subject, stranger) DO UPDATE SET used = used + excluded.used;
END;

DELETE FROM mpp_use WHERE cap = 'lamports' OR (cap = 'settle' AND scope <> 'seller');

INSERT INTO mpp_use (day, cap, scope, subject, stranger, used)
SELECT f.day, u.cap, u.scope, iif(u.scope = 'global', x'', f.payer), f.stranger,
    sum(iif(u.cap = 'lamports', f.lamports, 1))
FROM (
    SELECT t.payer, t.stranger, t.lamports, s.purpose,
        (SELECT min(e.at) FROM settlement_events e WHERE e.settlement = s.id AND e.event = 'signed') / 86400 AS day
    FROM mpp_transactions t JOIN settlements s ON s.id = t.settlement WHERE s.attempts > 0
) f
JOIN (SELECT 'settle' AS cap, 'global' AS scope UNION ALL SELECT 'settle', 'payer' UNION ALL SELECT 'lamports', 'payer') u
WHERE u.scope <> 'global' OR f.purpose <> 'mpp_leave'
GROUP BY 1, 2, 3, 4, 5;

-- A seller who is paid on three days may be the payer's own second wallet: only the operator's word makes one known.
DROP TRIGGER mpp_landings_count;

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
END;

DELETE FROM mpp_days WHERE role = 'seller';

-- Whoever signed what failed is to blame for it. A channel's settlement is ours: its seller's account may have refused it.
DROP TRIGGER mpp_failures_are_noted;

CREATE TRIGGER mpp_failures_are_noted
AFTER INSERT ON settlement_events WHEN NEW.event = 'refused'
BEGIN
    INSERT OR IGNORE INTO mpp_failures (payer, at, settlement)
    SELECT t.payer, NEW.at, t.settlement FROM mpp_transactions t JOIN settlements s ON s.id = t.settlement
    WHERE t.settlement = NEW.settlement AND s.purpose NOT IN ('mpp_open', 'mpp_close');
END;

-- A leave gives back what was granted or lent by something of ours that landed.
CREATE TRIGGER issued_leaves_give_something_back
BEFORE UPDATE OF settlement ON issued_messages WHEN NEW.kind = 'leave' AND NEW.settlement IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement
    WHERE m.delegation = NEW.delegation AND m.kind <> 'leave' AND s.state IN ('landed', 'settled')
)
BEGIN SELECT RAISE(ABORT, 'nothing that a leave would give back has landed'); END;

-- The rent of a Swig is its buyer's to take, so it is lent once for ever.
CREATE TRIGGER issued_swigs_are_lent_once
BEFORE UPDATE OF settlement ON issued_messages WHEN NEW.kind = 'create_swig' AND NEW.settlement IS NOT NULL AND EXISTS (
    SELECT 1 FROM delegations o JOIN delegations d ON d.buyer = o.buyer JOIN issued_messages m ON m.delegation = d.seq
    JOIN settlements s ON s.id = m.settlement
    WHERE o.seq = NEW.delegation AND m.kind = 'create_swig' AND s.state IN ('landed', 'settled')
)
BEGIN SELECT RAISE(ABORT, 'the rent of a Swig is lent once'); END;

-- What is lent on a day is added up of what lends, and not of every message.
CREATE INDEX issued_messages_that_lend ON issued_messages (confirmed_at) WHERE rent > 0;

-- A proof that was used is remembered for longer than it proves anything: ten minutes, and a day for clocks that disagree.
DROP TRIGGER mpp_proofs_stay;

CREATE INDEX mpp_proofs_by_use ON mpp_proofs (used_at);

CREATE TRIGGER mpp_proofs_stay_while_they_may_prove
BEFORE DELETE ON mpp_proofs WHEN OLD.used_at + 86400 > (SELECT max(used_at) FROM mpp_proofs)
BEGIN SELECT RAISE(ABORT, 'a proof is remembered for a day'); END;

-- How many settlements have paid a channel in part since it ended. They are few, because each costs us a fee.
ALTER TABLE channel_sums ADD COLUMN parts INTEGER NOT NULL DEFAULT 0 CHECK (parts >= 0);

-- Anybody may ask for statistics at any rate, so they are one row: how many channels are open, and of all the vouchers they gave.
ALTER TABLE channel_totals ADD COLUMN open INTEGER NOT NULL DEFAULT 0 CHECK (open >= 0);

DROP TRIGGER channels_that_end_are_in_the_totals;

UPDATE channel_totals SET
    open = (SELECT count(*) FROM channel_sums WHERE state = 'open'),
    vouchers = (SELECT coalesce(sum(sequence), 0) FROM channel_sums);

CREATE TRIGGER channels_that_open_and_end_are_in_the_totals
AFTER UPDATE OF state ON channel_sums WHEN (NEW.state = 'open') <> (OLD.state = 'open')
BEGIN
    UPDATE channel_totals SET open = open + (NEW.state = 'open') - (OLD.state = 'open');
END;

CREATE TRIGGER channels_that_draw_are_in_the_totals
AFTER UPDATE OF sequence ON channel_sums WHEN NEW.sequence <> OLD.sequence
BEGIN
    UPDATE channel_totals SET vouchers = vouchers + NEW.sequence - OLD.sequence;
END;
