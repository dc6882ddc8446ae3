-- What a settlement serves is a kind and an id, and purposes and kinds are rows: a later one is an INSERT and no rebuild. And
-- what several processes on one ledger ask of it, in the form it has with one: who drives a settlement and under which
-- fence, who waits for a payment and until when, and an order of events that is each session's own.

PRAGMA defer_foreign_keys = ON;

DROP TRIGGER session_events_of_settlements;
DROP TRIGGER session_events_of_holds;
DROP TRIGGER session_events_of_states;

-- Before what it refers to: it has no index by settlement, and a drop looks for what refers to each row.
CREATE TEMP TABLE bookings_before AS SELECT * FROM sponsored_lamports;
DROP TABLE sponsored_lamports;
CREATE TEMP TABLE settlements_before AS SELECT * FROM settlements;
DROP TABLE settlements;

-- What settlements may serve.
CREATE TABLE settlement_subjects (
    kind TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

INSERT INTO settlement_subjects (kind) VALUES ('session'), ('single'), ('charge'), ('channel'), ('own');

-- Why we broadcast, for whom, and whether it moves money of theirs.
CREATE TABLE settlement_purposes (
    purpose TEXT NOT NULL,
    subject_kind TEXT NOT NULL REFERENCES settlement_subjects (kind),
    moves_money INTEGER NOT NULL CHECK (moves_money IN (0, 1)),
    PRIMARY KEY (purpose, subject_kind),
    UNIQUE (purpose, subject_kind, moves_money)
) STRICT, WITHOUT ROWID;

INSERT INTO settlement_purposes (purpose, subject_kind, moves_money) VALUES
    ('capture', 'session', 1),
    ('approve', 'session', 0),
    ('create_recipient', 'session', 0),
    ('probe', 'own', 0),
    ('refresh', 'session', 0);

-- The promise to carry holds (or another purpose's one transaction): the projection of settlement_events.
CREATE TABLE settlements (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    purpose TEXT NOT NULL,
    subject_kind TEXT NOT NULL,
    subject_id BLOB CHECK (length(subject_id) = 16),
    -- A kind whose subjects stand in a table has its id here once more, for the reference and its index.
    session BLOB REFERENCES sessions (id)
        GENERATED ALWAYS AS (CASE subject_kind WHEN 'session' THEN subject_id END) VIRTUAL,
    amount INTEGER NOT NULL CHECK (amount >= 0),
    moves_money INTEGER NOT NULL GENERATED ALWAYS AS (amount > 0) VIRTUAL,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'in_flight', 'landed', 'settled', 'released')),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    signature BLOB CHECK (length(signature) = 64),
    created_at INTEGER NOT NULL CHECK (created_at >= 0),
    -- The instance that drives it, and the number under which it took it; none and zero where there is one process.
    driver INTEGER,
    fence INTEGER NOT NULL DEFAULT 0 CHECK (fence >= 0),
    FOREIGN KEY (purpose, subject_kind, moves_money)
        REFERENCES settlement_purposes (purpose, subject_kind, moves_money),
    CONSTRAINT all_but_our_own_serve_somebody CHECK ((subject_kind = 'own') = (subject_id IS NULL)),
    CONSTRAINT signed_has_a_signature CHECK ((attempts > 0) = (signature IS NOT NULL)),
    CONSTRAINT a_driver_has_a_fence CHECK ((driver IS NULL) = (fence = 0))
) STRICT;

-- One that its old table allowed and no program ever wrote (a probe for a session) stops the migration here.
INSERT INTO settlements (seq, id, purpose, subject_kind, subject_id, amount, state, sequence, attempts, signature, created_at)
SELECT seq, id, purpose, iif(session IS NULL, 'own', 'session'), session, amount, state, sequence, attempts, signature,
    created_at
FROM settlements_before;
DROP TABLE settlements_before;

CREATE INDEX settlements_unfinished ON settlements (seq) WHERE state NOT IN ('settled', 'released');
CREATE INDEX settlements_of_session ON settlements (session, purpose) WHERE session IS NOT NULL;
-- A session's approve is broadcast once; only when nothing came of it may another be planned.
CREATE UNIQUE INDEX settlements_one_approve ON settlements (session) WHERE purpose = 'approve' AND state <> 'released';

