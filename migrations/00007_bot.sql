-- +goose Up

-- From its opening, or from the customer's coming back, to its closing a
-- conversation is one episode: the bot looks at nothing before it, and hands it
-- over at most once.
ALTER TABLE conversations
    ADD COLUMN episode   int    NOT NULL DEFAULT 0,
    ADD COLUMN fresh_seq bigint NOT NULL DEFAULT 0; -- the last seq of the episode before
CREATE INDEX conversations_customer ON conversations (customer, created_at) WHERE customer <> '' AND status <> 'closed';

ALTER TABLE turns ADD COLUMN sources json; -- of the bot's answers: public pages

CREATE TABLE handovers (
    conversation_id text        NOT NULL REFERENCES conversations ON DELETE CASCADE,
    episode         int         NOT NULL,
    seq             bigint      NOT NULL, -- of the event
    code            text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    taken_at        timestamptz,
    PRIMARY KEY (conversation_id, episode) -- one hand-over, whoever asks for it at the same moment
);
CREATE INDEX handovers_taken ON handovers (taken_at) WHERE taken_at IS NOT NULL;

-- bot.yaml as it was ingested.
CREATE TABLE bot_settings (
    one_row    boolean     PRIMARY KEY DEFAULT true CHECK (one_row),
    body       text        NOT NULL,
    source     text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- How often the bot answered today: of all, of one customer. Keys are hashed.
CREATE TABLE bot_counts (
    day   date NOT NULL,
    scope text NOT NULL,
    key   text NOT NULL,
    n     int  NOT NULL,
    PRIMARY KEY (day, scope, key)
);

-- Tokens the bot's model used today. What is reserved is spent until it is settled.
CREATE TABLE bot_tokens (
    day      date   PRIMARY KEY,
    reserved bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    spent    bigint NOT NULL DEFAULT 0
);

ALTER TABLE handovers ENABLE ROW LEVEL SECURITY; -- no policies: closed to customers
ALTER TABLE bot_settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE bot_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE bot_tokens ENABLE ROW LEVEL SECURITY;

-- Hand-overs say their reason in a code and a sentence, and customers how they stand.
UPDATE conversations SET handoff = (handoff::jsonb || jsonb_build_object('reason_code', handoff->>'reason'))::json
    WHERE handoff IS NOT NULL AND handoff->>'reason_code' IS NULL;
UPDATE events SET data = (data::jsonb || jsonb_build_object('reason_code', data->>'reason'))::json,
                  public_data = (coalesce(public_data, '{}')::jsonb || '{"state":"taken"}')::json
    WHERE type = 'handoff' AND data->>'reason_code' IS NULL;
