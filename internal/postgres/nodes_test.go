package postgres_test

import (
	"context"
	"testing"

	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestHashKey holds what a Postgres that spreads rows by conversation needs: its id
// comes first in the primary key of every table that refers to conversations, and
// stands in each of their unique indexes.
func TestHashKey(t *testing.T) {
	db := testdb.Open(t)
	const sql = `SELECT c.relname || ': ' || i.indexrelid::regclass::text
		FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
		JOIN pg_index i ON i.indrelid = c.oid AND i.indisunique
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'conversation_id'
		WHERE f.contype = 'f' AND f.confrelid = 'conversations'::regclass
		  AND NOT CASE WHEN i.indisprimary THEN i.indkey[0] = a.attnum ELSE a.attnum = ANY(i.indkey) END`
	wrong, err := db.Query(t.Context(), "turns", sql)
	if err != nil || len(wrong) > 0 {
		t.Errorf("not by conversation: %v, %v", wrong, err)
	}
	tables, err := db.Query(t.Context(), "turns", `SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND confrelid = 'conversations'::regclass`)
	if err != nil || len(tables) != 1 || tables[0][0].(int64) < 5 {
		t.Errorf("%v tables refer to conversations, %v", tables, err)
	}
}

// TestAlone lets one at a time in, per name.
func TestAlone(t *testing.T) {
	db := testdb.Open(t)
	alone := func(name string, f func()) (did bool) {
		t.Helper()
		did, err := db.Alone(t.Context(), name, func(context.Context) error { f(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return did
	}
	if !alone("a", func() {
		if alone("a", func() { t.Error("two were alone") }) {
			t.Error("it says that two were alone")
		}
		if !alone("b", func() {}) {
			t.Error("another name was held back")
		}
	}) {
		t.Error("nobody was there, and it was held back")
	}
	if !alone("a", func() {}) {
		t.Error("the lock outlived its work")
	}
}
