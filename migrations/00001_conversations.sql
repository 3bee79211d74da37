-- +goose Up

-- Every conversation table has the conversation's id first in its key: rows of
-- one conversation stay together when a distributed Postgres shards by it.

CREATE TABLE conversations (
    id            text PRIMARY KEY,
    status        text        NOT NULL CHECK (status IN ('bot', 'waiting', 'open', 'closed')),
    customer_name text        NOT NULL DEFAULT '',
    agent         text        NOT NULL DEFAULT '', -- subject of who has it
    agent_name    text        NOT NULL DEFAULT '',
    last_seq      bigint      NOT NULL DEFAULT 0,  -- taken under this row's lock, hence gapless
    last_role     text        NOT NULL DEFAULT '',
    preview       text        NOT NULL DEFAULT '',
    waiting_since timestamptz,                     -- first customer turn nobody answered
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    handoff       json,
    resolution    text        NOT NULL DEFAULT '',
    run_seq       bigint,                          -- the lease: the turn whose suggestion run_owner makes …
    run_owner     text,
    run_until     timestamptz                      -- … and until when others leave it alone
) WITH (fillfactor = 80);

CREATE INDEX conversations_queue ON conversations (waiting_since, updated_at) WHERE status <> 'closed';
CREATE INDEX conversations_runs ON conversations (run_until) WHERE run_seq IS NOT NULL;

CREATE TABLE turns (
    conversation_id text        NOT NULL REFERENCES conversations ON DELETE CASCADE,
    seq             bigint      NOT NULL,
    author          text        NOT NULL, -- subject of the identity that added it
    client_key      text        NOT NULL, -- idempotency key, prefixed with what the author is
    role            text        NOT NULL CHECK (role IN ('customer', 'agent', 'bot', 'system')),
    name            text        NOT NULL DEFAULT '',
    text            text        NOT NULL,
    at              timestamptz NOT NULL,
    external_id     text        NOT NULL DEFAULT '',
    action          json,                 -- what an agent did in another system; customers never see it
    suggestion_id   text        NOT NULL DEFAULT '',
    PRIMARY KEY (conversation_id, seq),
    CONSTRAINT turns_once UNIQUE (conversation_id, author, client_key)
);

-- The log that clients resume from. A turn's text and a suggestion's body are
-- kept once, in their own tables; ref says which suggestion.
CREATE TABLE events (
    conversation_id text   NOT NULL REFERENCES conversations ON DELETE CASCADE,
    seq             bigint NOT NULL,
    type            text   NOT NULL,
    ref             text   NOT NULL DEFAULT '',
    data            json, -- for agents and sources
    public_data     json, -- for the customer; NULL: not for them
    PRIMARY KEY (conversation_id, seq)
);

-- body is the suggestion as it was when it was finished, byte for byte what its
-- event carried; state and what follows say what became of it. json, not jsonb:
-- nobody queries inside it, the bytes stay as they are, and a model that writes
-- \u0000 cannot make the insert fail.
CREATE TABLE suggestions (
    conversation_id text        NOT NULL REFERENCES conversations ON DELETE CASCADE,
    id              text        NOT NULL,
    for_seq         bigint      NOT NULL,
    state           text        NOT NULL CHECK (state IN ('ready', 'abstained', 'failed', 'superseded', 'accepted', 'edited', 'dismissed')),
    body            json        NOT NULL,
    prompt_text     text        NOT NULL DEFAULT '', -- the rendered prompt, which no event carries
    event_seq       bigint      NOT NULL DEFAULT 0,  -- 0: it had no event
    reply_seq       bigint      NOT NULL DEFAULT 0,
    edit_distance   int         NOT NULL DEFAULT 0,  -- characters
    verdict         text        NOT NULL DEFAULT '' CHECK (verdict IN ('', 'good', 'bad')),
    verdict_reason  text        NOT NULL DEFAULT '',
    verdict_by      text        NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, id)
) WITH (fillfactor = 90);

CREATE INDEX suggestions_id ON suggestions (id);
CREATE INDEX suggestions_newest ON suggestions (conversation_id, for_seq);

CREATE TABLE gaps (
    conversation_id text        NOT NULL REFERENCES conversations ON DELETE CASCADE,
    for_seq         bigint      NOT NULL,
    question        text        NOT NULL,
    nearest         text[]      NOT NULL DEFAULT '{}', -- passage ids
    at              timestamptz NOT NULL,
    PRIMARY KEY (conversation_id, for_seq)
);

-- What a customer may read, whatever a query asks for: the one conversation named
-- by the transaction's aside.conversation. Columns are granted to the public role
-- after each migration (internal/postgres/roles.go); a table with no policy or no
-- grant is closed to it. The owner, which serves agents, is not limited.

ALTER TABLE conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
ALTER TABLE suggestions ENABLE ROW LEVEL SECURITY;
ALTER TABLE gaps ENABLE ROW LEVEL SECURITY;

CREATE POLICY customer ON turns FOR SELECT
    USING (conversation_id = current_setting('aside.conversation', true) AND action IS NULL);

CREATE POLICY customer ON events FOR SELECT
    USING (conversation_id = current_setting('aside.conversation', true)
           AND type IN ('turn.added', 'handoff', 'conversation.closed'));
