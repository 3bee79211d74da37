package ws

import (
	"cmp"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Rate is how many frames one connection may send.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limits are stated in welcome and enforced. Zero values mean the defaults.
type Limits struct {
	FrameBytes int // of one frame; 64 KiB
	QueueBytes int // waiting for one reader; 256 KiB

	// A burst lets a client that comes back open all its conversations at once.
	Customer Rate // 5 per second, burst 20
	Agent    Rate // 30 per second, burst 1,200
	Source   Rate // 2,000 per second, burst 4,000: one tool carries many chats

	PerAddress   int           // sockets of customers from one address; 200
	Refused      int           // sockets at a time that are upgraded only to be told why not; 256
	Opened       int           // conversations an agent or a source may have open; 1,000
	PingEvery    time.Duration // 25 s, less up to a fifth so that pings spread
	PongTimeout  time.Duration // 10 s after a ping
	WriteTimeout time.Duration // of one write; 2 s
	RecheckEvery time.Duration // how often Revoked is asked; 2 s
}

func (l Limits) withDefaults() Limits {
	l.FrameBytes = cmp.Or(l.FrameBytes, 64<<10)
	l.QueueBytes = cmp.Or(l.QueueBytes, 256<<10)
	l.Customer = cmp.Or(l.Customer, Rate{5, 20})
	l.Agent = cmp.Or(l.Agent, Rate{30, 1200})
	l.Source = cmp.Or(l.Source, Rate{2000, 4000})
	l.PerAddress = cmp.Or(l.PerAddress, 200)
	l.Refused = cmp.Or(l.Refused, 256)
	l.Opened = cmp.Or(l.Opened, 1000)
	l.PingEvery = cmp.Or(l.PingEvery, 25*time.Second)
	l.PongTimeout = cmp.Or(l.PongTimeout, 10*time.Second)
	l.WriteTimeout = cmp.Or(l.WriteTimeout, 2*time.Second)
	l.RecheckEvery = cmp.Or(l.RecheckEvery, 2*time.Second)
	return l
}

// Rate gives what one connection, or one subject over HTTP, may send.
func (l Limits) Rate(a assist.Actor) Rate { return l.withDefaults().rate(a) }

func (l Limits) rate(a assist.Actor) Rate {
	switch a {
	case assist.ActorSource:
		return l.Source
	case assist.ActorAgent:
		return l.Agent
	}
	return l.Customer
}

func (l Limits) opened(a assist.Actor) int {
	if a == assist.ActorCustomer {
		return 1
	}
	return l.Opened
}
