-- +goose Up

-- Which prompt wrote a draft, beside what became of it: outcomes per variant are
-- counted without reading every body.
ALTER TABLE suggestions
    ADD COLUMN prompt         text NOT NULL DEFAULT '', -- "reply@short"; '': no model was asked
    ADD COLUMN prompt_version text NOT NULL DEFAULT '',
    ADD COLUMN origin         text NOT NULL DEFAULT ''; -- of the draft: knowledge, model; '': none

UPDATE suggestions SET
    prompt = coalesce(body -> 'prompt' ->> 'name', ''),
    prompt_version = coalesce(body -> 'prompt' ->> 'version', ''),
    origin = coalesce(body -> 'draft' ->> 'origin', '')
WHERE body -> 'prompt' IS NOT NULL;

CREATE INDEX suggestions_created ON suggestions (created_at);
