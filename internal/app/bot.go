package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/llm/openai"
	"github.com/aside-project/aside/internal/observe"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
	"github.com/aside-project/aside/internal/web"
)

var _ web.Widget = (*frontDoor)(nil)

// botKnowledge is the knowledge as the bot reads it: every connection is the
// public role's.
type botKnowledge struct {
	*retrieve.Retriever
	postgres.Customers
}

// botSuggester is the pipeline with a customer's eyes, a model with a cap, and
// the threshold that the settings name.
type botSuggester struct {
	make func(threshold float64) *suggest.Suggester
	set  func() bot.Settings
	now  atomic.Pointer[made]
}

type made struct {
	threshold float64
	*suggest.Suggester
}

// Run implements bot.Suggester.
func (s *botSuggester) Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	threshold := s.set().AnswerFrom() // weaker ones cost no tokens: the bot would not give their answers
	now := s.now.Load()
	if now == nil || now.threshold != threshold {
		now = &made{threshold, s.make(threshold)}
		s.now.Store(now)
	}
	return now.Run(ctx, m, w)
}

// newBot makes the customer's bot. Its model is a client of its own: what
// customers do to it does not open the agents' circuit breaker.
func (a *App) newBot(set *prompt.Set) (*bot.Bot, error) {
	s := &botSuggester{}
	b := bot.New(bot.Options{Suggester: s, Counter: botCounter{a.db.DB}, Logger: a.log})
	s.set = b.Settings
	o := suggest.Options{Prompts: set, Logger: a.log}
	if m := a.cfg.Model; m.On() {
		client, err := openai.New(openai.Config{BaseURL: m.BaseURL, APIKey: m.APIKey, Model: m.Model, AllowInsecure: m.AllowHTTP, Logger: a.log})
		if err != nil {
			return nil, fmt.Errorf("the bot's chat model: %w", err)
		}
		o.Model = bot.Meter{Model: a.watched.Model(observe.ForBot, client), Purse: a.db.DB, Most: func() int64 { return b.Settings().Limits.Tokens }, Now: time.Now, Log: a.log}
	}
	s.make = func(threshold float64) *suggest.Suggester {
		index := a.db.Customers()
		o := o
		o.Knowledge = botKnowledge{retrieve.New(index, a.embedderPort(), retrieve.Options{WeakBelow: threshold}), index}
		return suggest.New(o)
	}
	return b, nil
}

// Document implements suggest.Knowledge.
func (k botKnowledge) Document(ctx context.Context, s retrieve.Scope, id string) (*assist.Document, error) {
	return k.Customers.Document(ctx, s, id)
}

// botCounter counts answers in the database, for all processes.
type botCounter struct{ db *postgres.DB }

// Count implements bot.Counter.
func (c botCounter) Count(ctx context.Context, m assist.Moment, l bot.Limits) (full string, err error) {
	counts := []postgres.BotCount{{Scope: "day", Most: l.Day}}
	for i := len(m.Turns) - 1; i >= 0; i-- {
		if t := m.Turns[i]; t.Role == assist.RoleCustomer {
			sum := sha256.Sum256([]byte(t.Author))
			counts = append([]postgres.BotCount{{Scope: "customer", Key: hex.EncodeToString(sum[:12]), Most: l.Customer}}, counts...)
			break
		}
	}
	return c.db.CountBot(ctx, bot.Day(time.Now()), counts)
}

// PutBotSettings reads bot.yaml, and the threshold found for it, out of the folders
// that are ingested and stores them. A malformed file is refused with its line; without one the settings in
// force stay.
func PutBotSettings(ctx context.Context, db *postgres.DB, paths []string) error {
	for _, dir := range paths {
		file := filepath.Join(dir, bot.SettingsFile)
		body, err := os.ReadFile(file)
		if err != nil {
			continue // no folder, or no bot in it
		}
		_, err = bot.Parse(body)
		if calibration, none := os.ReadFile(filepath.Join(dir, bot.ThresholdFile)); err == nil && none == nil {
			body, err = bot.WithThreshold(body, calibration)
		}
		if err != nil {
			return assist.Errorf(assist.Invalid, "%s, %v; the settings in force stay as they are", file, err)
		}
		return db.PutBotSettings(ctx, string(body), file)
	}
	return nil
}

// botSettings are the stored settings, with the mode of ASIDE_BOT.
func botSettings(ctx context.Context, cfg Config, db *postgres.DB) (s bot.Settings, err error) {
	body, err := db.BotSettings(ctx)
	if err != nil {
		return s, err
	}
	s.Limits = bot.DefaultLimits
	if body != "" {
		if s, err = bot.Parse([]byte(body)); err != nil {
			return s, fmt.Errorf("the stored %s: %w", bot.SettingsFile, err)
		}
	}
	if cfg.Bot != "" {
		s.Mode = bot.Mode(cfg.Bot)
	}
	return s, nil
}

// settleBot puts the stored settings in force.
func (a *App) settleBot(ctx context.Context) error {
	s, err := botSettings(ctx, a.cfg, a.db.DB)
	if err != nil {
		return err
	}
	a.bot.Configure(s)
	return nil
}

// followBot keeps the settings as they are ingested, by whichever process.
func (a *App) followBot(ctx context.Context) {
	failing := false
	for pause(ctx, 5*time.Second) {
		err := a.settleBot(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			a.log.Warn("the bot's settings could not be read; those in force stay", "err", err)
		}
		failing = err != nil
	}
}

const (
	sessionTTL  = 2 * time.Hour
	sessionLate = 24 * time.Hour // how long after its end a token still gets another
	mostDoors   = 50000          // addresses, and conversations, that are remembered
	renewEvery  = time.Second    // a page asks again when it is loaded, and each hour …
	renewBurst  = 30             // … whoever asks more often costs the database a question each time
)

