-- +goose Up

-- Small facts that connectors to chat tools share between processes and starts: a
-- note was posted for this turn, the last delivery came then. Old rows are deleted
-- on the way.
CREATE TABLE tool_marks (
    tool text        NOT NULL,
    key  text        NOT NULL,
    at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tool, key)
);
CREATE INDEX tool_marks_at ON tool_marks (at);
