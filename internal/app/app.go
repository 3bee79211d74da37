// Package app wires the house from one Config and owns its life: New builds
// everything or nothing, Start serves, Stop ends it all in the reverse order and
// waits. It is the only package that knows every other.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/llm/openai"
	"github.com/aside-project/aside/internal/observe"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/privacy"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
	"github.com/aside-project/aside/internal/web"
	"github.com/aside-project/aside/internal/ws"
)

// The database implements every store and index of the house.
var (
	_ chat.Store     = (*postgres.DB)(nil)
	_ retrieve.Index = (*postgres.DB)(nil)
	_ ingest.Store   = (*postgres.DB)(nil)
)

// App is one running server.
type App struct {
	cfg       Config
	log       *slog.Logger
	db        *Database
	signer    *auth.Signer
	watched   watched
	contexts  *auth.Contexts // nil: no chat tool vouches for its agents
	revoked   auth.Revoked
	chat      *chat.Service
	sockets   *ws.Server
	knowledge *Knowledge
	bot       *bot.Bot
	tools     tools
	guide     *guide
	learner   *learner
	model     *openai.Client   // nil: none configured
	embedder  *openai.Embedder // nil: none configured
	http      *http.Server
	listener  net.Listener
	debug     string     // where profiles are served; "": nowhere
	failed    chan error // the HTTP server ended by itself
	node      string     // names this process among its peers
	bus       eventBus

	background sync.WaitGroup
	stopWork   context.CancelFunc
	work       context.Context

	closers []closer
	stop    sync.Once
	stopErr error
}

// closer is a named step of Stop.
type closer struct {
	name string
	do   func(context.Context) error
}

func (a *App) onStop(name string, do func(context.Context) error) {
	a.closers = append(a.closers, closer{name, do})
}

