-- How many recipients' accounts were created lately is asked before another one is: by time, and not by walking all of them.
CREATE INDEX settlements_creations ON settlements (created_at) WHERE purpose = 'create_recipient';
