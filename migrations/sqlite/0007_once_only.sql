-- What may happen only so often: attempts of one settlement, accounts created for one recipient, sessions opened by one
-- approve.

-- Each attempt follows a proof that the one before it never landed; where so many vanish the proofs are to be doubted, and
-- the settlement waits for an operator.
CREATE TRIGGER attempts_are_few
BEFORE INSERT ON attempts WHEN NEW.number > 5
BEGIN SELECT RAISE(ABORT, 'a settlement has had its last attempt'); END;
