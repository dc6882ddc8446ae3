-- A wallet's list asks for its newest sessions: from an index in the order in which they were opened, and not by sorting all that
-- the wallet ever had. The unique nonces find them too, in no order.
CREATE INDEX sessions_of_user ON sessions (user);
