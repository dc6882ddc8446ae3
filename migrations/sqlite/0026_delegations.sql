-- Delegations of the Machine Payments Protocol: what a buyer granted us, by which messages that we issued, and what stands on it
-- (ADR 0063). A delegation is one wallet's for one token; every grant of it is a generation with a key, a limit and a time of its
-- own, so that two open offers are never mixed.

INSERT INTO settlement_subjects (kind) VALUES ('issued');
INSERT INTO settlement_purposes (purpose, subject_kind, moves_money) VALUES
    ('mpp_onboard', 'issued', 0),
    ('mpp_leave', 'issued', 0);

CREATE TABLE delegations (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    buyer BLOB NOT NULL CHECK (length(buyer) = 32),
    mint BLOB NOT NULL CHECK (length(mint) = 32),
    -- What enforces it. A delegation keeps its kind.
    backend TEXT NOT NULL CHECK (backend IN ('spl-delegate', 'swig')),
    -- The session account, or the config account of the Swig; and whether the Swig stands at the id that nobody could squat.
    account BLOB NOT NULL UNIQUE CHECK (length(account) = 32),
    salted INTEGER NOT NULL CHECK (salted IN (0, 1)),
    -- The projection of `delegation_events`: where it stands, and by which generation.
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active', 'left')),
    generation INTEGER,
    events INTEGER NOT NULL DEFAULT 0 CHECK (events >= 0),
    -- The number of the next grant that is issued.
    next_generation INTEGER NOT NULL DEFAULT 0 CHECK (next_generation BETWEEN 0 AND 4294967295),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    CONSTRAINT one_for_a_wallet_and_token UNIQUE (buyer, mint),
    CONSTRAINT what_is_active_was_granted CHECK ((state = 'active') = (generation IS NOT NULL)),
    CONSTRAINT only_a_swig_is_salted CHECK (salted = 0 OR backend = 'swig'),
    FOREIGN KEY (seq, generation) REFERENCES delegation_grants (delegation, generation) DEFERRABLE INITIALLY DEFERRED
) STRICT;

CREATE TRIGGER delegations_keep_their_terms
BEFORE UPDATE OF id, buyer, mint, backend, created_at ON delegations
BEGIN SELECT RAISE(ABORT, 'the terms of a delegation never change'); END;

-- Before anything of ours stands at its address, somebody else may have taken it.
CREATE TRIGGER delegations_stay_where_they_are
BEFORE UPDATE OF account, salted ON delegations
WHEN EXISTS (
    SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement
    WHERE m.delegation = NEW.seq AND s.state <> 'released'
)
BEGIN SELECT RAISE(ABORT, 'a delegation that something was sent for keeps its account'); END;

CREATE TRIGGER delegations_stay
BEFORE DELETE ON delegations BEGIN SELECT RAISE(ABORT, 'delegations are never deleted'); END;

-- A generation: the key that it delegates to, the most that may move by it, and for how long.
CREATE TABLE delegation_grants (
    delegation INTEGER NOT NULL REFERENCES delegations (seq),
    generation INTEGER NOT NULL CHECK (generation BETWEEN 0 AND 4294967295),
    delegate BLOB NOT NULL CHECK (length(delegate) = 32),
    spend_limit INTEGER NOT NULL CHECK (spend_limit > 0),
    ttl INTEGER NOT NULL CHECK (ttl > 0),
    -- The only wallet that is paid, where the grant names one.
    seller BLOB CHECK (length(seller) = 32),
    -- When it was granted and when its key signs nothing more, Unix seconds; of a Swig the last slot too, and our role.
    granted_at INTEGER CHECK (granted_at >= 0),
    expires_at INTEGER CHECK (expires_at >= granted_at),
    expiry_slot INTEGER CHECK (expiry_slot >= 0),
    role INTEGER CHECK (role BETWEEN 0 AND 4294967295),
    -- What settlements of ours have moved by it, in base units, as far as they landed: what is left on chain is the limit less
    -- this.
    moved INTEGER NOT NULL DEFAULT 0 CHECK (moved BETWEEN 0 AND spend_limit),
    PRIMARY KEY (delegation, generation),
    CONSTRAINT what_was_granted_has_an_end CHECK ((granted_at IS NULL) = (expires_at IS NULL))
) STRICT, WITHOUT ROWID;

-- No stranger's charge may name a key of ours.
CREATE INDEX delegation_grants_by_key ON delegation_grants (delegate);

CREATE TRIGGER delegation_grants_keep_their_terms
BEFORE UPDATE OF delegate, spend_limit, ttl, seller ON delegation_grants
BEGIN SELECT RAISE(ABORT, 'the terms of a grant never change'); END;

CREATE TRIGGER delegation_grants_stay
BEFORE DELETE ON delegation_grants WHEN OLD.granted_at IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'what was granted is never forgotten'); END;

-- What happened to a delegation, in order.
CREATE TABLE delegation_events (
    delegation INTEGER NOT NULL REFERENCES delegations (seq),
    number INTEGER NOT NULL CHECK (number >= 1),
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'left')),
    generation INTEGER,
    -- The settlement that it followed from.
    settlement BLOB NOT NULL REFERENCES settlements (id),
    at INTEGER NOT NULL CHECK (at >= 0),
    PRIMARY KEY (delegation, number)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER delegation_events_never_change
