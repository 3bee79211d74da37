package postgres

import "time"

// PoolUse is what a pool has done and does.
type PoolUse struct {
	Name             string
	InUse, Idle, Max int
	Waits            int64         // times no connection was free at once
	GaveUp           int64         // times none came before the caller's time was over
	Waited           time.Duration // in all, for those that came
}

// Pools tells how the connections are used, from memory.
func (db *DB) Pools() []PoolUse {
	var uses []PoolUse
	for _, p := range []*pool{db.turns, db.search, db.public, db.bot, db.speech, db.ingest} {
		s := p.conns.Stat()
		uses = append(uses, PoolUse{Name: p.name, InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Max: int(s.MaxConns()),
			Waits: s.EmptyAcquireCount(), GaveUp: s.CanceledAcquireCount(), Waited: s.EmptyAcquireWaitTime()})
	}
	return uses
}
