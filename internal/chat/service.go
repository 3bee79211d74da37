package chat

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// QueueTopic is where changes of the queue are published. Everything else goes
// to the topic named like its conversation, but for what nodes say to each other:
// that is on a topic which no conversation can be called.
const (
	QueueTopic = "queue"
	nodesTopic = "\x00chat"
)

// Options are the parts and numbers of a Service; the zero value of each has a
// sensible meaning.
type Options struct {
	Logger   *slog.Logger      // nil: slog.Default
	Owner    string            // names this process in leases; "": random
	Now      func() time.Time  // nil: time.Now
	Checker  Checker           // nil: CheckDraft finds nothing
	Prefetch func(text string) // called with what a customer is typing; must not block

	// Replied is called after the commit with every turn that an agent wrote, once,
	// and Acted with those and with every reported action. turns are the
	// conversation's up to this one, at most MaxTurns and not to be changed; nil
	// where only the store knows them. Neither may block.
	Replied func(conversation string, reply assist.Turn, turns []assist.Turn)
	Acted   func(conversation string, turn assist.Turn, turns []assist.Turn)

	// Ended is called after the commit that closed a conversation; it must not block.
	Ended func(conversation string)

	// Elsewhere hands take what other nodes publish on a topic, until cancel; take
	// publishes, and does not subscribe. nil: there are no other nodes.
	Elsewhere func(topic string, take func(assist.Event)) (cancel func())

	// Watched says whether an agent looks at a conversation through another node;
	// it must not block. nil: nobody does.
	Watched func(conversation string) bool

	// Roles are what agents may give as they were last seen, and RoleSeen is
	// called when one changes; it must not block.
	Roles    map[string]string
	RoleSeen func(agent, role string)

	// Reading is called when an agent has read AlarmReads conversations within an
	// hour, once per agent and hour; it must not block.
	Reading func(agent string, conversations int)

	// Shed is called with each thing that was left out under load; it must not block.
	Shed func(Shed)

	Bot      Bot           // nil: customers go straight to people
	BotPause time.Duration // how long a customer must have paused before the bot answers; 0: BurstPause
	BotRuns  int           // answers of the bot at work at a time; 0: 4
	BotQueue int           // answers at work or in line; beyond it people are asked at once; 0: 512

	BurstPause time.Duration // how long a burst must pause before the model is called; 0: 1.2 s
	LeaseFor   time.Duration // 0: 3.5 s with a Leaser, else 2 min
	SweepEvery time.Duration // how often leases are renewed and orphans looked for; 0: 1 s
	LeaveGrace time.Duration // how long a watched run goes on when everybody has left; 0: 500 ms
	SoftStop   time.Duration // how long Stop lets suggestions finish; 0: 3 s
	StoreFor   time.Duration // bound of one call to the store; 0: 10 s
	RetryPause time.Duration // before a suggestion is stored again, doubled each time; 0: 100 ms
	IdleFor    time.Duration // a conversation this long untouched is forgotten; 0: 5 min
	MaxRuns    int           // suggestions with a written draft at work at a time; 0: 256. A quarter more get none: see admit.go
	AlarmReads int           // conversations one agent may read in an hour before Reading is called; 0: 1,000
	MostReads  int           // … before no others can be read; 0: 20,000
	MaxLine    int           // suggestions that wait in line; beyond it none is begun; 0: 1,024
	Openings   int           // conversations that are opened at a time, fewer than the store takes turns; 0: 6
	MaxTurns   int           // of a transcript kept and shown to a run; 0: 200
}

