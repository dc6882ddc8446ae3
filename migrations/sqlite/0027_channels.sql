-- Channels and their vouchers (ADR 0064). What a voucher says is owed from the moment when it is written, and nothing is settled
-- beyond it, whatever the program does.

INSERT INTO settlement_purposes (purpose, subject_kind, moves_money) VALUES
    ('mpp_open', 'channel', 0),
    ('mpp_close', 'channel', 1);

-- The terms of a channel. Where it stands is in channel_sums.
CREATE TABLE channels (
    seq INTEGER PRIMARY KEY,
    -- Its public id. The secret is kept nowhere.
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    delegation INTEGER NOT NULL REFERENCES delegations (seq),
    -- The grant that it was opened under.
    generation INTEGER NOT NULL,
    -- Of the delegation, once more, so that a voucher asks one table less.
    buyer BLOB NOT NULL CHECK (length(buyer) = 32),
    mint BLOB NOT NULL CHECK (length(mint) = 32),
    account BLOB NOT NULL CHECK (length(account) = 32),
    seller BLOB NOT NULL CHECK (length(seller) = 32 AND seller <> buyer),
    signer BLOB NOT NULL CHECK (length(signer) = 32),
    program BLOB NOT NULL CHECK (length(program) = 32),
    deposit INTEGER NOT NULL CHECK (deposit > 0),
    idle_timeout INTEGER NOT NULL CHECK (idle_timeout > 0),
    opened_at INTEGER NOT NULL CHECK (opened_at >= 0),
    expires_at INTEGER NOT NULL CHECK (expires_at > opened_at),
    certificate BLOB NOT NULL CHECK (length(certificate) = 64),
    authorised TEXT NOT NULL CHECK (authorised IN ('window', 'proof', 'off')),
    -- Written in the same transaction, after this row.
    anchor BLOB NOT NULL UNIQUE REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (delegation, generation) REFERENCES delegation_grants (delegation, generation)
) STRICT;

CREATE TRIGGER channels_keep_their_terms
BEFORE UPDATE ON channels BEGIN SELECT RAISE(ABORT, 'the terms of a channel never change'); END;

CREATE TRIGGER channels_stay
BEFORE DELETE ON channels BEGIN SELECT RAISE(ABORT, 'channels are never deleted'); END;

CREATE TRIGGER channels_are_of_their_delegation
BEFORE INSERT ON channels WHEN NOT EXISTS (
    SELECT 1 FROM delegations WHERE seq = NEW.delegation AND buyer = NEW.buyer AND mint = NEW.mint
        AND account = NEW.account AND generation = NEW.generation AND state = 'active'
)
BEGIN SELECT RAISE(ABORT, 'a channel opens under the grant of its buyer that stands'); END;

