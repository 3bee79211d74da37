-- +goose Up

-- Who the customer is: as the chat tool calls them, with the tool's own name in
-- front, or the subject of whom the host's site vouched for. What a customer was
-- given counts across their chats. '' where nobody says.
ALTER TABLE conversations ADD COLUMN customer text NOT NULL DEFAULT '';

-- What each agent may give, as their last token said, so that a restart does not
-- take it back to the least until they act.
CREATE TABLE agent_roles (
    agent   text        PRIMARY KEY,
    role    text        NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- How often what is known of next steps was added to: processes look here for
-- what others learned.
CREATE TABLE step_version (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    version bigint  NOT NULL
);
INSERT INTO step_version (version) VALUES (0);

-- Past conversations that steps were learned from, by a hash of what they say:
-- reading a file again teaches nothing twice.
CREATE TABLE step_lessons (
    digest     bytea       PRIMARY KEY,
    learned_at timestamptz NOT NULL DEFAULT now()
);