// Service holds the live conversations of this process. Its methods are safe for
// concurrent use.
type Service struct {
	store     Store
	leaser    Leaser // nil when the store has none
	opener    Opener // nil when the store has none
	suggester Suggester
	scout     Scout // nil when the suggester is none
	bus       Publisher
	log       *slog.Logger
	opts      Options

	slots    chan struct{} // one per run at work
	scouting chan struct{} // one per turn that is looked up while it is being stored
	openings chan struct{} // one per conversation that is being opened
	handed   chan struct{} // one per run at work for a conversation that the bot handed over and nobody took yet
	botSlots chan struct{} // one per answer of the bot at work
	botLine  chan struct{} // one per answer of the bot at work or in line
	agents   gate          // runs whose agent still waits for the instant draft
	base     context.Context
	cancel   context.CancelCauseFunc
	stopping chan struct{} // closed when Stop begins

	mu      sync.Mutex
	stopped bool
	line    int            // runs that wait for a slot
	wg      sync.WaitGroup // every goroutine of the service; grows only under mu while not stopped
	chats   map[string]*live
	reads   map[string]*reading
	roles   map[string]string // agent → what they may give, as their last token said
	quit    func()            // ends the subscription to nodesTopic
}

// Why a run ends before its time; the cause of its context.
var (
	errSuperseded = errors.New("superseded by a newer message")
	errAnswered   = errors.New("answered")
	errClosed     = errors.New("the conversation was closed")
	errStopping   = errors.New("the server is stopping")
	errLeft       = errors.New("everybody who watched has left")
)

// New makes a Service. A nil suggester makes no suggestions.
func New(store Store, suggester Suggester, bus Publisher, o Options) *Service {
	leaser, _ := store.(Leaser)
	opener, _ := store.(Opener)
	scout, _ := suggester.(Scout)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Owner = cmp.Or(o.Owner, "node_"+randomID())
	o.BurstPause = cmp.Or(o.BurstPause, 1200*time.Millisecond)
	o.BotPause = cmp.Or(o.BotPause, o.BurstPause)
	o.BotRuns = cmp.Or(o.BotRuns, 4)
	o.BotQueue = cmp.Or(o.BotQueue, 512)
	if leaser != nil {
		o.LeaseFor = cmp.Or(o.LeaseFor, 3500*time.Millisecond)
	}
	o.LeaseFor = cmp.Or(o.LeaseFor, 2*time.Minute)
	o.SweepEvery = cmp.Or(o.SweepEvery, time.Second)
	o.LeaveGrace = cmp.Or(o.LeaveGrace, 500*time.Millisecond)
	o.SoftStop = cmp.Or(o.SoftStop, 3*time.Second)
	o.StoreFor = cmp.Or(o.StoreFor, 10*time.Second)
	o.RetryPause = cmp.Or(o.RetryPause, 100*time.Millisecond)
	o.IdleFor = cmp.Or(o.IdleFor, 5*time.Minute)
	o.MaxRuns = cmp.Or(o.MaxRuns, 256)
	o.AlarmReads = cmp.Or(o.AlarmReads, 1000)
	o.MostReads = cmp.Or(o.MostReads, 20_000)
	o.MaxLine = cmp.Or(o.MaxLine, 1024)
	o.Openings = cmp.Or(o.Openings, 6)
	o.MaxTurns = cmp.Or(o.MaxTurns, 200)
	s := &Service{store: store, leaser: leaser, opener: opener, suggester: suggester, scout: scout, bus: bus, log: o.Logger, opts: o,
		slots: make(chan struct{}, o.MaxRuns+o.MaxRuns/4), scouting: make(chan struct{}, mostScouting), openings: make(chan struct{}, o.Openings), handed: make(chan struct{}, 1),
		botSlots: make(chan struct{}, o.BotRuns), botLine: make(chan struct{}, o.BotQueue),
		stopping: make(chan struct{}), chats: map[string]*live{}, reads: map[string]*reading{}, roles: maps.Clone(o.Roles)}
	if s.roles == nil {
		s.roles = map[string]string{}
	}
	s.base, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// Start begins to take over suggestions that a dead process left.
func (s *Service) Start() {
	if s.opts.Elsewhere != nil {
		quit := s.opts.Elsewhere(nodesTopic, s.asked)
		s.mu.Lock()
		s.quit = quit
		s.mu.Unlock()
	}
	s.spawn(s.sweep)
}

// Stop starts no more suggestions, lets those at work finish for a few seconds
// or until ctx ends, cancels the rest and waits for every goroutine. What was
// cancelled is taken over by another process, or by this one's next start. Turns
// can still be stored after Stop; nothing runs for them here.
func (s *Service) Stop(ctx context.Context) {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		close(s.stopping)
	}
	quit := s.quit
	s.quit = nil
	s.mu.Unlock()
	if quit != nil {
		quit()
	}
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }() // waited for below
	soft := time.NewTimer(s.opts.SoftStop)
	defer soft.Stop()
	select {
	case <-done:
	case <-soft.C:
	case <-ctx.Done():
	}
	s.cancel(errStopping)
	<-done
}

