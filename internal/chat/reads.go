package chat

import (
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// reading is what an agent read within an hour.
type reading struct {
	since         time.Time
	conversations map[string]struct{}
	alarmed       bool
}

// maxReaders bounds the agents that are counted; tokens name them, so that there
// are more only when somebody signs for very many.
const maxReaders = 10_000

// reading counts the different conversations an agent reads, so that whoever
// copies them all is noticed, and stopped in the end. Reading one again, as after
// a lost connection, counts nothing.
func (s *Service) reading(who assist.Identity, conversation string) error {
	if who.Actor != assist.ActorAgent || who.Subject == s.opts.Owner {
		return nil
	}
	now := s.opts.Now()
	s.mu.Lock()
	r := s.reads[who.Subject]
	if r == nil || now.Sub(r.since) >= time.Hour {
		if len(s.reads) >= maxReaders {
			clear(s.reads)
		}
		r = &reading{since: now, conversations: map[string]struct{}{}}
		s.reads[who.Subject] = r
	}
	_, again := r.conversations[conversation]
	full := !again && len(r.conversations) >= s.opts.MostReads
	if !full {
		r.conversations[conversation] = struct{}{}
	}
	n := len(r.conversations)
	alarm := n >= s.opts.AlarmReads && !r.alarmed
	r.alarmed = r.alarmed || alarm
	s.mu.Unlock()
	if alarm {
		s.log.Warn("an agent reads unusually many conversations", "agent", who.Subject, "conversations", n, "within", "1h")
		if s.opts.Reading != nil {
			s.opts.Reading(who.Subject, n)
		}
	}
	if full {
		return assist.Errorf(assist.RateLimited, "you have read %d conversations within an hour, which is the most", n)
	}
	return nil
}
