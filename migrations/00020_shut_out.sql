-- +goose Up

-- A session that ends shuts its tokens out as a revocation does: processes look in
-- one table, and keep one copy of it.
ALTER TABLE revocations DROP CONSTRAINT revocations_kind_check;
ALTER TABLE revocations ADD CONSTRAINT revocations_kind_check CHECK (kind IN ('subject', 'token', 'session'));

INSERT INTO revocations (kind, value, issued, keep, by_whom, at)
SELECT 'session', id, ended_at, ended_at + interval '1 hour', subject, ended_at FROM sessions
WHERE ended_at > now() - interval '1 hour';

DROP INDEX sessions_ended;
