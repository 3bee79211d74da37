package ws

import (
	"math/rand/v2"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// due is when the tender looks at a connection next.
type due struct {
	ping    time.Time
	recheck time.Time
}

// firstDue spreads the pings of connections that came at once.
func (s *Server) firstDue() due {
	now, every := time.Now(), s.opts.Limits.PingEvery
	jitter := time.Duration(rand.Int64N(int64(every)/5 + 1))
	return due{ping: now.Add(every - jitter), recheck: now.Add(s.opts.Limits.RecheckEvery)}
}

// tend is one goroutine for all connections: it pings them, ends those whose
// token has expired or was revoked, and waits for none of them. It lives while
// there are connections; Shutdown waits for it.
func (s *Server) tend(alone <-chan struct{}) {
	defer s.handlers.Done()
	l := s.opts.Limits
	tick := time.NewTicker(max(time.Millisecond, min(l.PingEvery/10, l.RecheckEvery/4, 250*time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			s.mu.Lock()
			for c := range s.conns {
				c.tended(now)
			}
			s.mu.Unlock()
			s.tendPeers(now)
		case <-alone:
			return
		}
	}
}

func (c *conn) tended(now time.Time) {
	l := c.s.opts.Limits
	if !now.Before(c.due.ping) {
		c.due.ping = now.Add(l.PingEvery - l.PingEvery/10)
		c.put(item{ping: true}, true) // a reader with half its queue full will be found out by its queue
	}
	if !c.who.Expires.IsZero() && !c.s.opts.Now().Before(c.who.Expires) {
		c.close(unauthenticated, "the token has expired: reconnect with a new one")
	}
	if c.s.opts.Revoked != nil && !now.Before(c.due.recheck) {
		c.due.recheck = now.Add(l.RecheckEvery)
		if err := c.s.opts.Revoked(c.who); err != nil {
			c.close(closeCode(err), assist.MessageOf(err))
		}
	}
}
