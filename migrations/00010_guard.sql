-- +goose Up

-- Tokens that are refused though they have not expired: those of a subject, or the
-- one with an id, that were issued up to a moment. Every process keeps a copy in
-- memory and looks here for more.
CREATE TABLE revocations (
    kind    text        NOT NULL CHECK (kind IN ('subject', 'token')),
    value   text        NOT NULL,
    issued  timestamptz NOT NULL, -- tokens issued at this moment or before
    keep    timestamptz NOT NULL, -- until when this is remembered: no such token lives longer
    by_whom text        NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, value)
);

-- What was erased on whose word, without saying what it was: a conversation is
-- named by the SHA-256 of its id. Nothing is learned from these any more, also when
-- a reply of theirs still waits to be learned from.
CREATE TABLE erasures (
    digest      bytea       PRIMARY KEY,
    by_whom     text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    turns       int         NOT NULL,
    suggestions int         NOT NULL,
    lessons     int         NOT NULL
);
CREATE INDEX erasures_at ON erasures (at);

ALTER TABLE revocations ENABLE ROW LEVEL SECURITY; -- no policies: closed to customers
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;

-- Who said what, and on which suggestion, is a record: it is added to, and goes
-- only with its whole conversation, when that is erased.
-- +goose StatementBegin
CREATE FUNCTION record_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('aside.erasing', true) = 'yes' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'table % is a record: rows are added, and erased with their conversation, never changed', TG_TABLE_NAME;
END $$;
-- +goose StatementEnd

CREATE TRIGGER record_stands BEFORE DELETE OR UPDATE OF conversation_id, seq, author, role, name, text, at, action, suggestion_id ON turns
    FOR EACH ROW EXECUTE FUNCTION record_stands();
CREATE TRIGGER record_stands BEFORE DELETE OR UPDATE OF conversation_id, seq, type, ref, data ON events
    FOR EACH ROW EXECUTE FUNCTION record_stands();
