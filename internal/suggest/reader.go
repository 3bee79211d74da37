package suggest

import (
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/playbook"
)

// How much a reader keeps.
const (
	mostSayings    = 2048 // passages, about 3 KB each
	mostProcedures = 512  // documents; those that are no procedures take next to nothing
)

// reader remembers what was read of the passages and procedures that came last.
// Many questions find the same few.
type reader struct {
	sayings    *lex.Memo[sayingsKey, *sayings]
	procedures *lex.Memo[procedureKey, readProcedure]
}

func newReader() *reader {
	return &reader{lex.NewMemo[sayingsKey, *sayings](mostSayings), lex.NewMemo[procedureKey, readProcedure](mostProcedures)}
}

type procedureKey struct {
	document string
	version  int64 // of the knowledge
	audience assist.Audience
}

type readProcedure struct {
	playbook.Procedure
	is bool
}
