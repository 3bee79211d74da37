-- +goose Up

-- Passages, and what belongs to them, in one table per audience. Under row-level
-- security the database must hide rows before it applies any operator that might
-- tell of them, so customers' searches could not use the indexes on terms and
-- vectors. Now customers' role may read the public tables, which cannot hold a
-- row that is not public; the internal ones it may not read at all. Through the
-- parents row-level security still shows it public rows only.

ALTER TABLE passages RENAME TO passages_before;
CREATE TABLE passages (
    -- What ranking reads of thousands of rows comes first, in one place.
    row_id      bigint GENERATED ALWAYS AS IDENTITY,
    valid_from  timestamptz NOT NULL DEFAULT '-infinity', -- inclusive
    valid_to    timestamptz NOT NULL DEFAULT 'infinity',  -- exclusive
    weights     sparsevec(1000000000) NOT NULL, -- BM25 of each term: see internal/postgres/bm25.go
    collection  text        NOT NULL DEFAULT '',
    language    text        NOT NULL DEFAULT 'en',
    id          text        NOT NULL, -- of one current passage only, whatever its audience: internal/postgres/documents.go
    document_id text        NOT NULL,
    current     boolean     NOT NULL DEFAULT true,
    audience    text        NOT NULL DEFAULT 'internal',
    revision    text, -- the last revision it was part of; NULL: the document's current one
    heading     text        NOT NULL DEFAULT '',
    text        text        NOT NULL,
    start_byte  int         NOT NULL, -- in the body of its revision
    end_byte    int         NOT NULL,
    length      int         NOT NULL, -- terms, repeats included
    terms       int[]       NOT NULL, -- distinct term ids, ascending
    counts      smallint[]  NOT NULL -- how often each occurs
) PARTITION BY LIST (audience);
ALTER TABLE passages ALTER COLUMN terms SET STORAGE MAIN;
ALTER TABLE passages ALTER COLUMN counts SET STORAGE MAIN;
ALTER TABLE passages ALTER COLUMN weights SET STORAGE MAIN;
CREATE TABLE passages_public PARTITION OF passages FOR VALUES IN ('public') WITH (toast_tuple_target = 8160);
CREATE TABLE passages_internal PARTITION OF passages FOR VALUES IN ('internal') WITH (toast_tuple_target = 8160);
-- Nobody asks for a certain one: statistics of them are only work.
ALTER TABLE passages ALTER COLUMN weights SET STATISTICS 0, ALTER COLUMN text SET STATISTICS 0, ALTER COLUMN counts SET STATISTICS 0,
    ALTER COLUMN heading SET STATISTICS 0;

INSERT INTO passages OVERRIDING SYSTEM VALUE
    SELECT row_id, valid_from, valid_to, weights, collection, language, id, document_id, current, audience, revision, heading, text,
           start_byte, end_byte, length, terms, counts FROM passages_before ORDER BY row_id;
SELECT setval(pg_get_serial_sequence('passages', 'row_id'), max(row_id)) FROM passages_before HAVING max(row_id) IS NOT NULL;
DROP TABLE passages_before;

ALTER TABLE passages ADD PRIMARY KEY (row_id, audience);
ALTER TABLE passages ADD FOREIGN KEY (document_id) REFERENCES documents ON DELETE CASCADE;
CREATE UNIQUE INDEX passages_current ON passages (id, audience) WHERE current;
CREATE INDEX passages_id ON passages (id);
CREATE INDEX passages_document ON passages (document_id);
-- No pending list: a search right after an ingest must not pay for it.
CREATE INDEX passages_terms ON passages USING gin (terms) WITH (fastupdate = off);

ALTER TABLE learned RENAME TO learned_before;
CREATE TABLE learned (
    passage_id text   NOT NULL,
    audience   text   NOT NULL DEFAULT 'internal',
    evidence   float8 NOT NULL, -- answers, each by how sure it is that it stood on this passage
    length     float8 NOT NULL, -- sum of sums
    terms      int[]  NOT NULL, -- distinct term ids, ascending
    sums       real[] NOT NULL, -- of each, what the questions say of it
    weights    sparsevec(1000000000) NOT NULL -- see internal/postgres/learned.go
) PARTITION BY LIST (audience);
ALTER TABLE learned ALTER COLUMN terms SET STORAGE MAIN;
ALTER TABLE learned ALTER COLUMN weights SET STORAGE MAIN;
CREATE TABLE learned_public PARTITION OF learned FOR VALUES IN ('public') WITH (toast_tuple_target = 8160);
CREATE TABLE learned_internal PARTITION OF learned FOR VALUES IN ('internal') WITH (toast_tuple_target = 8160);
INSERT INTO learned SELECT passage_id, audience, evidence, length, terms, sums, weights FROM learned_before;
DROP TABLE learned_before;
ALTER TABLE learned ADD PRIMARY KEY (passage_id, audience);
CREATE INDEX learned_terms ON learned USING gin (terms) WITH (fastupdate = off);

ALTER TABLE passage_vectors RENAME TO passage_vectors_before;
CREATE TABLE passage_vectors (
    model_id   int     NOT NULL REFERENCES vector_models ON DELETE CASCADE,
    passage_id text    NOT NULL, -- of every revision that holds these words
    audience   text    NOT NULL DEFAULT 'internal',
    vector     halfvec NOT NULL
) PARTITION BY LIST (audience);
-- An exact scan reads every vector: out of line it is five times slower.
ALTER TABLE passage_vectors ALTER COLUMN vector SET STORAGE PLAIN;
CREATE TABLE passage_vectors_public PARTITION OF passage_vectors FOR VALUES IN ('public');
CREATE TABLE passage_vectors_internal PARTITION OF passage_vectors FOR VALUES IN ('internal');
INSERT INTO passage_vectors SELECT model_id, passage_id, audience, vector FROM passage_vectors_before;
DROP TABLE passage_vectors_before;
ALTER TABLE passage_vectors ADD PRIMARY KEY (model_id, passage_id, audience);

ALTER TABLE passages ENABLE ROW LEVEL SECURITY;
ALTER TABLE passage_vectors ENABLE ROW LEVEL SECURITY;
ALTER TABLE learned ENABLE ROW LEVEL SECURITY;
CREATE POLICY public_only ON passages FOR SELECT USING (audience = 'public');
CREATE POLICY public_only ON passage_vectors FOR SELECT USING (audience = 'public');
CREATE POLICY public_only ON learned FOR SELECT USING (audience = 'public');

-- Closed to everyone but the owner, even if somebody grants them by mistake.
ALTER TABLE passages_internal ENABLE ROW LEVEL SECURITY;
ALTER TABLE passage_vectors_internal ENABLE ROW LEVEL SECURITY;
ALTER TABLE learned_internal ENABLE ROW LEVEL SECURITY;

-- A model serves searches once every passage had a vector of it; a passage that
-- comes later is found by its words until it has one. The model that was chosen
-- last serves, so that a new one fills in beside the old and then takes over.
ALTER TABLE vector_models ADD COLUMN chosen bigint; -- NULL: not complete yet
CREATE SEQUENCE vector_models_chosen;
UPDATE vector_models SET chosen = nextval('vector_models_chosen') WHERE missing = 0;

-- A search in a small collection of a large knowledge base.
CREATE INDEX passages_collection ON passages (collection);