-- A wallet that leaves takes the money of its channels away.
CREATE TRIGGER channels_open_after_leaves
BEFORE INSERT ON channels WHEN EXISTS (
    SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement
    WHERE m.delegation = NEW.delegation AND m.kind = 'leave' AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a leave of this wallet is on its way'); END;

-- Where a channel stands, one narrow row each: every voucher writes one.
CREATE TABLE channel_sums (
    channel INTEGER PRIMARY KEY REFERENCES channels (seq),
    -- The channel's, for the constraint to see.
    deposit INTEGER NOT NULL CHECK (deposit > 0),
    -- What its vouchers say, what has landed of that, and what of it is written off.
    cumulative INTEGER NOT NULL DEFAULT 0,
    settled INTEGER NOT NULL DEFAULT 0,
    shortfall INTEGER NOT NULL DEFAULT 0,
    -- The number of its last voucher, and up to which number older ones are forgotten.
    sequence INTEGER NOT NULL DEFAULT 0 CHECK (sequence BETWEEN 0 AND 9007199254740991),
    pruned INTEGER NOT NULL DEFAULT 0 CHECK (pruned >= 0 AND pruned <= max(sequence - 1, 0)),
    state TEXT NOT NULL DEFAULT 'opening' CHECK (state IN ('opening', 'open', 'closing', 'closed', 'failed')),
    reason TEXT CHECK (reason IN (
        'buyer', 'idle', 'role_expired', 'role_removed', 'balance', 'seller_account', 'lifetime', 'operator'
    )),
    active_at INTEGER NOT NULL CHECK (active_at >= 0),
    owed_since INTEGER CHECK (owed_since >= 0),
    ended_at INTEGER CHECK (ended_at >= 0),
    -- How many settlements of it landed with an error since one landed without.
    refusals INTEGER NOT NULL DEFAULT 0 CHECK (refusals >= 0),
    -- How many vouchers it gave in the second of its last one, and on that day.
    second INTEGER NOT NULL DEFAULT 0 CHECK (second >= 0),
    in_second INTEGER NOT NULL DEFAULT 0 CHECK (in_second >= 0),
    in_day INTEGER NOT NULL DEFAULT 0 CHECK (in_day >= 0),
    -- settled <= cumulative <= deposit, and what is written off was drawn and not settled.
    CONSTRAINT nobody_gets_more_than_vouchers_say CHECK (
        settled >= 0 AND shortfall >= 0 AND settled <= cumulative AND cumulative <= deposit
        AND shortfall <= cumulative - settled
    ),
    CONSTRAINT what_is_closed_owes_nothing CHECK (state <> 'closed' OR shortfall = cumulative - settled),
    CONSTRAINT what_is_not_open_gave_nothing CHECK (state NOT IN ('opening', 'failed') OR cumulative = 0),
    CONSTRAINT an_end_has_a_reason CHECK (
        (reason IS NOT NULL) = (state IN ('closing', 'closed')) AND (ended_at IS NOT NULL) = (state IN ('closing', 'closed'))
    ),
    CONSTRAINT what_is_owed_has_a_time CHECK ((owed_since IS NOT NULL) = (cumulative - settled - shortfall > 0))
) STRICT;

CREATE INDEX channel_sums_to_forget ON channel_sums (ended_at) WHERE state = 'closed' AND pruned < sequence - 1;

CREATE TRIGGER channel_sums_keep_their_terms
BEFORE UPDATE OF channel, deposit ON channel_sums
BEGIN SELECT RAISE(ABORT, 'the terms of a channel never change'); END;

CREATE TRIGGER channel_sums_stay
BEFORE DELETE ON channel_sums BEGIN SELECT RAISE(ABORT, 'channels are never deleted'); END;

CREATE TRIGGER channel_sums_change_their_state_forward
BEFORE UPDATE OF state ON channel_sums
WHEN OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
    VALUES ('opening', 'open'), ('opening', 'failed'), ('open', 'closing'), ('open', 'closed'), ('closing', 'closed'),
        ('closed', 'closing')
)
BEGIN SELECT RAISE(ABORT, 'a channel never goes back but where a fork takes its settlement back'); END;

CREATE TRIGGER channel_sums_reopen_for_forks_alone
BEFORE UPDATE OF state ON channel_sums WHEN OLD.state = 'closed' AND NEW.state = 'closing' AND NEW.settled >= OLD.settled
BEGIN SELECT RAISE(ABORT, 'a closed channel stays closed while nothing was taken back'); END;

CREATE TRIGGER channel_sums_keep_their_reason
BEFORE UPDATE OF reason, ended_at ON channel_sums
WHEN OLD.reason IS NOT NULL AND (NEW.reason IS NOT OLD.reason OR NEW.ended_at IS NOT OLD.ended_at)
    AND NOT (NEW.reason = 'seller_account' AND NEW.ended_at IS OLD.ended_at)
BEGIN SELECT RAISE(ABORT, 'why a channel ended never changes'); END;

CREATE TRIGGER channel_sums_follow_vouchers
BEFORE UPDATE OF cumulative, sequence ON channel_sums
WHEN NEW.cumulative <> OLD.cumulative OR NEW.sequence <> OLD.sequence
BEGIN
    SELECT RAISE(ABORT, 'a channel owes what its newest voucher says')
    WHERE OLD.state <> 'open' OR NEW.state <> 'open' OR NEW.cumulative <= OLD.cumulative
        OR NEW.sequence <> OLD.sequence + 1 OR NOT EXISTS (
            SELECT 1 FROM vouchers
            WHERE sequence = NEW.sequence AND channel = NEW.channel AND cumulative = NEW.cumulative
        );
