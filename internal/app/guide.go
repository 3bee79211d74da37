package app

import (
	"cmp"
	"context"
	"crypto/sha256"
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
	followEvery   = 2 * time.Second // how often what other nodes changed is looked for
	actedFor      = 10 * time.Second
	actedTries    = 30 // of reading what was around a reported action
	actedPause    = time.Second

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

	roles map[string]string        // as they were when this process started
	told  func(agent, role string) // takes roles that other nodes saw; guarded by mu; nil: nobody asked
	known int64                    // version of what was learned; the owner goroutine's
	marks postgres.Marks           // what of the others is known here; the owner goroutine's

	queue    chan actedIn
	stale    chan struct{}
	stopping chan struct{}
	done     chan struct{}
}

// actedIn is something to learn from or to store: an action or reply, the end of
// a conversation, or an agent's role.
type actedIn struct {
	conversation string
	turn         assist.Turn
	turns        []assist.Turn // up to it; nil: only the database knows them
	ended        bool
	agent, role  string
}

const maxRoles = 10000 // agents whose roles are loaded at a start

// newGuide loads what was learned. Malformed limits are an error.
func newGuide(ctx context.Context, db *postgres.DB, log *slog.Logger) (*guide, error) {
	g := &guide{db: db, log: log, now: time.Now, weights: playbook.NewWeights(),
		queue: make(chan actedIn, actedQueue), stale: make(chan struct{}, 1), stopping: make(chan struct{}), done: make(chan struct{})}
	var err error
	if g.marks, err = db.Marks(ctx); err != nil {
		return nil, err
	}
	g.known = g.marks.Steps
	learned, err := db.StepWeights(ctx)
	if err != nil {
		return nil, err
	}
	if g.roles, err = db.AgentRoles(ctx, maxRoles); err != nil {
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
func (g *guide) refresh() bool {
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
		return false
	}
	g.book, g.version = fresh, version
	return true
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
	customer, err := g.customer(ctx, m.Conversation, m.Turns)
	if err != nil {
		return false, err
	}
	return g.db.HoldGesture(ctx, postgres.Claim{Customer: customer, Conversation: m.Conversation,
		Gesture: gesture, Period: period, Amount: int64(amount), Limit: int64(limit), By: m.Agent.Subject})
}

// customer names the customer that gestures are counted for: as the chat tool
// calls them, else as customerOf says.
func (g *guide) customer(ctx context.Context, conversation string, turns []assist.Turn) (string, error) {
	named, err := g.db.CustomerOf(ctx, conversation)
	if err != nil {
		return "", err
	}
	if named != "" {
		return named, nil
	}
	return customerOf(conversation, turns), nil
}

// customerOf names the customer by who wrote, as their token says. A chat tool
// reports all its customers under its own name; there the conversation is all
// that is known.
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
func (g *guide) acted(conversation string, turn assist.Turn, turns []assist.Turn) {
	g.enqueue(actedIn{conversation: conversation, turn: turn, turns: turns})
}

// ended takes note of a closed conversation: its end is a step too.
func (g *guide) ended(conversation string) {
	g.enqueue(actedIn{conversation: conversation, ended: true})
}

// roleSeen takes note of what an agent may give.
func (g *guide) roleSeen(agent, role string) { g.enqueue(actedIn{agent: agent, role: role}) }

func (g *guide) enqueue(a actedIn) {
	select {
	case g.queue <- a:
	default:
		g.log.Warn("a step was not learned from: too many wait", "conversation", a.conversation, "seq", a.turn.Seq, "agent", a.agent)
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
	look := time.NewTicker(followEvery)
	defer look.Stop()
	failing := false
	for {
		select {
		case a := <-g.queue:
			surviving(g.log, a.conversation, func() { g.learn(a) })
		case <-tick.C:
			g.flush()
		case <-look.C:
			err := g.follow()
			if err != nil && !failing { // once per outage
				g.log.Warn("what other nodes changed could not be looked for; it is tried again", "err", err)
			}
			failing = err != nil
		case <-g.stale:
			g.refresh()
		case <-g.stopping:
			for {
				select {
				case a := <-g.queue:
					surviving(g.log, a.conversation, func() { g.learn(a) })
					continue
				default:
				}
				g.flush()
				return
			}
		}
	}
}

// learn takes one action or reply into the weights, and counts a gesture that was
// given.
func (g *guide) learn(a actedIn) {
	if a.agent != "" {
		ctx, cancel := context.WithTimeout(context.Background(), actedFor)
		defer cancel()
		if err := g.db.PutAgentRole(ctx, a.agent, a.role); err != nil {
			g.log.Warn("an agent's role was not remembered", "agent", a.agent, "err", err)
		}
		return
	}
	turns, pb, err := g.around(a)
	for n := 1; err != nil && a.turn.Action != nil && n < actedTries && g.rest(); n++ { // what was given is money: it is not let go so soon
		turns, pb, err = g.around(a)
	}
	if err != nil {
		g.log.Warn("a step was not learned from", "conversation", a.conversation, "seq", a.turn.Seq, "err", err)
		return
	}
	if a.ended {
		pb.Weights.FollowEnd(pb.Book, turns)
		return
	}
	pb.Weights.Follow(pb.Book, turns)
	if a.turn.Action != nil {
		g.count(pb.Authority, a, turns)
	}
}

// around reads the turns up to an action, and the playbook.
func (g *guide) around(a actedIn) ([]assist.Turn, suggest.Playbook, error) {
	ctx, cancel := context.WithTimeout(context.Background(), actedFor)
	defer cancel()
	turns := a.turns
	if turns == nil {
		var err error
		if turns, _, err = g.db.Transcript(ctx, a.conversation, actedTurns); err != nil {
			return nil, suggest.Playbook{}, err
		}
	}
	for !a.ended && len(turns) > 0 && turns[len(turns)-1].Seq > a.turn.Seq {
		turns = turns[:len(turns)-1]
	}
	g.mu.Lock()
	version := g.version
	g.mu.Unlock()
	pb, err := g.Playbook(ctx, version)
	return turns, pb, err
}

// rest waits before the database is asked again; false when this process stops.
func (g *guide) rest() bool {
	select {
	case <-g.stopping:
		return false
	case <-time.After(actedPause):
		return true
	}
}

// count records a gesture that an agent reports to have given. A claim is made
// once: one that failed may have been committed, and must not count twice.
func (g *guide) count(authority playbook.Authority, a actedIn, turns []assist.Turn) {
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
	ctx, cancel := context.WithTimeout(context.Background(), actedFor) // its own: what was read before may have taken long
	defer cancel()
	customer, err := g.customer(ctx, a.conversation, turns)
	if err != nil {
		g.log.Error("a gesture that was given could not be counted", "conversation", a.conversation, "seq", a.turn.Seq, "err", err)
		return
	}
	for _, period := range authority.Periods(gesture.ID) {
		_, err := g.db.HoldGesture(ctx, postgres.Claim{Customer: customer, Conversation: a.conversation, Gesture: gesture.ID,
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
	version, err := g.db.AddStepWeights(ctx, changes, nil)
	if err != nil {
		g.weights.PutBack(changes)
		g.log.Warn("what was learned of next steps could not be stored; this process keeps it", "features", len(changes), "err", err)
		return
	}
	if version == g.known+1 {
		g.known = version // nobody else has learned meanwhile
	}
}

// tellRoles hands told the roles that other nodes see, from now on.
func (g *guide) tellRoles(told func(agent, role string)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told = told
}

// follow takes over what other processes changed: knowledge and limits that were
// ingested, steps that were learned, agents' roles.
func (g *guide) follow() error {
	ctx, cancel := context.WithTimeout(context.Background(), actedFor)
	defer cancel()
	now, err := g.db.Marks(ctx)
	if err != nil {
		return err
	}
	if now.Steps != g.known {
		g.catchUp()
	}
	g.mu.Lock()
	behind := g.book.Book != nil && (now.Knowledge != g.version || !now.Authority.Equal(g.marks.Authority)) && g.now().Sub(g.made) > betweenRemakes
	if behind {
		g.wanted = now.Knowledge
	}
	made, told := g.book.Book != nil, g.told
	g.mu.Unlock()
	if !made || behind && g.refresh() {
		g.marks.Authority = now.Authority
	}
	if told != nil && now.Roles.After(g.marks.Roles) {
		// What was committed late may have an earlier time.
		roles, err := g.db.RolesSince(ctx, g.marks.Roles.Add(-flushEvery))
		if err != nil {
			return err
		}
		for agent, role := range roles {
			told(agent, role)
		}
	}
	g.marks.Roles = now.Roles
	return nil
}

// catchUp takes over what other processes have learned, such as `aside learn`.
func (g *guide) catchUp() {
	ctx, cancel := context.WithTimeout(context.Background(), actedFor)
	defer cancel()
	version, err := g.db.StepVersion(ctx)
	if err == nil && version != g.known {
		var learned map[string]float64
		if learned, err = g.db.StepWeights(ctx); err == nil {
			g.weights.Replace(learned)
			g.known = version
			g.log.Info("next steps were learned elsewhere and taken over", "version", version, "features", len(learned))
		}
	}
	if err != nil {
		g.log.Warn("what was learned elsewhere was not taken over; it is tried again", "err", err)
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

// WarnProcedures says where procedures cannot be followed: steps and procedures
// that are not there, and circles, each with its line.
func WarnProcedures(ctx context.Context, db *postgres.DB, log *slog.Logger) error {
	book, err := loadBook(ctx, db, log)
	if err != nil {
		return err
	}
	for _, p := range book.Problems() {
		if p.Name != "" { // it may be a page that is no procedure
			link := strings.TrimSuffix(filepath.Base(p.Link), ".md")
			has, err := db.HasDocument(ctx, p.Name)
			if err == nil && !has && p.Link != "" {
				has, err = db.HasDocument(ctx, link)
			}
			if err != nil {
				return err
			}
			if has {
				continue
			}
		}
		doc, err := db.Document(ctx, retrieve.Scope{Audience: assist.AudienceInternal}, p.DocumentID)
		if err != nil || doc == nil {
			return err
		}
		if doc.Source, doc.Path, err = db.DocumentFile(ctx, p.DocumentID); err != nil {
			return err
		}
		path, line := inFile(*doc, p)
		log.Warn("a procedure cannot be followed here", "path", path, "line", line, "what", p.Text)
	}
	return nil
}

// inFile gives the place of a problem in its file, where that is still there: the
// body's line is below the front matter.
func inFile(doc assist.Document, p playbook.Problem) (path string, line int) {
	path = cmp.Or(doc.Path, doc.ID)
	for _, file := range []string{doc.Path, filepath.Join(doc.Source, doc.Path), doc.Source} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		rest := doc.Body[p.At:]
		rest = strings.TrimSpace(rest[:min(len(rest), 60)])
		rest, _, _ = strings.Cut(rest, "\n")
		if at := strings.Index(string(data), rest); at >= 0 && strings.Count(string(data), rest) == 1 {
			return path, 1 + strings.Count(string(data[:at]), "\n")
		}
	}
	return path, p.Line
}

// lessonsAtOnce is how many conversations are learned from together, which
// bounds the memory.
const lessonsAtOnce = 2000

// LearnSteps learns order and choice of next steps from a file of past
// conversations and stores it: the steps of `aside learn`. Running servers take
// it over. A conversation that was learned from before, here or in another file,
// teaches nothing again. progress is told of each block; it may be nil.
func LearnSteps(ctx context.Context, db *postgres.DB, file string, log *slog.Logger, progress func(done, all int)) (out playbook.Learned, err error) {
	book, err := loadBook(ctx, db, log)
	if err != nil {
		return out, err
	}
	past, err := measure.ReadPast(book, file)
	if err != nil {
		return out, err
	}
	past, digests, err := unlearned(ctx, db, past)
	if err != nil || len(past) == 0 {
		return out, err
	}
	weights := playbook.NewWeights()
	known, err := db.StepWeights(ctx)
	if err != nil {
		return out, err
	}
	weights.Load(known)
	for i := 0; i < len(past); i += lessonsAtOnce {
		if progress != nil {
			progress(i, len(past))
		}
		end := min(i+lessonsAtOnce, len(past))
		one := weights.Learn(book, past[i:end])
		if _, err := db.AddStepWeights(ctx, weights.Take(), digests[i:end]); err != nil {
			return out, err
		}
		out.Conversations += one.Conversations
		out.Steps += one.Steps
		out.Skipped += one.Skipped
	}
	return out, nil
}

// unlearned leaves out the conversations that were learned from before, and those
// that stand in the file twice.
func unlearned(ctx context.Context, db *postgres.DB, past []playbook.Past) (fresh []playbook.Past, digests [][]byte, err error) {
	all := make([][]byte, len(past))
	for i, p := range past {
		h := sha256.New()
		for _, t := range p.Turns {
			name := ""
			if t.Action != nil {
				name = t.Action.Name
			}
			fmt.Fprintf(h, "%q %q %q\n", t.Role, t.Text, name)
		}
		all[i] = h.Sum(nil)
	}
	found, err := db.NewStepLessons(ctx, all)
	if err != nil {
		return nil, nil, err
	}
	isNew := map[string]bool{}
	for _, d := range found {
		isNew[string(d)] = true
	}
	for i, d := range all {
		if isNew[string(d)] {
			isNew[string(d)] = false
			fresh, digests = append(fresh, past[i]), append(digests, d)
		}
	}
	return fresh, digests, nil
}