// New opens the database and wires everything. Nothing listens yet. On an error
// what was opened is closed again.
func New(ctx context.Context, cfg Config, log *slog.Logger) (_ *App, err error) {
	a := &App{cfg: cfg, log: log, failed: make(chan error, 1), node: processName()}
	a.work, a.stopWork = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()

	if a.signer, err = cfg.Signer(); err != nil {
		return nil, err
	}
	if a.db, err = OpenDatabase(ctx, cfg, log); err != nil {
		return nil, err
	}
	a.onStop("database", func(context.Context) error { return a.db.Shut() })
	if cfg.PanelSecret != "" {
		if a.contexts, err = auth.NewContexts([]byte(cfg.PanelSecret)); err != nil {
			return nil, fmt.Errorf("ASIDE_PANEL_SECRET: %w", err)
		}
	}
	if err := a.loadRevoked(ctx); err != nil {
		return nil, err
	}
	if err := a.connectModels(); err != nil {
		return nil, err
	}
	if a.watched, err = newWatched(ctx, a); err != nil {
		return nil, err
	}
	set, rollout, err := loadPrompts(cfg)
	if err != nil {
		return nil, err
	}
	retriever := retrieve.New(a.db, a.embedderPort(), retrieve.Options{Earlier: a.earlierEmbedder})
	a.knowledge = NewKnowledge(a.db.Primary(), retriever)

	a.learner = newLearner(a.db.DB, retriever, a.watched, log)

	inner, err := a.connectBus()
	if err != nil {
		return nil, err
	}
	bus := &toolBus{watchedBus: watchedBus{inner, a.watched}}
	a.bus = bus
	if a.guide, err = newGuide(ctx, a.db.Primary(), log); err != nil {
		return nil, fmt.Errorf("load the playbook: %w", err)
	}
	a.onStop("learning of steps", a.guide.stop)
	if a.bot, err = a.newBot(set); err != nil {
		return nil, err
	}
	if err := a.settleBot(ctx); err != nil {
		return nil, err
	}
	door, err := newFrontDoor(a)
	if err != nil {
		return nil, err
	}
	a.chat = chat.New(watchedStore{a.db.DB, a.watched}, newSuggester(a, retriever, set, rollout), bus, chat.Options{
		Logger:   log,
		Owner:    a.node,
		Bot:      a.bot,
		Checker:  checker{a.guide, log},
		Prefetch: a.prefetch(retriever),
		Acted:    a.guide.acted,
		Replied:  a.learner.replied,
		Ended:    a.guide.ended,
		Roles:    a.guide.roles,
		RoleSeen: a.guide.roleSeen,
		Shed:     func(what chat.Shed) { a.watched.Shed(string(what)) },
		Reading:  func(string, int) { a.watched.MassRead() },

		Elsewhere: bus.Elsewhere,
		Watched:   func(conversation string) bool { return a.sockets.WatchedElsewhere(conversation) },
	})
	a.guide.tellRoles(a.chat.SetRole)
	if a.tools, err = newTools(cfg, a.chat, a.db.DB, log); err != nil {
		return nil, err
	}
	bus.tools = a.tools
	proxies, err := cfg.proxies()
	if err != nil {
		return nil, err
	}
	a.sockets = ws.New(ws.Options{
		Address: func(r *http.Request) string { return web.Address(r, proxies) },
		Service: tracedService{desk{a.chat, a.tools}, a.watched.trace},
		Bus:     bus,
		Node:    a.node,
		Watch:   a.chat.Watch,
		Bearer:  auth.Bearer,
		Verify:  a.verify,
		Revoked: a.revoked.Check,
		Origins: cfg.Origins,
		Closed:  a.watched.SocketClosed,
		Logger:  log,
	})
	a.watched.read(a)
	o := web.Options{
		Conversations: tracedService{desk{a.chat, nil}, a.watched.trace},
		Knowledge:     a.knowledge,
		WS:            a.sockets,
		Hooks:         a.tools.hooks(),
		Pages:         a.tools.pages(),
		Deliveries:    outgoing{a.db.DB},
		PanelLink:     a.panelLink,
		Metrics:       a.watched.handler(),
		Verify:        a.verify,
		Ready:         a.ready,
		Status:        a.status,
		Guard:         guard{a},
		Widget:        door,
		Origins:       cfg.Origins,
		Proxies:       proxies,
		Rate:          func(who assist.Actor) web.Rate { return web.Rate(ws.Limits{}.Rate(who)) },
		Storybook:     cfg.Dev,
		Logger:        log,
	}
	if cfg.Dev {
		o.Session = a.session
	}
	if o.SignIn, err = a.newSignIn(); err != nil {
		return nil, err
	}
	a.http = &http.Server{
		Handler:           web.New(o),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       2 * time.Minute, // sockets are upgraded and have their own
		WriteTimeout:      4 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return a, nil
}

func (a *App) connectModels() error {
	var err error
	if m := a.cfg.Model; m.On() {
		if a.model, err = openai.New(openai.Config{BaseURL: m.BaseURL, APIKey: m.APIKey, Model: m.Model, AllowInsecure: m.AllowHTTP, Logger: a.log}); err != nil {
			return fmt.Errorf("--llm-url (ASIDE_LLM_BASE_URL): %w", err)
		}
	}
	if e := a.cfg.Embedder; e.On() {
		if a.embedder, err = openai.NewEmbedder(a.embedderConfig(e.Model)); err != nil {
			return fmt.Errorf("--embed-url (ASIDE_EMBED_BASE_URL): %w", err)
		}
	}
	return nil
}

func (a *App) embedderConfig(model string) openai.Config {
	e := a.cfg.Embedder
	return openai.Config{
		BaseURL: a.cfg.Model.BaseURL, APIKey: a.cfg.Model.APIKey,
		EmbeddingBaseURL: e.BaseURL, EmbeddingAPIKey: e.APIKey, EmbeddingModel: model,
		AllowInsecure: a.cfg.Model.AllowHTTP, Logger: a.log,
	}
}

// earlierEmbedder asks the same server for the model whose vectors still serve
// while those of the configured one are being made.
func (a *App) earlierEmbedder(model string) llm.Embedder {
	e, err := openai.NewEmbedder(a.embedderConfig(model))
	if err != nil {
		a.log.Warn("the model of the present vectors cannot be asked", "model", model, "err", err)
		return nil
	}
	return privateEmbedder{e}
}

// embedderPort is the embedder as a port: a nil port, not a port of nil.
func (a *App) embedderPort() llm.Embedder {
	if a.embedder == nil {
		return nil
	}
	return privateEmbedder{a.watched.Embedder(a.embedder)}
}

// privateEmbedder hides personal secrets before a question becomes a vector: its
// text can be guessed from it. Documents are embedded as they are: see privacy.
type privateEmbedder struct{ llm.Embedder }

func (e privateEmbedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	hidden := make([]string, len(texts))
	for i, t := range texts {
		hidden[i] = privacy.Hide(t)
	}
	return e.Embedder.Embed(ctx, hidden)
}

// newSuggester makes the suggester, with a port of nil kept out of it.
func newSuggester(a *App, r *retrieve.Retriever, set *prompt.Set, rollout prompt.Rollout) chat.Suggester {
	o := suggest.Options{Knowledge: suggestKnowledge{r, a.db.DB}, Prompts: set, Rollout: rollout, Logger: a.log, Guide: a.guide}
	if a.model != nil {
		o.Model = a.watched.Model(observe.ForAgent, a.model)
	}
	return watchedSuggester{suggest.New(o), a.watched, newMagnets(a.log, a.watched.registry)}
}

// Start listens and serves, and begins the work behind: it returns once the
// address answers.
func (a *App) Start() error {
	l, err := net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return assist.Wrap(err, assist.Unavailable, "cannot listen on %s: --listen (ASIDE_LISTEN) names another address", a.cfg.Listen)
	}
	a.listener = l
	if err := a.startDebug(); err != nil {
		return errors.Join(err, l.Close())
	}
	a.learner.start()
	a.onStop("learning", a.learner.stop)
	a.chat.Start()
	a.onStop("conversations", func(ctx context.Context) error { a.chat.Stop(ctx); return nil })
	a.onStop("sockets", a.sockets.Shutdown)
	a.startTools()
	served := make(chan struct{})
	a.onStop("http", func(ctx context.Context) error {
		err := a.http.Shutdown(ctx)
		<-served
		return err
	})
	a.onStop("background work", func(context.Context) error {
		a.stopWork()
		a.background.Wait()
		return nil
	})
	go func() {
		defer close(served)
		if err := a.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- err
		}
	}()
	a.background.Go(func() { a.followBot(a.work) })
	a.background.Go(func() { a.followGuard(a.work) })
	h := healer{db: a.db, bus: a.bus, log: a.log}
	a.background.Go(func() { h.run(a.work) })
	a.background.Go(func() { a.keepListed(a.work) })
	a.background.Go(func() { a.keepSealed(a.work) })
	if a.embedder != nil {
		a.background.Go(func() { a.keepEmbedded(a.work) })
	}
	return nil
}

