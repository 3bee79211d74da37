-- +goose Up

-- Where each term stands: passages by row, four bytes each, and the term's weight
-- there in two more (internal/postgres/postings.go). A search in a large knowledge
-- adds these up and reads only the best passages, where the indexes on terms would
-- make it read every candidate. The lists are made from the passages behind
-- everybody's back and may be old: what ranks is the passage itself, and rows
-- behind the state's last one are found by the indexes.
CREATE TABLE postings_public (
    build int   NOT NULL,
    term  int   NOT NULL,
    list  bytea NOT NULL,
    PRIMARY KEY (build, term)
);
ALTER TABLE postings_public ALTER COLUMN list SET STORAGE EXTERNAL; -- compressing it gains little and costs time

CREATE TABLE postings_internal (LIKE postings_public INCLUDING ALL);
ALTER TABLE postings_internal ENABLE ROW LEVEL SECURITY; -- no policy: closed to customers

CREATE TABLE postings_state (
    one_row  boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    build    int     NOT NULL, -- the lists that count
    last_row bigint  NOT NULL, -- the last row that they know
    passages int     NOT NULL  -- how many they hold
);
