-- +goose Up

CREATE TABLE documents (
    id         text PRIMARY KEY,
    title      text        NOT NULL,
    kind       text        NOT NULL DEFAULT 'faq' CHECK (kind IN ('policy', 'product', 'faq', 'procedure')),
    audience   text        NOT NULL DEFAULT 'internal' CHECK (audience IN ('public', 'internal')),
    collection text        NOT NULL DEFAULT '',
    language   text        NOT NULL DEFAULT 'en',
    url        text        NOT NULL DEFAULT '',
    valid_from timestamptz, -- as the document says; NULL: since ever
    valid_to   timestamptz, -- NULL: until further notice
    source     text        NOT NULL DEFAULT '',
    path       text        NOT NULL DEFAULT '',
    revision   text        NOT NULL,
    body       text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz  -- gone from its source; its passages stay for questions about the past
);

CREATE INDEX documents_source ON documents (source) WHERE removed_at IS NULL;

-- Passages of the current revisions and of earlier ones. A search sees those
-- valid at the time it asks about; current ones count in the lexicon.
-- audience, collection and language repeat the document's, so that a search
-- filters candidates without a join.
CREATE TABLE passages (
    row_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          text        NOT NULL,
    document_id text        NOT NULL REFERENCES documents ON DELETE CASCADE,
    current     boolean     NOT NULL DEFAULT true,
    audience    text        NOT NULL DEFAULT 'internal' CHECK (audience IN ('public', 'internal')),
    collection  text        NOT NULL DEFAULT '',
    language    text        NOT NULL DEFAULT 'en',
    valid_from  timestamptz NOT NULL DEFAULT '-infinity', -- inclusive
    valid_to    timestamptz NOT NULL DEFAULT 'infinity',  -- exclusive
    revision    text, -- the last revision it was part of; NULL: the document's current one
    heading     text        NOT NULL DEFAULT '',
    text        text        NOT NULL,
    start_byte  int         NOT NULL, -- in the body of its revision
    end_byte    int         NOT NULL,
    length      int         NOT NULL, -- terms, repeats included
    terms       int[]       NOT NULL, -- distinct term ids, ascending
    counts      smallint[]  NOT NULL, -- how often each occurs
    weights     sparsevec(1000000000) NOT NULL -- BM25 of each: see internal/postgres/bm25.go
) WITH (toast_tuple_target = 8160); -- ranking reads terms and weights of thousands of rows: keep them in the row

ALTER TABLE passages ALTER COLUMN terms SET STORAGE MAIN;
ALTER TABLE passages ALTER COLUMN counts SET STORAGE MAIN;
ALTER TABLE passages ALTER COLUMN weights SET STORAGE MAIN;

CREATE UNIQUE INDEX passages_current ON passages (id) WHERE current;
CREATE INDEX passages_id ON passages (id);
CREATE INDEX passages_document ON passages (document_id);
-- No pending list: a search right after an ingest must not pay for it.
CREATE INDEX passages_terms ON passages USING gin (terms) WITH (fastupdate = off);

-- Term ids are stable and start at 1, as sparsevec indices do.
CREATE TABLE lexicon (
    id        int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    term      text NOT NULL UNIQUE,
    df        int  NOT NULL DEFAULT 0, -- current passages that contain it
    df_public int  NOT NULL DEFAULT 0
) WITH (fillfactor = 70);

CREATE TABLE knowledge_stats (
    one_row         boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    version         bigint NOT NULL DEFAULT 0, -- changes with every change of any passage
    passages        int    NOT NULL DEFAULT 0, -- current ones
    passages_public int    NOT NULL DEFAULT 0,
    total_length    bigint NOT NULL DEFAULT 0, -- terms in current passages
    weighed_average float8 NOT NULL DEFAULT 0  -- the average length that all weights were made with
);
INSERT INTO knowledge_stats DEFAULT VALUES;

-- Vectors stand beside the passages, per model: a new model fills in next to the
-- old one, and passages stay narrow enough to scan.
CREATE TABLE vector_models (
    id        int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text NOT NULL UNIQUE,
    dimension int  NOT NULL CHECK (dimension BETWEEN 1 AND 4000),
    missing   int  NOT NULL DEFAULT 0 -- current passages without a vector; 0: the model can be searched
);

CREATE TABLE passage_vectors (
    model_id   int     NOT NULL REFERENCES vector_models ON DELETE CASCADE,
    passage_id text    NOT NULL, -- of every revision that holds these words
    audience   text    NOT NULL DEFAULT 'internal' CHECK (audience IN ('public', 'internal')),
    vector     halfvec NOT NULL,
    PRIMARY KEY (model_id, passage_id)
);
-- An exact scan reads every vector: out of line it is five times slower.
ALTER TABLE passage_vectors ALTER COLUMN vector SET STORAGE PLAIN;

-- Customer-facing reads use a role that sees public rows only. Missing audience
-- means internal, by default and by check.
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE passages ENABLE ROW LEVEL SECURITY;
ALTER TABLE lexicon ENABLE ROW LEVEL SECURITY;
ALTER TABLE passage_vectors ENABLE ROW LEVEL SECURITY;

CREATE POLICY public_only ON documents FOR SELECT USING (audience = 'public');
CREATE POLICY public_only ON passages FOR SELECT USING (audience = 'public');
CREATE POLICY public_only ON lexicon FOR SELECT USING (df_public > 0);
CREATE POLICY public_only ON passage_vectors FOR SELECT USING (audience = 'public');
