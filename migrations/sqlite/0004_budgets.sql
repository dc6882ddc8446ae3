-- Budgets: a transaction is booked when it is signed, with its full cost, and the booking follows what becomes of it; sums
-- by session, user, merchant and time are kept by triggers, so that a limit is one indexed question and no sum can drift
-- from its rows.

CREATE TEMP TABLE bookings_before AS SELECT * FROM sponsored_lamports;
DROP TABLE sponsored_lamports;

-- Lamports of ours, one row per signed transaction: what it may spend while its outcome is open (`reserved`), what it
-- spent once it landed (`spent`), nothing once it is proved that it never will (`void`).
CREATE TABLE sponsored_lamports (
    signature BLOB NOT NULL PRIMARY KEY REFERENCES attempts (signature),
    settlement BLOB NOT NULL REFERENCES settlements (id),
    purpose TEXT NOT NULL,
    -- The lane: whose session, whose money, to whom. None for a transaction that serves no session.
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
    CONSTRAINT a_lane_is_whole CHECK ((session IS NULL) = (user IS NULL) AND (session IS NULL) = (recipient IS NULL)),
    CONSTRAINT void_costs_nothing CHECK (state <> 'void' OR (fee = 0 AND rent = 0 AND lamports_granted = 0))
) STRICT, WITHOUT ROWID;

CREATE INDEX sponsored_lamports_of_session ON sponsored_lamports (session);
CREATE INDEX sponsored_lamports_by_time ON sponsored_lamports (at);
CREATE INDEX sponsored_lamports_to_check ON sponsored_lamports (settlement) WHERE rent_known = 0;

-- The most that may be spent, as the operator says; a limit that is not here does not exist.
CREATE TABLE budget_limits (
    scope TEXT NOT NULL CHECK (
        scope IN ('settlement', 'session', 'user_hour', 'user_day', 'merchant_hour', 'hour', 'day')
    ),
    part TEXT NOT NULL CHECK (part IN ('total', 'fee', 'rent', 'grant')),
    lamports INTEGER NOT NULL CHECK (lamports >= 0),
    PRIMARY KEY (scope, part)
) STRICT, WITHOUT ROWID;

-- What was booked, reserved or spent. `bucket` is the start of five minutes for the scopes of an hour, of an hour for
-- those of a day, and 0 for a session; `subject` is the session, the user or the merchant, and empty for everybody.
CREATE TABLE budget_use (
    scope TEXT NOT NULL CHECK (scope IN ('session', 'user_hour', 'user_day', 'merchant_hour', 'hour', 'day')),
    subject BLOB NOT NULL,
    bucket INTEGER NOT NULL CHECK (bucket >= 0),
    fee INTEGER NOT NULL CHECK (fee >= 0),
    rent INTEGER NOT NULL CHECK (rent >= 0),
    lamports_granted INTEGER NOT NULL CHECK (lamports_granted >= 0),
    PRIMARY KEY (scope, subject, bucket)
) STRICT, WITHOUT ROWID;

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

-- Every attempt that was ever signed has its booking. One without a row never landed, or has not yet; one that a fork
-- took back, and one whose outcome is open, count with their full cost.
INSERT INTO sponsored_lamports (signature, settlement, purpose, session, user, recipient, state, fee, rent,
    lamports_granted, rent_known, at)
SELECT a.signature, a.settlement, s.purpose, s.session, o.user, o.recipient,
    CASE
        WHEN a.live = 1 AND s.state = 'in_flight' THEN 'reserved'
        WHEN coalesce(b.fee + b.rent + b.lamports_granted, 0) = 0 THEN 'void'
        ELSE 'spent'
    END,
    CASE WHEN a.live = 1 AND s.state = 'in_flight' THEN a.fee ELSE coalesce(b.fee, 0) END,
    CASE WHEN a.live = 1 AND s.state = 'in_flight' THEN a.rent ELSE coalesce(b.rent, 0) END,
    CASE WHEN a.live = 1 AND s.state = 'in_flight' THEN a.lamports_granted ELSE coalesce(b.lamports_granted, 0) END,
    1, a.at
FROM attempts a JOIN settlements s ON s.id = a.settlement LEFT JOIN sessions o ON o.id = s.session
    LEFT JOIN bookings_before b ON b.signature = a.signature;

DROP TABLE bookings_before;

CREATE TRIGGER sponsored_lamports_keep_their_lane
BEFORE UPDATE OF signature, settlement, purpose, session, user, recipient, at ON sponsored_lamports
BEGIN SELECT RAISE(ABORT, 'a booking stays where it was made'); END;

CREATE TRIGGER sponsored_lamports_void_for_good
BEFORE UPDATE OF state ON sponsored_lamports WHEN OLD.state = 'void' AND NEW.state <> 'void'
BEGIN SELECT RAISE(ABORT, 'a void booking stays void'); END;

CREATE TRIGGER sponsored_lamports_stay
BEFORE DELETE ON sponsored_lamports BEGIN SELECT RAISE(ABORT, 'bookings are never deleted'); END;

CREATE TRIGGER budget_use_stays
BEFORE DELETE ON budget_use BEGIN SELECT RAISE(ABORT, 'budgets are never deleted'); END;

-- How many sessions were opened with a merchant lately.
CREATE INDEX sessions_created_for ON sessions (recipient, created_at);
