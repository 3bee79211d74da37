-- +goose Up

-- Conversations that live in a chat tool: how far their log has been looked at
-- for what the tool should be told, and what the tool last said of them.
CREATE TABLE tool_chats (
    conversation_id text        PRIMARY KEY,
    tool            text        NOT NULL,
    seq             bigint      NOT NULL DEFAULT 0,  -- of the last event looked at
    status          text        NOT NULL DEFAULT '', -- the tool's own word
    status_at       timestamptz NOT NULL DEFAULT '-infinity',
    last_id         bigint      NOT NULL DEFAULT 0,  -- the newest of the tool's messages that came
    touched_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tool_chats_touched ON tool_chats (tool, touched_at);

-- As whom a tool's message was first taken in, so that the same one by another way
-- is the same turn.
CREATE TABLE tool_messages (
    tool        text        NOT NULL,
    message_id  text        NOT NULL,
    as_customer boolean     NOT NULL, -- for the bot; false: reported by the tool
    at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tool, message_id)
);
CREATE INDEX tool_messages_at ON tool_messages (at);

-- What goes out to chat tools: at least once, with the same id each time. Dead
-- ones are kept until somebody looks at them, 30 days at most.
CREATE TABLE deliveries (
    n               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order within a conversation
    id              text        NOT NULL UNIQUE,
    tool            text        NOT NULL,
    conversation_id text        NOT NULL,
    kind            text        NOT NULL,
    key             text        NOT NULL, -- what it is about: one delivery for each
    body            json        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('pending', 'sent', 'skipped', 'dead')),
    held            boolean     NOT NULL DEFAULT false, -- sent by the request that made it, not by the queue
    attempts        int         NOT NULL DEFAULT 0,
    error           text        NOT NULL DEFAULT '', -- of the last attempt, or why it was skipped
    answer          text        NOT NULL DEFAULT '', -- the id that the tool gave it
    created_at      timestamptz NOT NULL DEFAULT now(),
    next_at         timestamptz NOT NULL DEFAULT now(), -- when it is due; while it is being sent, when another process may
    until           timestamptz NOT NULL,               -- after that it is of no use
    done_at         timestamptz,
    UNIQUE (tool, conversation_id, key)
);
CREATE INDEX deliveries_due ON deliveries (tool, next_at) WHERE state = 'pending' AND NOT held;
CREATE INDEX deliveries_waiting ON deliveries (tool, conversation_id, n) WHERE state = 'pending';
CREATE INDEX deliveries_done ON deliveries (done_at) WHERE state <> 'pending';

ALTER TABLE tool_chats ENABLE ROW LEVEL SECURITY; -- no policies: closed to customers
ALTER TABLE tool_messages ENABLE ROW LEVEL SECURITY;
ALTER TABLE deliveries ENABLE ROW LEVEL SECURITY;
