-- +goose Up

-- Agents who signed in with the company's provider. What a browser keeps is a
-- signed token that names one of these; ending it ends all it opened.
CREATE TABLE sessions (
    id         text        PRIMARY KEY,
    subject    text        NOT NULL,
    name       text        NOT NULL DEFAULT '',
    authority  text        NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);
CREATE INDEX sessions_ended ON sessions (ended_at) WHERE ended_at IS NOT NULL; -- asked every 2 s by every process
CREATE INDEX sessions_subject ON sessions (subject) WHERE ended_at IS NULL;
