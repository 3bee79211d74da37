// Package libredesk connects Aside to Libredesk.
//
// What comes in: signed webhooks at POST /v1/hooks/libredesk. Libredesk sends each
// once, in no order, and forgets it; so deliveries are held for a moment and put in
// the order of message ids, the same message is one turn by its uuid, and what
// never came is found by reading: the list of conversations once a minute, and the
// messages of those that moved on, once they are quiet, at most 20 a minute. Every
// such call costs Libredesk about 50 ms of a core, so they keep a distance too.
//
// What goes out: with notes on, each suggestion as one private note, posted once
// and never again, by the agent whose key is Aside's own; and replies, only when an
// agent presses send, with that agent's own key. What we posted comes back as a
// delivery and is known by its echo_id.
//
// A conversation here is called "libredesk:" and its uuid; an agent
// "libredesk:agent:" and their number.
package libredesk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
)

const (
	name        = "libredesk"
	prefix      = name + ":"
	agentPrefix = prefix + "agent:"
)

// Config is what can be set; ASIDE_LIBREDESK_ and the field's name.
type Config struct {
	URL           string // "https://desk.example"; "": not connected
	WebhookSecret string
	LinkSecret    string // of the context link, 32 characters; "": no sign-on
	Key           string // "key:secret" of the agent Aside acts as; "": it only listens
	Keys          string // agents' own keys, one "key:secret" a line, an Aside subject before it if that is another
	Notes         bool   // post suggestions as private notes
	Typing        bool   // follow who types, over Libredesk's socket
}

// On reports whether Libredesk is configured.
func (c Config) On() bool { return c.URL != "" }

// Validate names every fault at once.
func (c Config) Validate() error {
	if !c.On() {
		if c.WebhookSecret != "" || c.Key != "" || c.Keys != "" || c.LinkSecret != "" {
			return errors.New("ASIDE_LIBREDESK_URL is not set but other ASIDE_LIBREDESK_ settings are: it is Libredesk's address, such as https://desk.example")
		}
		return nil
	}
	var faults []error
	if _, err := connect.NewClient(connect.ClientOptions{Base: c.URL}); err != nil {
		faults = append(faults, fmt.Errorf("ASIDE_LIBREDESK_URL: %w", err))
	}
	if c.WebhookSecret == "" {
		faults = append(faults, errors.New("ASIDE_LIBREDESK_WEBHOOK_SECRET is not set: deliveries could not be verified; `openssl rand -hex 24` makes one, and the webhook in Libredesk gets the same"))
	}
	if n := len(c.LinkSecret); n != 0 && n != 32 {
		faults = append(faults, fmt.Errorf("ASIDE_LIBREDESK_LINK_SECRET has %d characters, it must have 32, as the context link in Libredesk: `openssl rand -hex 16`", n))
	}
	if c.Key != "" {
		if _, err := parseKey(c.Key); err != nil {
			faults = append(faults, fmt.Errorf("ASIDE_LIBREDESK_KEY: %w", err))
		}
	} else if c.Notes || c.Typing {
		faults = append(faults, errors.New("ASIDE_LIBREDESK_NOTES and ASIDE_LIBREDESK_TYPING need ASIDE_LIBREDESK_KEY, the key:secret of the agent Aside acts as"))
	}
	if _, err := parseKeys(c.Keys); err != nil {
		faults = append(faults, fmt.Errorf("ASIDE_LIBREDESK_KEYS: %w", err))
	}
	return errors.Join(faults...)
}

// Options are the parts and numbers of a Connector. Chats and Marks are needed;
// zero values of the others have a sensible meaning.
type Options struct {
	Chats  connect.Chats
	Marks  connect.Marks
	Logger *slog.Logger
	Now    func() time.Time
	// Dial opens a WebSocket; nil: typing is not followed.
	Dial func(ctx context.Context, url string, header http.Header) (Socket, error)

	Hold       time.Duration // how long a delivery waits for those before it; 0: 150 ms
	Limit      int           // deliveries held; 0: 10,000
	SweepEvery time.Duration // how often the list is read; 0: 1 min
	Every      time.Duration // least distance of reads; 0: 250 ms
	Deadline   time.Duration // of a call; 0: 8 s
	Past       time.Duration // of reading a conversation's past, while a message waits for it; 0: 2 s
	HealAfter  time.Duration // how long what is missing may still come by itself; 0: 5 s
	Doubt      time.Duration // how long another process may be at posting a reply; 0: 30 s
}

// Connector is a connected Libredesk. It is a connect.Tool and connect.Replier.
type Connector struct {
	cfg    Config
	o      Options
	log    *slog.Logger
	api    *connect.Client
	own    http.Header // Authorization of the agent Aside acts as; nil: none
	keys   *keyring
	inbox  *connect.Inbox
	notes  chan assist.Event
	kick   chan struct{} // the keeper has something to look at
	base   context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	known   map[string]*known    // by conversation's uuid
	names   map[int64]string     // of agents
	robots  map[int64]bool       // agents that are AI assistants
	heal    map[string]time.Time // uuid → when its messages are to be read
	flying  map[string]bool      // echo ids that are being posted
	sent    map[string]time.Time // echo ids that were posted
	unsaid  map[string]bool      // echo ids of replies that certainly were not posted
	marked  map[string]time.Time // when marks were set last
	marking map[string]bool      // marks to be set
}