// URL is where the console is, once started.
func (a *App) URL() string { return "http://" + a.listener.Addr().String() }

// Failed gives an error when the server ends by itself.
func (a *App) Failed() <-chan error { return a.failed }

// Stop ends everything within the configured wait, newest first, and joins what
// went wrong. It may be called more than once.
func (a *App) Stop(ctx context.Context) error {
	a.stop.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, a.cfg.StopWait)
		defer cancel()
		a.stopWork()
		var faults []error
		for i := len(a.closers) - 1; i >= 0; i-- {
			if err := a.closers[i].do(ctx); err != nil {
				faults = append(faults, fmt.Errorf("stop %s: %w", a.closers[i].name, err))
			}
		}
		a.stopErr = errors.Join(faults...)
	})
	return a.stopErr
}

// Demo plays the recorded customers of the sample company until Stop.
func (a *App) Demo(ctx context.Context) error {
	chats, err := readRecordings(evals.Files, "chats")
	if err != nil {
		return fmt.Errorf("read the demo chats: %w", err)
	}
	d := demo{chat: a.chat, chats: chats, run: demoPrefix + time.Now().UTC().Format("0102-150405"), log: a.log}
	if err := d.clear(ctx); err != nil {
		return fmt.Errorf("close the demo chats of the last start: %w", err)
	}
	a.background.Go(func() { d.play(a.work) })
	return nil
}

