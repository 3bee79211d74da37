package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Seal is a moment up to which the record cannot be changed unseen by whoever
// has its Head.
type Seal struct {
	N             int64  // 1 is the first; 0: there is none
	Head          string // in hex
	Conversations int    // that it covers anew
}

// logHash is the SHA-256 of the log of conversation l.id up to l.seq: its turns, its
// events, and what agents' replies stood on. Each row is written as a record, whose
// quotes no text can close.
const logHash = `sha256((SELECT coalesce(string_agg(sha256(convert_to((t.seq, t.author, t.role, t.name, t.text, extract(epoch FROM t.at), t.action::text,
			t.suggestion_id, s.body::text)::text, 'UTF8')), ''::bytea ORDER BY t.seq), '') FROM turns t
			LEFT JOIN suggestions s ON s.conversation_id = t.conversation_id AND s.id = t.suggestion_id
			WHERE t.conversation_id = l.id AND t.seq <= l.seq)
		|| (SELECT coalesce(string_agg(sha256(convert_to((e.seq, e.type, e.ref, e.data::text)::text, 'UTF8')), ''::bytea ORDER BY e.seq), '')
			FROM events e WHERE e.conversation_id = l.id AND e.seq <= l.seq))`

// rowsHash is the SHA-256 of the rows of a seal.
const rowsHash = `SELECT coalesce(sha256(string_agg(s.digest || int8send(s.seq) || s.hash, ''::bytea ORDER BY s.digest)), '') FROM sealed s WHERE s.n = `

// mostSealed is how many conversations are sealed at a time, about.
const mostSealed = 5000

// Seal seals the conversations that nobody has written to for rest, since the last
// seal: the earliest of them, and N is 0 when there are none. One process does it
// at a time, the others do nothing.
func (db *DB) Seal(ctx context.Context, rest time.Duration) (s Seal, err error) {
	const last = `SELECT n, head, up_to FROM seals ORDER BY n DESC LIMIT 1`
	const until = `SELECT max(updated_at) FROM (SELECT updated_at FROM conversations
		WHERE updated_at > $1 AND updated_at <= now() - $2::interval AND last_seq > 0 ORDER BY updated_at LIMIT $3) c`
	const cover = `INSERT INTO sealed (n, digest, seq, hash) SELECT $1, sha256(convert_to(l.id, 'UTF8')), l.seq, ` + logHash + `
		FROM (SELECT id, last_seq AS seq FROM conversations WHERE updated_at > $2 AND updated_at <= $3 AND last_seq > 0) l`
	const add = `INSERT INTO seals (n, up_to, head) VALUES ($1, $2, $3)`
	_, err = db.Alone(ctx, "sealing", func(ctx context.Context) error {
		return db.ingest.do(ctx, "seal the record", func(ctx context.Context, conn *pgx.Conn) error {
			return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
				s = Seal{N: 1}
				from := time.Unix(0, 0)
				var to *time.Time
				var before, rows []byte
				err := tx.QueryRow(ctx, last).Scan(&s.N, &before, &from)
				switch {
				case err == nil:
					s.N++
				case !errors.Is(err, pgx.ErrNoRows):
					return err
				}
				if err := tx.QueryRow(ctx, until, from, rest, mostSealed).Scan(&to); err != nil || to == nil {
					s = Seal{}
					return err
				}
				tag, err := tx.Exec(ctx, cover, s.N, from, *to)
				if err != nil {
					return err
				}
				if err := tx.QueryRow(ctx, rowsHash+`$1`, s.N).Scan(&rows); err != nil {
					return err
				}
				head := sha256.Sum256(append(before, rows...))
				s.Head, s.Conversations = hex.EncodeToString(head[:]), int(tag.RowsAffected())
				_, err = tx.Exec(ctx, add, s.N, *to, head[:])
				return err
			})
		})
	})
	return s, err
}

// Unsealed is what the seals say of the record.
type Unsealed struct {
	Seals   int64
	Head    string   // of the last, in hex
	Known   bool     // the head that was asked for is one of them
	Broken  int64    // the first seal that does not follow from what is stored; 0: none
	Changed []string // conversations whose log is not the one that was sealed, at most ten
	Gone    int      // conversations that were sealed, and are there no more without having been erased
}

// Examine holds the record against its seals. known is a head that somebody kept
// elsewhere, in hex; "": none. Without one it is only said that record and seals fit
// each other: whoever owns the database can make both anew.
func (db *DB) Examine(ctx context.Context, known string) (u Unsealed, err error) {
	const seals = `SELECT n, head, (` + rowsHash + `z.n) FROM seals z ORDER BY n`
	const newest = `WITH l AS (SELECT DISTINCT ON (s.digest) s.digest, s.seq, s.hash, c.id, x.at > z.at AS erased
			FROM sealed s JOIN seals z ON z.n = s.n LEFT JOIN conversations c ON sha256(convert_to(c.id, 'UTF8')) = s.digest
			LEFT JOIN erasures x ON x.digest = s.digest ORDER BY s.digest, s.n DESC)
		SELECT coalesce(l.id, ''), l.id IS NULL FROM l WHERE l.erased IS NOT TRUE AND (l.id IS NULL OR l.hash <> ` + logHash + `)`
	err = db.ingest.doAgain(ctx, "hold the record against its seals", func(ctx context.Context, conn *pgx.Conn) error {
		u = Unsealed{}
		rows, err := conn.Query(ctx, seals)
		if err != nil {
			return err
		}
		var n int64
		var head, covered, before []byte
		if _, err := pgx.ForEachRow(rows, []any{&n, &head, &covered}, func() error {
			u.Seals++
			if sum := sha256.Sum256(append(before, covered...)); u.Broken == 0 && (n != u.Seals || !bytes.Equal(sum[:], head)) {
				u.Broken = u.Seals
			}
			before = bytes.Clone(head)
			u.Head = hex.EncodeToString(head)
			u.Known = u.Known || strings.EqualFold(u.Head, known)
			return nil
		}); err != nil {
			return err
		}
		if rows, err = conn.Query(ctx, newest); err != nil {
			return err
		}
		var id string
		var gone bool
		_, err = pgx.ForEachRow(rows, []any{&id, &gone}, func() error {
			if gone {
				u.Gone++
			} else if len(u.Changed) < 10 {
				u.Changed = append(u.Changed, id)
			}
			return nil
		})
		return err
	})
	return u, err
}
