-- +goose Up

-- What was learned of a passage: the words of the questions that agents really
-- answered with it. A passage's id is made of its words: when those change, the new
-- passage inherits a part (internal/postgres/inherit.go), and a question about the
-- past still meets the old.
CREATE TABLE learned (
    passage_id text PRIMARY KEY,
    audience   text   NOT NULL DEFAULT 'internal' CHECK (audience IN ('public', 'internal')),
    evidence   float8 NOT NULL, -- answers, each by how sure it is that it stood on this passage
    length     float8 NOT NULL, -- sum of sums
    terms      int[]  NOT NULL, -- distinct term ids, ascending
    sums       real[] NOT NULL, -- of each, what the questions say of it
    weights    sparsevec(1000000000) NOT NULL -- see internal/postgres/learned.go
) WITH (toast_tuple_target = 8160);

ALTER TABLE learned ALTER COLUMN terms SET STORAGE MAIN;
ALTER TABLE learned ALTER COLUMN weights SET STORAGE MAIN;
CREATE INDEX learned_terms ON learned USING gin (terms) WITH (fastupdate = off);

-- Where it came from, so that a customer who is forgotten takes it along. The
-- words are a bag of terms without names, numbers and addresses.
CREATE TABLE lessons (
    conversation_id text        NOT NULL, -- not a reference: imported chats have no conversation here
    seq             bigint      NOT NULL, -- of the reply
    passages        text[]      NOT NULL,
    trust           real[]      NOT NULL, -- of each passage, above 0 to 1
    terms           int[]       NOT NULL,
    sums            real[]      NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, seq)
);

CREATE INDEX lessons_passages ON lessons USING gin (passages) WITH (fastupdate = off);

ALTER TABLE lexicon ADD COLUMN asked real NOT NULL DEFAULT 0;        -- learned questions that contain it
ALTER TABLE lexicon ADD COLUMN asked_public real NOT NULL DEFAULT 0; -- … and were answered from a public passage

ALTER TABLE knowledge_stats
    ADD COLUMN questions        float8 NOT NULL DEFAULT 0,
    ADD COLUMN questions_public float8 NOT NULL DEFAULT 0,
    ADD COLUMN learned          int    NOT NULL DEFAULT 0, -- passages of which something was learned
    ADD COLUMN learned_length   float8 NOT NULL DEFAULT 0,
    ADD COLUMN learned_average  float8 NOT NULL DEFAULT 0; -- the average length that all learned weights were made with

ALTER TABLE learned ENABLE ROW LEVEL SECURITY;
ALTER TABLE lessons ENABLE ROW LEVEL SECURITY; -- no policy: closed to customers
CREATE POLICY public_only ON learned FOR SELECT USING (audience = 'public');
DROP POLICY public_only ON lexicon;
CREATE POLICY public_only ON lexicon FOR SELECT USING (df_public > 0 OR asked_public > 0);

-- The parameters of BM25 are others now: the next change of the knowledge weighs
-- every passage again.
UPDATE knowledge_stats SET weighed_average = 0;