// prefetch has the question's vector made while the customer still types: one
// at a time, the others are dropped.
func (a *App) prefetch(r *retrieve.Retriever) func(string) {
	busy := make(chan struct{}, 1)
	return func(text string) {
		if a.embedder == nil {
			return
		}
		select {
		case busy <- struct{}{}:
			a.background.Go(func() {
				defer func() { <-busy }()
				r.Prefetch(a.work, text)
			})
		default:
			a.watched.Shed(observe.ShedPrefetch)
		}
	}
}

// vectorStore takes the dimension from the vectors.
type vectorStore struct{ *postgres.DB }

func (s vectorStore) PutVectors(ctx context.Context, model string, ids []string, vectors [][]float32) error {
	return s.DB.PutVectors(ctx, model, len(vectors[0]), ids, vectors)
}

// keepListed makes the lists of a large knowledge's terms anew when it has grown.
func (a *App) keepListed(ctx context.Context) {
	for {
		if err := a.db.FinishPassages(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("searches in a large knowledge are slower for now", "err", err)
		}
		if !pause(ctx, time.Minute) {
			return
		}
	}
}

// sealRest is how long nobody has written to a conversation when it is sealed.
const sealRest = 10 * time.Minute

// keepSealed seals what was said, and logs each seal's head: a log that is kept
// elsewhere then holds what proves the record.
func (a *App) keepSealed(ctx context.Context) {
	for {
		s, err := a.db.Seal(ctx, sealRest)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			a.log.Warn("the record was not sealed; it is tried again", "err", err)
		case s.N > 0:
			a.log.Info("the record is sealed", "seal", s.N, "head", s.Head, "conversations", s.Conversations)
			continue // there may be more
		}
		if !pause(ctx, sealRest/2) {
			return
		}
	}
}

// keepEmbedded gives every passage a vector, now and whenever new ones came. One
// node does it at a time: they are paid for.
func (a *App) keepEmbedded(ctx context.Context) {
	for {
		_, err := a.db.Alone(ctx, "embedding", func(ctx context.Context) error {
			_, err := ingest.EmbedMissing(ctx, a.watched.Embedder(a.embedder), vectorStore{a.db.DB})
			return err
		})
		if err != nil && ctx.Err() == nil {
			a.log.Warn("passages without vectors stay lexical for now", "err", err)
		}
		if !pause(ctx, 10*time.Second) {
			return
		}
	}
}

// session signs in the person at this machine while developing.
func (a *App) session() (web.Session, error) {
	who := developer
	token, err := a.signer.Sign(who, 12*time.Hour)
	if err != nil {
		return web.Session{}, err
	}
	return web.Session{Token: token, Sub: who.Subject, Name: who.Name, Role: who.Actor, Dev: true, ExpiresAt: time.Now().Add(12 * time.Hour).UTC().Truncate(time.Second)}, nil
}

func (a *App) ready(ctx context.Context) []web.Part {
	part := web.Part{Name: "database", OK: true}
	if err := a.db.Ping(ctx); err != nil {
		part.OK, part.Detail = false, assist.MessageOf(err)
	}
	return append([]web.Part{part}, a.helpers()...)
}

// helpers are the parts that the server can do without: no reason to send nobody
// here while one is away.
func (a *App) helpers() []web.Part {
	var parts []web.Part
	add := func(name string, works bool, detail string) {
		p := web.Part{Name: name, OK: true}
		if !works {
			p.Degraded, p.Detail = true, detail
		}
		parts = append(parts, p)
	}
	if r := a.db.Replica(); r.On {
		add("read replica", r.Serves, r.Why+"; retrieval reads from the database itself")
	}
	if a.cfg.NATS != "" {
		add("event bus", a.bus.Up(), "no server answers; what other nodes do is found in the log within seconds")
	}
	if a.model != nil {
		add("model", a.model.Up(), "does not answer; passages and drafts from the knowledge go on")
	}
	return parts
}

// processName names this process among its peers, in leases and logs.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "host"
	}
	return fmt.Sprintf("%s-%d-%x", host, os.Getpid(), randomBytes(3))
}