BEFORE UPDATE ON delegation_events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;

CREATE TRIGGER delegation_events_stay
BEFORE DELETE ON delegation_events BEGIN SELECT RAISE(ABORT, 'events are only added'); END;

-- What was last read of the account behind a delegation, for the generation that was current. Figures above the largest amount
-- stand as that.
CREATE TABLE delegation_readings (
    delegation INTEGER NOT NULL PRIMARY KEY REFERENCES delegations (seq),
    generation INTEGER NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('live', 'gone', 'frozen', 'expired')),
    balance INTEGER NOT NULL CHECK (balance >= 0),
    remaining INTEGER NOT NULL CHECK (remaining >= 0),
    slot INTEGER NOT NULL CHECK (slot >= 0),
    at INTEGER NOT NULL CHECK (at >= 0)
) STRICT, WITHOUT ROWID;

-- What stands on a delegation: the channels that live, what they reserve and owe in base units, and the settlements of theirs
-- that are on their way. Whatever changes a channel changes this.
CREATE TABLE delegation_use (
    delegation INTEGER NOT NULL PRIMARY KEY REFERENCES delegations (seq),
    live INTEGER NOT NULL DEFAULT 0 CHECK (live >= 0),
    reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    owed INTEGER NOT NULL DEFAULT 0 CHECK (owed BETWEEN 0 AND reserved),
    in_flight INTEGER NOT NULL DEFAULT 0 CHECK (in_flight >= 0)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER delegations_are_used_by_nobody_yet
AFTER INSERT ON delegations BEGIN INSERT INTO delegation_use (delegation) VALUES (NEW.seq); END;

CREATE TRIGGER delegation_use_stays
BEFORE DELETE ON delegation_use BEGIN SELECT RAISE(ABORT, 'what stands on a delegation is never forgotten'); END;

-- Messages that we issued for a wallet to sign. Each is good once, for a while, and until another is issued to that wallet.
CREATE TABLE issued_messages (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    delegation INTEGER NOT NULL REFERENCES delegations (seq),
    kind TEXT NOT NULL CHECK (
        kind IN ('create_swig', 'grant_role', 'activate_session_key', 'create_session_account', 'leave')
    ),
    -- The grant that it makes, or helps to make.
    generation INTEGER,
    -- Whether it is the first of an onboarding, which are counted.
    begins INTEGER NOT NULL CHECK (begins IN (0, 1)),
    -- The message as it was issued, and its SHA-256.
    message BLOB NOT NULL CHECK (length(message) <= 1232),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    last_valid_block_height INTEGER NOT NULL CHECK (last_valid_block_height >= 0),
    -- What it lends in rent at most, in lamports.
    rent INTEGER NOT NULL CHECK (rent >= 0),
    issued_at INTEGER NOT NULL CHECK (issued_at >= 0),
    until INTEGER NOT NULL CHECK (until > issued_at),
    voided INTEGER NOT NULL DEFAULT 0 CHECK (voided IN (0, 1)),
    -- Once its wallet has signed: the settlement that carries it, who brought it by a keyed hash, and whether the wallet was unknown.
    settlement BLOB UNIQUE REFERENCES settlements (id) DEFERRABLE INITIALLY DEFERRED,
    confirmed_at INTEGER CHECK (confirmed_at >= issued_at),
    caller BLOB CHECK (length(caller) = 16),
    newcomer INTEGER CHECK (newcomer IN (0, 1)),
    FOREIGN KEY (delegation, generation) REFERENCES delegation_grants (delegation, generation),
    CONSTRAINT a_grant_has_a_generation CHECK (
        (kind IN ('grant_role', 'activate_session_key', 'create_session_account')) = (generation IS NOT NULL)
    ),
    CONSTRAINT what_is_signed_is_recorded_whole CHECK (
        (settlement IS NULL) = (confirmed_at IS NULL) AND (settlement IS NULL) = (caller IS NULL)
        AND (settlement IS NULL) = (newcomer IS NULL)
    ),
    CONSTRAINT what_is_voided_is_never_signed CHECK (voided = 0 OR settlement IS NULL)
) STRICT;

CREATE INDEX issued_messages_of_delegation ON issued_messages (delegation, seq);
CREATE INDEX issued_messages_by_confirmation ON issued_messages (confirmed_at, begins) WHERE confirmed_at IS NOT NULL;
CREATE INDEX issued_messages_by_caller ON issued_messages (caller, confirmed_at) WHERE caller IS NOT NULL;
CREATE INDEX issued_messages_by_end ON issued_messages (until) WHERE settlement IS NULL;

CREATE TRIGGER issued_messages_keep_their_terms
BEFORE UPDATE OF id, delegation, kind, generation, begins, message, hash, last_valid_block_height, rent, issued_at, until
    ON issued_messages
BEGIN SELECT RAISE(ABORT, 'what was issued never changes'); END;

CREATE TRIGGER issued_messages_are_used_once
BEFORE UPDATE OF settlement, confirmed_at, caller, newcomer ON issued_messages WHEN OLD.settlement IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'an issued message is used once'); END;

