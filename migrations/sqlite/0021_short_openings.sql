-- A session that the short message alone has opened (ADR 0055) has 64 zero bytes as `intent_signature`: no key signs with them. Its
-- wallet had just shown and signed the approve that came with it, and a session key has to sign its payments: without these one
-- opaque line would be an order.
CREATE TRIGGER short_openings_bring_an_approve_and_a_session_key
BEFORE INSERT ON sessions
WHEN NEW.intent_signature = zeroblob(64)
    AND (NEW.settle_signature IS NULL OR NEW.session_key IS NULL OR NEW.approve IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'the short message alone opens only with an approve transaction and a session key'); END;