CREATE TRIGGER settlements_end_once
BEFORE UPDATE ON settlements WHEN OLD.state IN ('settled', 'released')
BEGIN SELECT RAISE(ABORT, 'a finished settlement never changes'); END;

CREATE TRIGGER settlements_keep_their_terms
BEFORE UPDATE OF id, purpose, subject_kind, subject_id, amount, created_at ON settlements
BEGIN SELECT RAISE(ABORT, 'the terms of a settlement never change'); END;

CREATE TRIGGER settlements_stay
BEFORE DELETE ON settlements BEGIN SELECT RAISE(ABORT, 'settlements are never deleted'); END;

-- Whoever plans a creation passes here.
CREATE TRIGGER created_recipients_are_planned
AFTER INSERT ON settlements WHEN NEW.purpose = 'create_recipient'
BEGIN
    INSERT INTO created_recipients (recipient, asset, settlement)
    SELECT recipient, asset, NEW.id FROM sessions WHERE id = NEW.subject_id
    ON CONFLICT (recipient, asset) DO UPDATE SET settlement = excluded.settlement;
END;

-- Lamports of ours, one row per signed transaction: what it may spend while its outcome is open (`reserved`), what it
-- spent once it landed (`spent`), nothing once it is proved that it never will (`void`).
CREATE TABLE sponsored_lamports (
    signature BLOB NOT NULL PRIMARY KEY REFERENCES attempts (signature),
    settlement BLOB NOT NULL REFERENCES settlements (id),
    purpose TEXT NOT NULL,
    -- Whose session, whose money, to whom. None for a transaction that serves nobody; payer and recipient alone for one
    -- that serves no session.
    session BLOB REFERENCES sessions (id),
    user BLOB CHECK (length(user) = 32),
    recipient BLOB CHECK (length(recipient) = 32),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'spent', 'void')),
    fee INTEGER NOT NULL CHECK (fee >= 0),
    rent INTEGER NOT NULL CHECK (rent >= 0),
    lamports_granted INTEGER NOT NULL CHECK (lamports_granted >= 0),
    -- 0 while the rent is an upper bound that the landed transaction is still to be asked about.
    rent_known INTEGER NOT NULL CHECK (rent_known IN (0, 1)),
    -- When it was signed: the time by which it counts against a budget.
    at INTEGER NOT NULL CHECK (at >= 0),
    CONSTRAINT a_subject_is_whole CHECK (
        (user IS NULL) = (recipient IS NULL) AND (session IS NULL OR user IS NOT NULL)
    ),
    CONSTRAINT void_costs_nothing CHECK (state <> 'void' OR (fee = 0 AND rent = 0 AND lamports_granted = 0))
) STRICT, WITHOUT ROWID;

-- Before its triggers: what was booked counts already.
INSERT INTO sponsored_lamports (signature, settlement, purpose, session, user, recipient, state, fee, rent,
    lamports_granted, rent_known, at)
SELECT signature, settlement, purpose, session, user, recipient, state, fee, rent, lamports_granted, rent_known, at
FROM bookings_before;
DROP TABLE bookings_before;

CREATE INDEX sponsored_lamports_of_session ON sponsored_lamports (session);
CREATE INDEX sponsored_lamports_by_time ON sponsored_lamports (at);
CREATE INDEX sponsored_lamports_to_check ON sponsored_lamports (settlement) WHERE rent_known = 0;

CREATE TRIGGER budget_use_grows
AFTER INSERT ON sponsored_lamports
BEGIN
    INSERT INTO budget_use (scope, subject, bucket, fee, rent, lamports_granted)
    SELECT scope, subject, bucket, NEW.fee, NEW.rent, NEW.lamports_granted FROM (
        SELECT 'session' AS scope, NEW.session AS subject, 0 AS bucket
        UNION ALL SELECT 'user_hour', NEW.user, NEW.at / 300 * 300
        UNION ALL SELECT 'user_day', NEW.user, NEW.at / 3600 * 3600
        UNION ALL SELECT 'merchant_hour', NEW.recipient, NEW.at / 300 * 300
        UNION ALL SELECT 'hour', x'', NEW.at / 300 * 300
        UNION ALL SELECT 'day', x'', NEW.at / 3600 * 3600
    ) WHERE subject IS NOT NULL
    ON CONFLICT (scope, subject, bucket) DO UPDATE SET fee = fee + excluded.fee, rent = rent + excluded.rent,
        lamports_granted = lamports_granted + excluded.lamports_granted;
