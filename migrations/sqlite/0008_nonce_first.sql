-- The nonce first: the index that makes a nonce unique in its session is the one page of a payment that stands apart from the
-- payment before. Nonces that are ordered by time, as those of this program's clients are, then stand together over all
-- sessions, and a batch of payments writes a few pages instead of one for each.

DROP INDEX holds_nonce_once_per_session;
CREATE UNIQUE INDEX holds_nonce_once_per_session ON holds (nonce, session) WHERE nonce IS NOT NULL;
