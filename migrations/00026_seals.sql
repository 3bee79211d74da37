-- +goose Up

-- Seals over the record. Every few minutes the conversations that have come to rest
-- since the last seal are hashed, behind everybody's back: a turn costs nothing more.
-- Each head is made of the one before and of all that its seal covers, so whoever
-- keeps one elsewhere can tell that nothing before it was changed or taken away.
CREATE TABLE seals (
    n     bigint      PRIMARY KEY,
    at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    up_to timestamptz NOT NULL, -- conversations last written to until then are in this seal or an earlier one
    head  bytea       NOT NULL  -- SHA-256 of the head before and of the rows of this seal
);

CREATE TABLE sealed (
    n      bigint NOT NULL,
    digest bytea  NOT NULL, -- SHA-256 of the conversation's id, as in erasures
    seq    bigint NOT NULL, -- its log up to here …
    hash   bytea  NOT NULL, -- … has this SHA-256
    PRIMARY KEY (n, digest)
);
CREATE INDEX sealed_newest ON sealed (digest, n);

ALTER TABLE seals ENABLE ROW LEVEL SECURITY; -- no policies: closed to customers
ALTER TABLE sealed ENABLE ROW LEVEL SECURITY;

CREATE TRIGGER record_stands BEFORE DELETE OR UPDATE ON seals FOR EACH ROW EXECUTE FUNCTION record_stands();
CREATE TRIGGER record_stands BEFORE DELETE OR UPDATE ON sealed FOR EACH ROW EXECUTE FUNCTION record_stands();
