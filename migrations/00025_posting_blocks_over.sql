-- +goose Up

-- Blocks of the lists of terms whose passages are all of the past: only questions
-- about the past read them, so that searches stay as fast as what is valid now is
-- large, however often pages are edited.
ALTER TABLE posting_blocks
    ADD COLUMN over boolean NOT NULL DEFAULT false,
    ADD COLUMN listed_at timestamptz NOT NULL DEFAULT now(); -- what was of the past then still is
