package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
)

// Renew implements chat.Leaser.
func (db *DB) Renew(ctx context.Context, run chat.Lease, of []chat.Orphan) (held []chat.Orphan, err error) {
	const sql = `UPDATE conversations c SET run_until = now() + $2::interval
		FROM unnest($3::text[], $4::bigint[]) AS held(id, seq)
		WHERE c.id = held.id AND c.run_seq = held.seq AND c.run_owner = $1 RETURNING c.id, c.run_seq`
	if run.Owner == "" || run.For <= 0 {
		return nil, assist.Errorf(assist.Invalid, "a lease needs an owner and a duration")
	}
	ids, seqs := make([]string, len(of)), make([]int64, len(of))
	for i, o := range of {
		ids[i], seqs[i] = o.Conversation, o.ForSeq
	}
	err = db.turns.doAgain(ctx, "renew leases", func(ctx context.Context, conn *pgx.Conn) (err error) {
		held, err = collect(ctx, conn, pgx.RowToStructByPos[chat.Orphan], sql, run.Owner, run.For, ids, seqs)
		return err
	})
	return held, err
}

// Release implements chat.Leaser.
func (db *DB) Release(ctx context.Context, owner string, of chat.Orphan) error {
	const sql = `UPDATE conversations SET run_seq = NULL, run_owner = NULL, run_until = NULL WHERE id = $1 AND run_seq = $2 AND run_owner = $3`
	return db.turns.doAgain(ctx, "release a lease", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, of.Conversation, of.ForSeq, owner)
		return err
	})
}