// known is what is remembered of a conversation in memory; it can be found again.
type known struct {
	touched time.Time
	fresh   bool      // conversation.created came: it has no past
	stored  bool      // it has turns in our store
	last    time.Time // newest public message we have
	asked   time.Time // newest of the customer
	read    time.Time // newest public message that a reading has shown to be all there was
	state   time.Time // UpdatedAt of the snapshot that was applied
	pending *change   // a snapshot that came before the first turn
	channel string
	email   string // the contact's, in email inboxes
	closed  bool
	agent   int64
}

// source is who reports what was said in Libredesk.
var source = assist.Identity{Subject: name, Actor: assist.ActorSource, Name: "Libredesk"}

// New makes a Connector; it does nothing until Start.
func New(cfg Config, o Options) (*Connector, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Hold = cmp.Or(o.Hold, 150*time.Millisecond)
	o.SweepEvery = cmp.Or(o.SweepEvery, time.Minute)
	o.Every = cmp.Or(o.Every, 250*time.Millisecond)
	o.HealAfter = cmp.Or(o.HealAfter, 5*time.Second)
	o.Doubt = cmp.Or(o.Doubt, 30*time.Second)
	o.Past = cmp.Or(o.Past, 2*time.Second)
	api, err := connect.NewClient(connect.ClientOptions{Base: cfg.URL, Every: o.Every, Deadline: o.Deadline})
	if err != nil {
		return nil, fmt.Errorf("ASIDE_LIBREDESK_URL: %w", err)
	}
	keys, err := parseKeys(cfg.Keys)
	if err != nil {
		return nil, fmt.Errorf("ASIDE_LIBREDESK_KEYS: %w", err)
	}
	c := &Connector{cfg: cfg, o: o, log: o.Logger.With("tool", name), api: api, keys: &keyring{keys: keys},
		notes: make(chan assist.Event, 256), kick: make(chan struct{}, 1),
		known: map[string]*known{}, names: map[int64]string{}, robots: map[int64]bool{}, heal: map[string]time.Time{},
		flying: map[string]bool{}, sent: map[string]time.Time{}, unsaid: map[string]bool{}, marked: map[string]time.Time{}, marking: map[string]bool{}}
	if cfg.Key != "" {
		if c.own, err = parseKey(cfg.Key); err != nil {
			return nil, fmt.Errorf("ASIDE_LIBREDESK_KEY: %w", err)
		}
	}
	c.base, c.cancel = context.WithCancel(context.Background())
	c.inbox = connect.NewInbox(connect.InboxOptions{Logger: c.log, Hold: o.Hold, Limit: o.Limit, Lost: func(conversation string, err error) {
		if code := assist.CodeOf(err); code == assist.Unavailable || code == assist.Internal {
			c.healSoon(uuidOf(conversation), c.o.HealAfter)
		}
	}})
	return c, nil
}

// Name implements connect.Tool.
func (c *Connector) Name() string { return name }

// Owns implements connect.Tool.
func (c *Connector) Owns(conversation string) bool { return strings.HasPrefix(conversation, prefix) }

// Start implements connect.Tool.
func (c *Connector) Start() {
	c.wg.Go(c.keep)
	if c.cfg.Notes {
		c.wg.Go(c.post)
	}
	if c.cfg.Typing && c.o.Dial != nil {
		c.wg.Go(c.listen)
	}
}

// Stop implements connect.Tool.
func (c *Connector) Stop(ctx context.Context) error {
	err := c.inbox.Stop(ctx)
	c.cancel()
	c.wg.Wait()
	return err
}

func uuidOf(conversation string) string { return strings.TrimPrefix(conversation, prefix) }

// look gives what is known of a conversation; c.mu must be held.
func (c *Connector) look(uuid string) *known {
	k := c.known[uuid]
	if k == nil {
		k = &known{}
		c.known[uuid] = k
	}
	k.touched = c.o.Now()
	return k
}

// agent is a person of Libredesk as Aside knows them.
func (c *Connector) agent(id int64) assist.Identity {
	if id == 0 {
		return assist.Identity{Subject: name, Actor: assist.ActorAgent, Name: "Libredesk"} // an automation rule, say
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return assist.Identity{Subject: agentPrefix + strconv.FormatInt(id, 10), Actor: assist.ActorAgent, Name: c.names[id]}
}

// parseKey reads "key:secret" into the header that speaks for it.
func parseKey(s string) (http.Header, error) {
	key, secret, ok := strings.Cut(strings.TrimSpace(s), ":")
	if !ok || key == "" || secret == "" || strings.ContainsAny(s, "\r\n") || strings.Contains(strings.TrimSpace(s), " ") {
		return nil, errors.New("must be key:secret, as Libredesk shows them once when an agent's API key is made")
	}
	return http.Header{"Authorization": {"token " + key + ":" + secret}}, nil
}
