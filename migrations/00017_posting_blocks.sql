-- +goose Up

-- The lists of terms come in blocks of rows (internal/postgres/postings.go), so that
-- new rows are listed without making the old lists anew, and a search holds one
-- block in memory however many there are. They know every row, whatever its
-- collection, language and time, and take the place of the indexes on terms:
-- keeping those up was most of the work of a large ingest.
DROP TABLE postings_public, postings_internal, postings_state;

CREATE TABLE posting_blocks (
    block   int PRIMARY KEY,
    upto    bigint NOT NULL, -- the last row it knows
    current int    NOT NULL, -- rows of current passages when it was made
    average float8 NOT NULL  -- the average length its weights were made with
);

CREATE TABLE postings_public (
    block int   NOT NULL,
    term  int   NOT NULL,
    list  bytea NOT NULL, -- of each row: its place in the block and the term's weight there, two bytes each
    PRIMARY KEY (block, term)
);
ALTER TABLE postings_public ALTER COLUMN list SET STORAGE EXTERNAL; -- compressing it gains little and costs time
CREATE TABLE postings_internal (LIKE postings_public INCLUDING ALL);
ALTER TABLE postings_internal ENABLE ROW LEVEL SECURITY; -- no policy: closed to customers

-- What filters need to know of a block's rows.
CREATE TABLE posting_places_public (
    block int   NOT NULL,
    what  text  NOT NULL CHECK (what IN ('collection', 'language', 'past')),
    name  text  NOT NULL, -- '' of those whose validity had ended
    list  bytea NOT NULL, -- places in the block, two bytes each
    PRIMARY KEY (block, what, name)
);
ALTER TABLE posting_places_public ALTER COLUMN list SET STORAGE EXTERNAL;
CREATE TABLE posting_places_internal (LIKE posting_places_public INCLUDING ALL);
ALTER TABLE posting_places_internal ENABLE ROW LEVEL SECURITY;

-- Indexes that may come and go, one by one and beside searches, as the knowledge
-- grows and shrinks.
DROP INDEX passages_terms;
CREATE INDEX passages_public_terms ON passages_public USING gin (terms) WITH (fastupdate = off);
CREATE INDEX passages_internal_terms ON passages_internal USING gin (terms) WITH (fastupdate = off);
