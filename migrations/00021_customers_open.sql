-- +goose Up

-- Who comes back to a conversation as its customer is told where it stands and
-- what they missed in one transaction, as the public role.
CREATE POLICY customer ON conversations FOR SELECT USING (id = current_setting('aside.conversation', true));
