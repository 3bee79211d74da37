-- +goose Up

-- The ID token a session began with: the provider wants it as a hint when the agent
-- signs out there too. It goes with the session.
ALTER TABLE sessions ADD COLUMN id_token text NOT NULL DEFAULT '';
