-- +goose Up

-- What a suggestion was made of is some 15 KB of text. Compressing it the old way
-- was most of what storing it cost; LZ4 takes a third of the time for a twentieth
-- more space. A server that was built without it keeps the old way.
-- +goose StatementBegin
DO $$
BEGIN
    ALTER TABLE suggestions ALTER COLUMN body SET COMPRESSION lz4;
    ALTER TABLE suggestions ALTER COLUMN prompt_text SET COMPRESSION lz4;
EXCEPTION
    WHEN feature_not_supported THEN NULL;
END
$$;
-- +goose StatementEnd