CREATE TRIGGER issued_messages_stay_voided
BEFORE UPDATE OF voided ON issued_messages WHEN OLD.voided = 1 AND NEW.voided = 0
BEGIN SELECT RAISE(ABORT, 'what was voided stays so'); END;

CREATE TRIGGER issued_messages_that_were_used_stay
BEFORE DELETE ON issued_messages WHEN OLD.settlement IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'what was signed is never forgotten'); END;

CREATE TRIGGER issued_messages_come_one_at_a_time
BEFORE UPDATE OF settlement ON issued_messages WHEN EXISTS (
    SELECT 1 FROM issued_messages m JOIN settlements s ON s.id = m.settlement
    WHERE m.delegation = NEW.delegation AND m.seq <> NEW.seq AND s.state IN ('reserved', 'in_flight')
)
BEGIN SELECT RAISE(ABORT, 'a message of this wallet is on its way'); END;

-- A wallet that leaves takes the money of its channels away, so there are none.
CREATE TRIGGER issued_leaves_wait_for_channels
BEFORE UPDATE OF settlement ON issued_messages WHEN NEW.kind = 'leave' AND EXISTS (
    SELECT 1 FROM delegation_use u WHERE u.delegation = NEW.delegation AND (u.live > 0 OR u.in_flight > 0)
)
BEGIN SELECT RAISE(ABORT, 'channels of this wallet hold something'); END;

-- A renewal that we pay for never takes away what channels count on, nor what tells whether a settlement landed. A Swig's old role
-- is gone between two rounds.
CREATE TRIGGER issued_grants_cover_what_is_reserved
BEFORE UPDATE OF settlement ON issued_messages WHEN NEW.kind = 'grant_role' AND EXISTS (
    SELECT 1 FROM delegation_use u JOIN delegations d ON d.seq = u.delegation
    JOIN delegation_grants g ON g.delegation = d.seq AND g.generation = NEW.generation
    WHERE d.seq = NEW.delegation
        AND (u.in_flight > 0 OR u.reserved > g.spend_limit OR (d.backend = 'swig' AND u.live > 0))
)
BEGIN SELECT RAISE(ABORT, 'a renewal must leave what channels count on'); END;

CREATE TRIGGER issued_messages_come_before_their_settlement
BEFORE INSERT ON settlements WHEN NEW.purpose IN ('mpp_onboard', 'mpp_leave') AND NOT EXISTS (
    SELECT 1 FROM issued_messages
    WHERE id = NEW.subject_id AND settlement = NEW.id AND (kind = 'leave') = (NEW.purpose = 'mpp_leave')
)
BEGIN SELECT RAISE(ABORT, 'a settlement carries no such message'); END;

-- Proofs (resources that begin with `mpp:`): a wallet's word for one act, once for ever.
CREATE TABLE mpp_proofs (
    wallet BLOB NOT NULL CHECK (length(wallet) = 32),
    nonce TEXT NOT NULL CHECK (length(nonce) BETWEEN 8 AND 128),
    -- The SHA-256 of the act and of everything that is asked with it, and what it made.
    act BLOB NOT NULL CHECK (length(act) = 32),
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    used_at INTEGER NOT NULL CHECK (used_at >= 0),
    PRIMARY KEY (wallet, nonce)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER mpp_proofs_never_change
BEFORE UPDATE ON mpp_proofs BEGIN SELECT RAISE(ABORT, 'a proof is used once'); END;

CREATE TRIGGER mpp_proofs_stay
BEFORE DELETE ON mpp_proofs BEGIN SELECT RAISE(ABORT, 'proofs are never forgotten'); END;

-- Windows: after a wallet has signed in, whoever calls from there with the same origin may open some channels of it for a while.
CREATE TABLE onboard_windows (
    seq INTEGER PRIMARY KEY,
    wallet BLOB NOT NULL CHECK (length(wallet) = 32),
    -- The caller's address by a keyed hash, and the hash of the `Origin` (all zero where there was none).
    caller BLOB NOT NULL CHECK (length(caller) = 16),
    origin BLOB NOT NULL CHECK (length(origin) = 32),
    until INTEGER NOT NULL CHECK (until >= 0),
    opens_left INTEGER NOT NULL CHECK (opens_left BETWEEN 0 AND 8)
) STRICT;

CREATE INDEX onboard_windows_of_wallet ON onboard_windows (wallet, caller, origin, until);
CREATE INDEX onboard_windows_by_end ON onboard_windows (until);

CREATE TRIGGER onboard_windows_only_close
BEFORE UPDATE ON onboard_windows
WHEN NEW.opens_left >= OLD.opens_left OR NEW.until <> OLD.until OR NEW.wallet <> OLD.wallet
    OR NEW.caller <> OLD.caller OR NEW.origin <> OLD.origin
BEGIN SELECT RAISE(ABORT, 'a window only gets smaller'); END;
