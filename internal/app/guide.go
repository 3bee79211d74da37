package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
)

const (
	maxProcedures = 2000            // documents that the playbook is made of; more are left out, with a warning
	actedQueue    = 1000            // actions and replies that wait to be learned from; more are let go
	flushEvery    = 5 * time.Second // how often what was learned is stored
	actedFor      = 10 * time.Second

	// An ingest changes the knowledge batch by batch; the playbook follows at
	// this distance.
	betweenRemakes = time.Second

	actedTurns = 200
)

// guide is the playbook of this process: the procedures of the current
// knowledge, what was learned of them, and the limits. It owns one goroutine,
// which learns from what agents do and stores it; Stop waits for it.
type guide struct {
	db      *postgres.DB
	log     *slog.Logger
	now     func() time.Time
	weights *playbook.Weights

	mu      sync.Mutex
	version int64 // of the knowledge that book was made from
	wanted  int64 // that it is to be made from next
	made    time.Time
	book    suggest.Playbook

	queue    chan actedIn
	stale    chan struct{}
	stopping chan struct{}
	done     chan struct{}
}

type actedIn struct {
	conversation string
	turn         assist.Turn
}

// newGuide loads what was learned. Malformed limits are an error.
func newGuide(ctx context.Context, db *postgres.DB, log *slog.Logger) (*guide, error) {
	g := &guide{db: db, log: log, now: time.Now, weights: playbook.NewWeights(),
		queue: make(chan actedIn, actedQueue), stale: make(chan struct{}, 1), stopping: make(chan struct{}), done: make(chan struct{})}
	learned, err := db.StepWeights(ctx)
	if err != nil {
		return nil, err
	}
	g.weights.Load(learned)
	go g.run()
	return g, nil
}

// Playbook implements suggest.Guide. Only the first call waits for it to be made.
// When the knowledge has changed, and each minute, it is made again behind the
// agents' backs: procedures begin and end with their dates, limits may change.
func (g *guide) Playbook(ctx context.Context, version int64) (suggest.Playbook, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.book.Book == nil {
		book, err := g.load(ctx)
		if err != nil {
			return suggest.Playbook{}, err
		}
		g.book, g.version, g.made = book, version, g.now()
		return book, nil
	}
	age := g.now().Sub(g.made)
	if g.version != version && age > betweenRemakes || age > time.Minute {
		g.wanted = version
		select {
		case g.stale <- struct{}{}:
		default: // asked for already
		}
	}
	return g.book, nil
}

// refresh makes the playbook again without keeping anybody waiting meanwhile.
func (g *guide) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), actedFor)
	defer cancel()
	g.mu.Lock()
	version := g.wanted
	g.mu.Unlock()
	fresh, err := g.load(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.made = g.now()
	if err != nil {
		g.log.Warn("the playbook stays as it was", "err", err)
		return
	}
	g.book, g.version = fresh, version
}

func (g *guide) load(ctx context.Context) (suggest.Playbook, error) {
	book, err := loadBook(ctx, g.db, g.log)
	if err != nil {
		return suggest.Playbook{}, err
	}
	body, err := g.db.Authority(ctx)
	if err != nil {
		return suggest.Playbook{}, err
	}
	var authority playbook.Authority
	if body != "" {
		if authority, err = playbook.ParseAuthority([]byte(body)); err != nil {
			return suggest.Playbook{}, fmt.Errorf("stored authority: %w", err)
		}
	}
	return suggest.Playbook{Book: book, Weights: g.weights, Authority: authority}, nil
}

func loadBook(ctx context.Context, db *postgres.DB, log *slog.Logger) (*playbook.Book, error) {
	ids, err := db.ProcedureIDs(ctx, maxProcedures+1)
	if err != nil {
		return nil, err
	}
	if len(ids) > maxProcedures {
		log.Warn("there are more procedures than next steps are made of; the rest is left out", "limit", maxProcedures)
		ids = ids[:maxProcedures]
	}
	var procs []playbook.Procedure
	for _, id := range ids {
		doc, err := db.Document(ctx, retrieve.Scope{Audience: assist.AudienceInternal}, id)
		if err != nil {
			return nil, err
		}
		if doc == nil {
			continue
		}
		if p, ok := playbook.Parse(*doc); ok {
			procs = append(procs, p)
		}
	}
	return playbook.NewBook(procs), nil
}

// Spent implements suggest.Guide.
func (g *guide) Spent(ctx context.Context, m assist.Moment) (playbook.Spent, error) {
	found, err := g.db.SpentGestures(ctx, customerOf(m.Conversation, m.Turns), m.Conversation)
	if err != nil {
		return nil, err
	}
	spent := playbook.Spent{}
	for key, n := range found {
		spent[playbook.SpentKey(key[0], key[1])] = playbook.Amount(n)
	}
	return spent, nil
}

// Hold implements suggest.Guide.
func (g *guide) Hold(ctx context.Context, m assist.Moment, gesture, period string, amount, limit playbook.Amount) (bool, error) {
	return g.db.HoldGesture(ctx, postgres.Claim{Customer: customerOf(m.Conversation, m.Turns), Conversation: m.Conversation,
		Gesture: gesture, Period: period, Amount: int64(amount), Limit: int64(limit), By: m.Agent.Subject})
}

// customerOf names the customer that gestures are counted for: who wrote, by
// their token. A chat tool reports all its customers under its own name; there
// the conversation is all that is known.
func customerOf(conversation string, turns []assist.Turn) string {
	for _, t := range turns {
		if t.Role != assist.RoleCustomer {
			continue
		}
		for _, o := range turns {
			if o.Author == t.Author && o.Role != assist.RoleCustomer {
				return "conversation " + conversation
			}
		}
		if t.Author == "" || t.ExternalID != "" {
			return "conversation " + conversation
		}
		return "customer " + t.Author
	}
	return "conversation " + conversation
}