// frontDoor lets customers in: at most so many conversations from one address. That
// is counted per node, by decision: a flood is held where it arrives, without a
// question to the database. With n nodes one address may begin up to n times as
// many; what customers can spend, answers and tokens a day, is counted for all nodes
// together.
type frontDoor struct {
	a      *App
	guests *auth.Guests // nil: nobody vouches for customers

	mu     sync.Mutex
	doors  map[string]*rate.Limiter // by address
	renews map[string]*rate.Limiter // by conversation
}

func newFrontDoor(a *App) (*frontDoor, error) {
	d := &frontDoor{a: a, doors: map[string]*rate.Limiter{}, renews: map[string]*rate.Limiter{}}
	if a.cfg.WidgetSecret != "" {
		var err error
		if d.guests, err = auth.NewGuests([]byte(a.cfg.WidgetSecret)); err != nil {
			return nil, fmt.Errorf("ASIDE_WIDGET_SECRET: %w", err)
		}
	}
	return d, nil
}

// Session implements web.Widget.
func (d *frontDoor) Session(ctx context.Context, r web.WidgetRequest) (s web.WidgetSession, retry time.Duration, err error) {
	who, known, err := d.known(ctx, r)
	if err != nil {
		return s, renewEvery, err
	}
	if !known {
		if retry = d.knock(r.Address); retry > 0 {
			return s, retry, assist.Errorf(assist.RateLimited, "too many conversations were begun from your address; try again later")
		}
		if who, err = d.enter(ctx, who); err != nil {
			return s, 0, err
		}
	}
	now := time.Now()
	token, err := d.a.signer.Sign(who, sessionTTL)
	if err != nil {
		return s, 0, err
	}
	set := d.a.bot.Settings()
	s = web.WidgetSession{Conversation: who.Conversation, Token: token, ExpiresAt: now.Add(sessionTTL).UTC().Truncate(time.Second),
		Mode: string(set.Mode), Name: set.Name, Greeting: set.Greeting, Away: set.Away}
	if !set.Mode.Valid() {
		s.Mode = string(bot.Off)
	}
	s.Open, s.OpensAt = set.Hours.Open(now)
	return s, 0, nil
}

// known gives a customer who has an open conversation already. Otherwise it
// gives what is known of them.
func (d *frontDoor) known(ctx context.Context, r web.WidgetRequest) (who assist.Identity, known bool, err error) {
	who.Actor = assist.ActorCustomer
	if r.Identity != "" {
		if d.guests == nil {
			return who, false, assist.Errorf(assist.Forbidden, "identity cannot be checked: this server has no ASIDE_WIDGET_SECRET")
		}
		guest, err := d.guests.Verify(r.Identity)
		if err != nil {
			return who, false, err
		}
		who.Subject, who.Name = "site:"+guest.Subject, guest.Name
	}
	if r.Token == "" {
		return who, false, nil
	}
	before, err := d.a.signer.VerifyLate(r.Token, sessionLate)
	if err == nil {
		err = d.a.revoked.Check(before)
	}
	if err != nil || before.Actor != assist.ActorCustomer || who.Subject != "" && before.Subject != who.Subject {
		return who, false, nil // too old, or another person at this browser by now
	}
	if who.Subject == "" && strings.HasPrefix(before.Subject, "site:") {
		return who, false, nil // signed out of the host's site
	}
	before.Name = orElse(who.Name, before.Name)
	if !d.mayRenew(before.Conversation) {
		return who, false, assist.Errorf(assist.RateLimited, "this conversation was asked for too often; try again in a moment")
	}
	c, err := d.a.db.Conversation(ctx, before.Conversation)
	switch {
	case assist.CodeOf(err) == assist.NotFound:
		return before, true, nil // begun, and nothing said yet
	case err != nil:
		return who, false, err
	case c.Status == assist.StatusClosed:
		who.Subject, who.Name = before.Subject, before.Name
		return who, false, nil
	}
	return before, true, nil
}

// enter begins a conversation, or finds the one that this customer has open.
func (d *frontDoor) enter(ctx context.Context, who assist.Identity) (assist.Identity, error) {
	fresh := "web_" + randomName()
	if !strings.HasPrefix(who.Subject, "site:") {
		if who.Subject == "" {
			who.Subject = "visitor_" + randomName()
		}
		who.Conversation = fresh
		return who, nil
	}
	var err error
	who.Conversation, err = d.a.db.CustomerConversation(ctx, who.Subject, who.Name, fresh)
	return who, err
}

// knock gives how long an address must wait, 0 when it may come in.
func (d *frontDoor) knock(address string) time.Duration {
	perHour := d.a.bot.Settings().Limits.Address
	every := rate.Limit(float64(perHour) / 3600)
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.doors[address]
	if l == nil {
		if len(d.doors) >= mostDoors {
			clear(d.doors) // a flood from everywhere: the day's limits hold it
		}
		l = rate.NewLimiter(every, perHour)
		d.doors[address] = l
	}
	if l.Limit() != every {
		l.SetLimit(every)
		l.SetBurst(perHour)
	}
	if l.Allow() {
		return 0
	}
	return time.Duration(float64(time.Second) / float64(every))
}

// mayRenew reports whether a conversation's token may be made anew now.
func (d *frontDoor) mayRenew(conversation string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.renews[conversation]
	if l == nil {
		if len(d.renews) >= mostDoors {
			clear(d.renews)
		}
		l = rate.NewLimiter(rate.Every(renewEvery), renewBurst)
		d.renews[conversation] = l
	}
	return l.Allow()
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// randomName is 128 bits that nobody guesses.
func randomName() string { return hex.EncodeToString(randomBytes(16)) }