END;

CREATE TRIGGER budget_use_follows
AFTER UPDATE OF fee, rent, lamports_granted ON sponsored_lamports
WHEN NEW.fee <> OLD.fee OR NEW.rent <> OLD.rent OR NEW.lamports_granted <> OLD.lamports_granted
BEGIN
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'session' AND subject = NEW.session AND bucket = 0;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'user_hour' AND subject = NEW.user AND bucket = NEW.at / 300 * 300;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'user_day' AND subject = NEW.user AND bucket = NEW.at / 3600 * 3600;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'merchant_hour' AND subject = NEW.recipient AND bucket = NEW.at / 300 * 300;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'hour' AND subject = x'' AND bucket = NEW.at / 300 * 300;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'day' AND subject = x'' AND bucket = NEW.at / 3600 * 3600;
END;

CREATE TRIGGER sponsored_lamports_keep_their_subject
BEFORE UPDATE OF signature, settlement, purpose, session, user, recipient, at ON sponsored_lamports
BEGIN SELECT RAISE(ABORT, 'a booking stays where it was made'); END;

CREATE TRIGGER sponsored_lamports_void_for_good
BEFORE UPDATE OF state ON sponsored_lamports WHEN OLD.state = 'void' AND NEW.state <> 'void'
BEGIN SELECT RAISE(ABORT, 'a void booking stays void'); END;

CREATE TRIGGER sponsored_lamports_stay
BEFORE DELETE ON sponsored_lamports BEGIN SELECT RAISE(ABORT, 'bookings are never deleted'); END;

-- The instance whose caller waits for the payment, and until when; none where there is one process.
ALTER TABLE holds ADD COLUMN awaited_by INTEGER;
ALTER TABLE holds ADD COLUMN awaited_until INTEGER
    CHECK ((awaited_by IS NULL) = (awaited_until IS NULL) AND coalesce(awaited_until, 0) >= 0);

-- The last payment accepted in the session: what places its events among its payments. Numbers of other sessions say
-- nothing of it, because where several write a later number may be committed first.
ALTER TABLE session_sums ADD COLUMN newest_hold INTEGER NOT NULL DEFAULT 0 CHECK (newest_hold >= 0);

UPDATE session_sums SET newest_hold = found.newest
FROM (SELECT s.seq AS session, max(h.seq) AS newest FROM holds h JOIN sessions s ON s.id = h.session GROUP BY h.session)
    AS found
WHERE session_sums.session = found.session;

CREATE TRIGGER session_events_of_settlements
AFTER INSERT ON settlement_events WHEN NEW.event NOT IN ('reserved', 'absent', 'failed')
BEGIN
    INSERT INTO session_events (session, holds_before, settlement, sequence)
    SELECT s.session, t.newest_hold, NEW.settlement, NEW.sequence
    FROM settlements s JOIN sessions x ON x.id = s.session JOIN session_sums t ON t.session = x.seq
    WHERE s.id = NEW.settlement AND s.purpose = 'capture';
END;

CREATE TRIGGER session_events_of_holds
AFTER UPDATE OF state ON holds WHEN NEW.state = 'released' AND OLD.state = 'waiting'
BEGIN
    INSERT INTO session_events (session, holds_before, hold)
    SELECT NEW.session, t.newest_hold, NEW.id
    FROM sessions x JOIN session_sums t ON t.session = x.seq WHERE x.id = NEW.session;
END;

CREATE TRIGGER session_events_of_states
AFTER UPDATE OF state ON sessions WHEN NEW.state <> OLD.state
BEGIN
    INSERT INTO session_events (session, holds_before, state)
    SELECT NEW.id, newest_hold, NEW.state FROM session_sums WHERE session = NEW.seq;
END;
