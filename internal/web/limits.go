package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/aside-project/aside/internal/assist"
)

// Rate is how many requests one subject may make.
type Rate struct {
	PerSecond float64
	Burst     int
}

// rates counts requests by subject. What is forgotten under a flood of subjects
// begins anew with a full burst.
type rates struct {
	of func(assist.Actor) Rate // nil: no limit

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// mostSubjects bounds the memory of rates.
const mostSubjects = 20_000

func (r *rates) allow(who assist.Identity) error {
	if r.of == nil {
		return nil
	}
	limit := r.of(who.Actor)
	key := string(who.Actor) + " " + who.Subject
	r.mu.Lock()
	l := r.limiters[key]
	if l == nil {
		if r.limiters == nil || len(r.limiters) >= mostSubjects {
			r.limiters = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(limit.PerSecond), limit.Burst)
		r.limiters[key] = l
	}
	r.mu.Unlock()
	if !l.Allow() {
		return assist.Errorf(assist.RateLimited, "more than %g requests per second for too long: slow down and send this one again", limit.PerSecond)
	}
	return nil
}

// Address says whose request it is: the other end of the connection or, when that
// is one of our proxies, whom it names last that is none of them. Nobody else is
// believed about others. An IPv6 customer counts by their /64: they have all of it.
func Address(r *http.Request, proxies []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	at, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	named := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(named) - 1; i >= 0 && ours(at, proxies); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(named[i]))
		if err != nil {
			break
		}
		at = next
	}
	return network(at)
}

func ours(at netip.Addr, proxies []netip.Prefix) bool {
	for _, p := range proxies {
		if p.Contains(at.Unmap()) {
			return true
		}
	}
	return false
}

func network(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
