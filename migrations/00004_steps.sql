-- +goose Up

-- What was learned of next steps: named features and their weights. Processes
-- add what each learned; the sum is what is known. Words of customers are kept
-- only when several conversations, or a page, have them; numbers never.
CREATE TABLE step_weights (
    feature text   PRIMARY KEY,
    weight  float8 NOT NULL
) WITH (fillfactor = 70);

-- What customers were given beyond policy, by gesture and period. A held amount
-- counts like a given one for a day, so that two agents cannot offer it twice.
CREATE TABLE gestures (
    customer        text        NOT NULL,
    gesture         text        NOT NULL,
    period          text        NOT NULL, -- "quarter 2026-4", "order …"
    conversation_id text        NOT NULL,
    amount          bigint      NOT NULL CHECK (amount > 0), -- hundredths of the gesture's unit
    given           boolean     NOT NULL DEFAULT false,
    by_agent        text        NOT NULL,
    at              timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (customer, gesture, period, conversation_id)
);

-- The limits in force: authority.yaml as it was ingested.
CREATE TABLE authority (
    one_row    boolean     PRIMARY KEY DEFAULT true CHECK (one_row),
    body       text        NOT NULL,
    source     text        NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
