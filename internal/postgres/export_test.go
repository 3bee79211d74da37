package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"github.com/aside-project/aside/internal/retrieve"
)

var EditDistance = editDistance

// Query runs SQL in the pool called turns, search, public, bot or ingest and gives
// all values.
func (db *DB) Query(ctx context.Context, name, sql string, args ...any) (rows [][]any, err error) {
	p := map[string]*pool{"turns": db.turns, "search": db.search, "public": db.public, "bot": db.bot, "ingest": db.ingest}[name]
	_, err = p.try(ctx, func(ctx context.Context, conn *pgx.Conn) (err error) {
		rows, err = collect(ctx, conn, func(row pgx.CollectableRow) ([]any, error) { return row.Values() }, sql, args...)
		return err
	})
	return rows, err
}

// CustomerQuery runs SQL as a customer's connection does, set to a conversation.
func (db *DB) CustomerQuery(ctx context.Context, conversation, sql string) (rows [][]any, err error) {
	_, err = db.public.try(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		var b pgx.Batch
		b.Queue(`SELECT set_config('aside.conversation', $1, true)`, conversation)
		b.Queue(sql).Query(func(r pgx.Rows) (err error) {
			rows, err = pgx.CollectRows(r, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
			return err
		})
		return conn.SendBatch(ctx, &b).Close()
	})
	return rows, err
}

// Hold takes a connection of a pool until release is called.
func (db *DB) Hold(t testing.TB, name string) (release func()) {
	p := map[string]*pool{"turns": db.turns, "search": db.search}[name]
	conn, err := p.conns.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return conn.Release
}

// DenseQuery is the statement of a search by vector that may use an index.
func DenseQuery(scope retrieve.Scope, dim, model int, vector []float32) (sql string, args []any) {
	return nearSQL(scope, indexed(dim)), filter(scope, pgvector.NewHalfVector(vector), model, hits(scope), near(scope))
}

// LexicalQuery is the statement of a search by terms.
var LexicalQuery = lexicalSQL

// ReadsReplica says whether retrieval reads from the replica now.
func (db *DB) ReadsReplica() bool { return db.Replica().Serves }

// HoldKnowledge reads the knowledge into memory now.
func (db *DB) HoldKnowledge(t testing.TB) {
	db.held.read(t.Context())
	if h := db.held.now.Load(); h != nil {
		db.held.seen.Store(h.version)
	}
}

// LetKnowledgeGo has searches go to the database until it is read again.
func (db *DB) LetKnowledgeGo() { db.held.now.Store(nil) }

// Holds says whether a search is answered from memory.
func (db *DB) Holds(scope retrieve.Scope) bool { return db.heldFor(scope) != nil }

var Halves = halves

// BlockRows is how many rows a block of the lists of terms has, OverFrom how many of
// the past stay one.
const (
	BlockRows = blockRows
	OverFrom  = overFrom
)