// spawn runs f in a goroutine that Stop waits for; false after Stop began.
func (s *Service) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return false
	}
	s.wg.Go(f)
	return true
}

// Load is how much waits or works now, and how much may.
type Load struct {
	Conversations        int // held in memory
	Runs, MostRuns       int // suggestions at work
	Line, MostLine       int // suggestions in line
	Bot, MostBot         int // answers of the bot at work
	BotLine, MostBotLine int // answers of the bot at work or in line
}

// Load tells it from memory.
func (s *Service) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Load{Conversations: len(s.chats), Runs: len(s.slots), MostRuns: cap(s.slots), Line: s.line, MostLine: s.opts.MaxLine,
		Bot: len(s.botSlots), MostBot: cap(s.botSlots), BotLine: len(s.botLine), MostBotLine: cap(s.botLine)}
}

// get gives the live state of a conversation, which stays until put.
func (s *Service) get(id string) *live {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.chats[id]
	if l == nil {
		l = &live{id: id, commit: make(chan struct{}, 1)}
		s.chats[id] = l
		if s.opts.Elsewhere != nil {
			l.quit = s.opts.Elsewhere(id, func(e assist.Event) { s.elsewhere(l, e) })
		}
	}
	l.users++
	return l
}

func (s *Service) put(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.users--
	l.touched = s.opts.Now()
}

// forget drops conversations that nobody uses and nobody touched for a while. Of
// those that are only looked at it drops what was said.
func (s *Service) forget() {
	var gone []func()
	s.mu.Lock()
	old := s.opts.Now().Add(-s.opts.IdleFor)
	for id, l := range s.chats {
		switch {
		case !l.touched.Before(old):
		case l.users == 0:
			delete(s.chats, id)
			if l.quit != nil {
				gone = append(gone, l.quit)
			}
		default:
			l.mu.Lock()
			if l.users == l.viewers && l.log.whole {
				l.log.turns, l.log.steps, l.latest = nil, nil, nil
				l.log.doubt()
			}
			l.mu.Unlock()
		}
	}
	s.mu.Unlock()
	for _, quit := range gone {
		quit()
	}
}

// enter gives a conversation whose commits wait until leave. Its error means
// that ctx ended first.
func (s *Service) enter(ctx context.Context, id string) (*live, error) {
	l := s.get(id)
	select {
	case l.commit <- struct{}{}:
		return l, nil
	case <-ctx.Done():
		s.put(l)
		return nil, assist.Wrap(context.Cause(ctx), assist.Unavailable, "the conversation is busy: try again")
	}
}

func (s *Service) leave(l *live) {
	<-l.commit
	s.put(l)
}

// storing bounds a call to the store. It does not end with ctx: a caller who goes
// away must not cut a write in the middle, nor cost a database connection.
func (s *Service) storing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.opts.StoreFor)
}

// randomID gives 26 characters of base32, 130 bits that nobody guesses.
func randomID() string { return strings.ToLower(rand.Text()) }
