-- Credit: what is spent for users who have earned none is counted apart, and on which days payments landed that a proof of
-- the balance covered. What was booked before counts as earned: it is an hour or a day old soon.

DROP TRIGGER budget_use_grows;
DROP TRIGGER budget_use_follows;
DROP TRIGGER sponsored_lamports_keep_their_subject;
DROP TRIGGER budget_use_stays;

-- At most as many days of each user as credit takes, the first ones; days since the Unix epoch.
CREATE TABLE proven_days (
    user BLOB NOT NULL CHECK (length(user) = 32),
    day INTEGER NOT NULL CHECK (day >= 0),
    PRIMARY KEY (user, day)
) STRICT, WITHOUT ROWID;

-- The credit by which a transaction was judged. Our own has what it needs.
ALTER TABLE sponsored_lamports ADD COLUMN credit TEXT NOT NULL DEFAULT 'earned'
    CHECK (credit IN ('start', 'newcomer', 'earned'));

CREATE TEMP TABLE budget_limits_before AS SELECT * FROM budget_limits;
DROP TABLE budget_limits;
CREATE TABLE budget_limits (
    scope TEXT NOT NULL CHECK (
        scope IN (
            'settlement', 'session', 'unproven_user_hour', 'user_hour', 'user_day', 'merchant_hour', 'newcomers_hour',
            'newcomers_day', 'hour', 'day'
        )
    ),
    part TEXT NOT NULL CHECK (part IN ('total', 'fee', 'rent', 'grant')),
    lamports INTEGER NOT NULL CHECK (lamports >= 0),
    PRIMARY KEY (scope, part)
) STRICT, WITHOUT ROWID;
INSERT INTO budget_limits SELECT scope, part, lamports FROM budget_limits_before;
DROP TABLE budget_limits_before;

CREATE TEMP TABLE budget_use_before AS SELECT * FROM budget_use;
DROP TABLE budget_use;
CREATE TABLE budget_use (
    scope TEXT NOT NULL CHECK (
        scope IN (
            'session', 'unproven_user_hour', 'user_hour', 'user_day', 'merchant_hour', 'newcomers_hour',
            'newcomers_day', 'hour', 'day'
        )
    ),
    subject BLOB NOT NULL,
    bucket INTEGER NOT NULL CHECK (bucket >= 0),
    fee INTEGER NOT NULL CHECK (fee >= 0),
    rent INTEGER NOT NULL CHECK (rent >= 0),
    lamports_granted INTEGER NOT NULL CHECK (lamports_granted >= 0),
    PRIMARY KEY (scope, subject, bucket)
) STRICT, WITHOUT ROWID;
INSERT INTO budget_use SELECT scope, subject, bucket, fee, rent, lamports_granted FROM budget_use_before;
DROP TABLE budget_use_before;

CREATE TRIGGER budget_use_grows
AFTER INSERT ON sponsored_lamports
BEGIN
    INSERT INTO budget_use (scope, subject, bucket, fee, rent, lamports_granted)
    SELECT scope, subject, bucket, NEW.fee, NEW.rent, NEW.lamports_granted FROM (
        SELECT 'session' AS scope, NEW.session AS subject, 0 AS bucket
        UNION ALL SELECT 'user_hour', NEW.user, NEW.at / 300 * 300
        UNION ALL SELECT 'user_day', NEW.user, NEW.at / 3600 * 3600
        UNION ALL SELECT 'merchant_hour', NEW.recipient, NEW.at / 300 * 300
        UNION ALL SELECT 'unproven_user_hour', CASE NEW.credit WHEN 'start' THEN NEW.user END, NEW.at / 300 * 300
        UNION ALL SELECT 'newcomers_hour', CASE WHEN NEW.credit <> 'earned' THEN x'' END, NEW.at / 300 * 300
        UNION ALL SELECT 'newcomers_day', CASE WHEN NEW.credit <> 'earned' THEN x'' END, NEW.at / 3600 * 3600
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
    WHERE NEW.credit = 'start' AND scope = 'unproven_user_hour' AND subject = NEW.user AND bucket = NEW.at / 300 * 300;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE NEW.credit <> 'earned' AND scope = 'newcomers_hour' AND subject = x'' AND bucket = NEW.at / 300 * 300;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE NEW.credit <> 'earned' AND scope = 'newcomers_day' AND subject = x'' AND bucket = NEW.at / 3600 * 3600;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'hour' AND subject = x'' AND bucket = NEW.at / 300 * 300;
    UPDATE budget_use SET fee = fee + NEW.fee - OLD.fee, rent = rent + NEW.rent - OLD.rent,
        lamports_granted = lamports_granted + NEW.lamports_granted - OLD.lamports_granted
    WHERE scope = 'day' AND subject = x'' AND bucket = NEW.at / 3600 * 3600;
END;

CREATE TRIGGER sponsored_lamports_keep_their_subject
BEFORE UPDATE OF signature, settlement, purpose, session, user, recipient, at, credit ON sponsored_lamports
BEGIN SELECT RAISE(ABORT, 'a booking stays where it was made'); END;

CREATE TRIGGER budget_use_stays
BEFORE DELETE ON budget_use BEGIN SELECT RAISE(ABORT, 'budgets are never deleted'); END;