// acted takes note of a reported action or a sent reply. It never blocks: when
// too many wait, this one is not learned from.
func (g *guide) acted(conversation string, turn assist.Turn) {
	select {
	case g.queue <- actedIn{conversation, turn}:
	default:
		g.log.Warn("a step was not learned from: too many wait", "conversation", conversation, "seq", turn.Seq)
	}
}

// stop learns from what waits, as long as ctx allows, and stores it.
func (g *guide) stop(ctx context.Context) error {
	close(g.stopping)
	select {
	case <-g.done:
		return nil
	case <-ctx.Done():
		for {
			select {
			case <-g.queue: // let the rest go
			case <-g.done:
				return ctx.Err()
			}
		}
	}
}

func (g *guide) run() {
	defer close(g.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case a := <-g.queue:
			g.learn(a)
		case <-tick.C:
			g.flush()
		case <-g.stale:
			g.refresh()
		case <-g.stopping:
			for {
				select {
				case a := <-g.queue:
					g.learn(a)
					continue
				default:
				}
				g.flush()
				return
			}
		}
	}
}

// learn takes one action or reply into the weights, and counts a gesture that
// was given.
func (g *guide) learn(a actedIn) {
	ctx, cancel := context.WithTimeout(context.Background(), actedFor)
	defer cancel()
	turns, _, err := g.db.Transcript(ctx, a.conversation, actedTurns)
	if err != nil {
		g.log.Warn("a step was not learned from", "conversation", a.conversation, "seq", a.turn.Seq, "err", err)
		return
	}
	for len(turns) > 0 && turns[len(turns)-1].Seq > a.turn.Seq {
		turns = turns[:len(turns)-1]
	}
	g.mu.Lock()
	version := g.version
	g.mu.Unlock()
	pb, err := g.Playbook(ctx, version)
	if err != nil {
		g.log.Warn("a step was not learned from", "conversation", a.conversation, "seq", a.turn.Seq, "err", err)
		return
	}
	pb.Weights.Follow(pb.Book, turns)
	if a.turn.Action != nil {
		g.count(ctx, pb.Authority, a, turns)
	}
}

// count records a gesture that an agent reports to have given.
func (g *guide) count(ctx context.Context, authority playbook.Authority, a actedIn, turns []assist.Turn) {
	gesture, ok := authority.ByAction(a.turn.Action.Name)
	if !ok {
		return
	}
	amount := playbook.Amount(100)
	if gesture.Unit != playbook.UnitCount {
		if amount = reported(a.turn.Action.Values); amount == 0 {
			g.log.Warn("a gesture was reported without its amount: it is not counted", "conversation", a.conversation, "seq", a.turn.Seq)
			return
		}
	}
	for _, period := range authority.Periods(gesture.ID) {
		_, err := g.db.HoldGesture(ctx, postgres.Claim{Customer: customerOf(a.conversation, turns), Conversation: a.conversation, Gesture: gesture.ID,
			Period: playbook.PeriodKey(period, a.turn.At, a.conversation), Amount: int64(amount), By: a.turn.Author, Given: true})
		if err != nil {
			g.log.Error("a gesture that was given could not be counted", "conversation", a.conversation, "seq", a.turn.Seq, "err", err)
		}
	}
}

// reported reads the amount among the values of an action: the first number,
// with or without a currency's sign.
func reported(values []string) playbook.Amount {
	for _, v := range values {
		v = strings.ReplaceAll(strings.TrimFunc(v, func(r rune) bool { return r < '0' || r > '9' }), ",", "")
		if units, err := strconv.ParseFloat(v, 64); err == nil {
			if a, ok := playbook.Hundredths(units); ok && a > 0 {
				return a
			}
		}
	}
	return 0
}

func (g *guide) flush() {
	changes := g.weights.Take()
	if len(changes) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), actedFor)
	defer cancel()
	if err := g.db.AddStepWeights(ctx, changes); err != nil {
		g.log.Warn("what was learned of next steps could not be stored; this process keeps it", "features", len(changes), "err", err)
	}
}

// PutAuthority reads authority.yaml out of the folders that are ingested and
// stores it. A malformed file is refused with its line; without one the limits
// in force stay.
func PutAuthority(ctx context.Context, db *postgres.DB, paths []string) error {
	for _, dir := range paths {
		file := filepath.Join(dir, playbook.AuthorityFile)
		body, err := os.ReadFile(file)
		if err != nil {
			continue // no folder, or no limits in it
		}
		if _, err := playbook.ParseAuthority(body); err != nil {
			return assist.Errorf(assist.Invalid, "%s, %v; the limits in force stay as they are", file, err)
		}
		return db.PutAuthority(ctx, string(body), file)
	}
	return nil
}

// LearnSteps learns order and choice of next steps from a file of past
// conversations and stores it: the steps of `aside learn`. A running server has
// it from its next start.
func LearnSteps(ctx context.Context, db *postgres.DB, file string, log *slog.Logger) (playbook.Learned, error) {
	book, err := loadBook(ctx, db, log)
	if err != nil {
		return playbook.Learned{}, err
	}
	past, err := measure.ReadPast(book, file)
	if err != nil {
		return playbook.Learned{}, err
	}
	weights := playbook.NewWeights()
	known, err := db.StepWeights(ctx)
	if err != nil {
		return playbook.Learned{}, err
	}
	weights.Load(known)
	out := weights.Learn(book, past)
	return out, db.AddStepWeights(ctx, weights.Take())
}
