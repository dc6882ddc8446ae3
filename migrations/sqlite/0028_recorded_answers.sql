-- Which successes are told again, to which requests and until when (ADR 0065): written with the success, where the request that was
-- told it asks for that (`extra.idempotent`). What was told without a row is never told again. It stays here when its payment moves
-- to the archive; a row that has ended means what no row means, and is deleted.
CREATE TABLE recorded_answers (
    hold BLOB PRIMARY KEY CHECK (length(hold) = 16),
    -- SHA-256 of the decoded payload and requirements that the success was told to.
    request BLOB NOT NULL CHECK (length(request) = 32),
    told_at INTEGER NOT NULL CHECK (told_at >= 0),
    answer_until INTEGER NOT NULL,
    CONSTRAINT an_answer_is_told_again_for_a_while CHECK (answer_until > told_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX recorded_answers_by_end ON recorded_answers (answer_until);

CREATE TRIGGER recorded_answers_come_with_the_success
BEFORE INSERT ON recorded_answers
WHEN NOT EXISTS (SELECT 1 FROM holds WHERE id = NEW.hold AND told = 1)
BEGIN SELECT RAISE(ABORT, 'an answer is recorded with its success'); END;

CREATE TRIGGER recorded_answers_never_change
BEFORE UPDATE ON recorded_answers BEGIN SELECT RAISE(ABORT, 'a recorded answer never changes'); END;
