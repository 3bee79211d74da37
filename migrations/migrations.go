// Package migrations holds the database schema as numbered, forward-only SQL
// files. They name no schema: the connection's search_path says where tables go,
// so that tests and evals can have a schema of their own. A file that was
// released is never edited; a change is the next number.
package migrations

import "embed"

// Files are the migrations, by number.
//
//go:embed *.sql
var Files embed.FS