END;

-- What was given. The signature can be made again at any time, so it is not kept. Led by what grows with time: the newest vouchers
-- of all channels stand together, and a batch writes a few pages instead of one for each.
CREATE TABLE vouchers (
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    channel INTEGER NOT NULL REFERENCES channels (seq),
    cumulative INTEGER NOT NULL CHECK (cumulative > 0),
    meter TEXT NOT NULL CHECK (length(meter) BETWEEN 1 AND 64),
    units INTEGER NOT NULL CHECK (units > 0),
    server_nonce TEXT NOT NULL CHECK (length(server_nonce) BETWEEN 1 AND 128),
    given_at INTEGER NOT NULL CHECK (given_at >= 0),
    PRIMARY KEY (sequence, channel)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX vouchers_say_each_sum_once ON vouchers (cumulative, channel);

CREATE TRIGGER vouchers_never_change
BEFORE UPDATE ON vouchers BEGIN SELECT RAISE(ABORT, 'a voucher that was given never changes'); END;

-- The last one stays, and all of them while the channel is live.
CREATE TRIGGER vouchers_are_forgotten_from_the_oldest
BEFORE DELETE ON vouchers WHEN NOT EXISTS (
    SELECT 1 FROM channel_sums
    WHERE channel = OLD.channel AND state = 'closed' AND OLD.sequence = pruned + 1 AND OLD.sequence < sequence
)
BEGIN SELECT RAISE(ABORT, 'a voucher of a live channel, and the last one, is never forgotten'); END;

-- The channels of which something may still move, by what they are settled from and by whom they pay.
CREATE TABLE live_channels (
    delegation INTEGER NOT NULL REFERENCES delegations (seq),
    channel INTEGER NOT NULL REFERENCES channels (seq),
    seller BLOB NOT NULL CHECK (length(seller) = 32),
    PRIMARY KEY (delegation, channel)
) STRICT, WITHOUT ROWID;

CREATE INDEX live_channels_of_seller ON live_channels (seller);

-- What ended on a UTC day, by wallet: vouchers of channels that are live no more, and channels that moved nothing.
CREATE TABLE channel_days (
    delegation INTEGER NOT NULL REFERENCES delegations (seq),
    day INTEGER NOT NULL CHECK (day >= 0),
    vouchers INTEGER NOT NULL CHECK (vouchers >= 0),
    unsettled INTEGER NOT NULL CHECK (unsettled >= 0),
    PRIMARY KEY (delegation, day)
) STRICT, WITHOUT ROWID;

-- Of all channels: how many live, which is bounded; and for statistics the vouchers of those that give none any more, and what has
-- landed.
CREATE TABLE channel_totals (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    live INTEGER NOT NULL CHECK (live >= 0),
    vouchers INTEGER NOT NULL CHECK (vouchers >= 0),
    settled INTEGER NOT NULL CHECK (settled >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO channel_totals (one, live, vouchers, settled) VALUES (1, 0, 0, 0);

CREATE TRIGGER live_channels_are_counted
AFTER INSERT ON live_channels
BEGIN
    UPDATE channel_totals SET live = live + 1;
END;

CREATE TRIGGER live_channels_are_counted_no_more
AFTER DELETE ON live_channels
BEGIN
    UPDATE channel_totals SET live = live - 1;
END;

-- Which settlement pays a channel, from which sum on, by which grant, and the last voucher that it covers.
CREATE TABLE channel_settlements (
    settlement BLOB NOT NULL PRIMARY KEY REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED,
    channel INTEGER NOT NULL REFERENCES channels (seq),
    settled_before INTEGER NOT NULL CHECK (settled_before >= 0),
    amount INTEGER NOT NULL CHECK (amount > 0),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    generation INTEGER NOT NULL,
    -- Whether it is not at its end, and whether it came to nothing: of the settlement.
    live INTEGER NOT NULL DEFAULT 1 CHECK (live IN (0, 1)),
    released INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1)),
    CONSTRAINT what_is_released_is_not_live CHECK (live = 0 OR released = 0)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX channel_settlements_one_live ON channel_settlements (channel) WHERE live = 1;
CREATE UNIQUE INDEX channel_settlements_once_from_a_sum ON channel_settlements (channel, settled_before) WHERE released = 0;

CREATE TRIGGER channel_settlements_keep_their_terms
BEFORE UPDATE OF settlement, channel, settled_before, amount, sequence, generation ON channel_settlements
BEGIN SELECT RAISE(ABORT, 'the terms of a settlement never change'); END;

CREATE TRIGGER channel_settlements_stay
BEFORE DELETE ON channel_settlements BEGIN SELECT RAISE(ABORT, 'settlements are never deleted'); END;

-- Nothing moves but what a voucher says.
CREATE TRIGGER channel_settlements_pay_what_is_owed
BEFORE INSERT ON channel_settlements WHEN NOT EXISTS (
    SELECT 1 FROM channel_sums s JOIN channels c ON c.seq = s.channel JOIN delegations d ON d.seq = c.delegation
    WHERE s.channel = NEW.channel AND s.settled = NEW.settled_before
        AND NEW.amount <= s.cumulative - s.settled - s.shortfall AND s.sequence = NEW.sequence
        AND s.state IN ('open', 'closing') AND d.state = 'active' AND d.generation = NEW.generation
)
BEGIN SELECT RAISE(ABORT, 'a settlement pays what vouchers say by the grant that stands'); END;

CREATE TRIGGER channel_settlements_come_before_their_settlement
BEFORE INSERT ON settlements WHEN NEW.purpose = 'mpp_close' AND NOT EXISTS (
    SELECT 1 FROM channel_settlements p JOIN channels c ON c.seq = p.channel
    WHERE p.settlement = NEW.id AND c.id = NEW.subject_id AND p.amount = NEW.amount
)
BEGIN SELECT RAISE(ABORT, 'a settlement pays no such channel'); END;

CREATE TRIGGER channels_come_before_their_anchor
BEFORE INSERT ON settlements WHEN NEW.purpose = 'mpp_open' AND NOT EXISTS (
    SELECT 1 FROM channels WHERE id = NEW.subject_id AND anchor = NEW.id
)
BEGIN SELECT RAISE(ABORT, 'a settlement anchors no such channel'); END;

CREATE TRIGGER channel_settlements_end
AFTER UPDATE OF state ON settlements WHEN NEW.purpose = 'mpp_close' AND NEW.state IN ('settled', 'released')
BEGIN
    UPDATE channel_settlements SET live = 0, released = (NEW.state = 'released') WHERE settlement = NEW.id;
END;

-- What stands on a delegation follows from its channels.
CREATE TRIGGER channels_use_their_delegation
AFTER INSERT ON channel_sums
BEGIN
    INSERT INTO live_channels (delegation, channel, seller)
    SELECT delegation, seq, seller FROM channels WHERE seq = NEW.channel;
    UPDATE delegation_use SET live = live + 1, reserved = reserved + NEW.deposit
    WHERE delegation = (SELECT delegation FROM channels WHERE seq = NEW.channel);
END;

CREATE TRIGGER channels_that_draw_owe
AFTER UPDATE OF cumulative ON channel_sums WHEN NEW.cumulative <> OLD.cumulative
BEGIN
    UPDATE delegation_use SET owed = owed + NEW.cumulative - OLD.cumulative
    WHERE delegation = (SELECT delegation FROM channels WHERE seq = NEW.channel);
END;

CREATE TRIGGER channels_that_end_use_nothing
AFTER UPDATE OF state, settled ON channel_sums
WHEN NEW.settled <> OLD.settled
    OR (NEW.state IN ('closed', 'failed')) <> (OLD.state IN ('closed', 'failed'))
BEGIN
    UPDATE delegation_use SET
        live = live + (NEW.state NOT IN ('closed', 'failed')) - (OLD.state NOT IN ('closed', 'failed')),
        reserved = reserved
            + iif(NEW.state IN ('closed', 'failed'), 0, NEW.deposit - NEW.settled)
            - iif(OLD.state IN ('closed', 'failed'), 0, OLD.deposit - OLD.settled),
        owed = owed
            + iif(NEW.state IN ('closed', 'failed'), 0, NEW.cumulative - NEW.settled)
            - iif(OLD.state IN ('closed', 'failed'), 0, OLD.cumulative - OLD.settled)
    WHERE delegation = (SELECT delegation FROM channels WHERE seq = NEW.channel);
END;

CREATE TRIGGER channels_that_end_are_not_live
AFTER UPDATE OF state ON channel_sums WHEN NEW.state IN ('closed', 'failed') AND OLD.state NOT IN ('closed', 'failed')
BEGIN
    DELETE FROM live_channels WHERE channel = NEW.channel
        AND delegation = (SELECT delegation FROM channels WHERE seq = NEW.channel);
END;

CREATE TRIGGER channels_that_close_are_counted
AFTER UPDATE OF state ON channel_sums WHEN NEW.state = 'closed' AND OLD.state <> 'closed'
BEGIN
    INSERT INTO channel_days (delegation, day, vouchers, unsettled)
    SELECT delegation, NEW.ended_at / 86400, iif(NEW.second / 86400 = NEW.ended_at / 86400, NEW.in_day, 0), NEW.settled = 0
    FROM channels WHERE seq = NEW.channel
    ON CONFLICT (delegation, day) DO UPDATE SET
        vouchers = vouchers + excluded.vouchers, unsettled = unsettled + excluded.unsettled;
END;

CREATE TRIGGER channels_that_a_fork_reopens_are_live
AFTER UPDATE OF state ON channel_sums WHEN NEW.state = 'closing' AND OLD.state = 'closed'
BEGIN
    INSERT INTO live_channels (delegation, channel, seller)
    SELECT delegation, seq, seller FROM channels WHERE seq = NEW.channel;
END;

-- A renewal or a leave waits until nothing can need the grant any more: a landing that a fork takes back can land again only while
-- it stands.
CREATE TRIGGER channel_settlements_are_in_flight
AFTER INSERT ON channel_settlements
BEGIN
    UPDATE delegation_use SET in_flight = in_flight + 1
    WHERE delegation = (SELECT delegation FROM channels WHERE seq = NEW.channel);
END;

CREATE TRIGGER channel_settlements_are_in_flight_no_more
AFTER UPDATE OF live ON channel_settlements WHEN OLD.live = 1 AND NEW.live = 0
BEGIN
    UPDATE delegation_use SET in_flight = in_flight - 1
    WHERE delegation = (SELECT delegation FROM channels WHERE seq = NEW.channel);
END;

-- What is left of a grant on chain is its limit less what landed by it.
CREATE TRIGGER channel_settlements_lower_their_grant
AFTER UPDATE OF state ON settlements
WHEN NEW.purpose = 'mpp_close' AND (NEW.state IN ('landed', 'settled')) <> (OLD.state IN ('landed', 'settled'))
BEGIN
    UPDATE delegation_grants SET moved = moved + iif(NEW.state IN ('landed', 'settled'), NEW.amount, -NEW.amount)
    WHERE (delegation, generation) = (
        SELECT c.delegation, p.generation FROM channel_settlements p JOIN channels c ON c.seq = p.channel
        WHERE p.settlement = NEW.id
    );
END;

CREATE TRIGGER channels_that_end_are_in_the_totals
AFTER UPDATE OF state ON channel_sums WHEN OLD.state = 'open' AND NEW.state IN ('closing', 'closed')
BEGIN
    UPDATE channel_totals SET vouchers = vouchers + NEW.sequence;
END;

-- A statistic never keeps money from moving: above what a column holds, it stays there.
CREATE TRIGGER channels_that_settle_are_in_the_totals
AFTER UPDATE OF settled ON channel_sums WHEN NEW.settled <> OLD.settled
BEGIN
    UPDATE channel_totals SET settled = max(
        min(settled, 9223372036854775807 - max(NEW.settled - OLD.settled, 0)) + NEW.settled - OLD.settled, 0
    );
END;
