// Package chatwoot connects Chatwoot: what both sides write there becomes turns,
// suggestions can go back as private notes, the bot answers in its own name while a
// conversation is pending, and an agent's reply goes out with that agent's token when
// they press send. It promises what package connect does, and:
//
//   - A draft is posted as a private note and in no other way. What a customer gets is
//     the bot's answer, with the bot's token, while Chatwoot says pending; or the reply
//     of an agent, inside their own request, with their own token (reply.go).
//   - The bot hands a conversation over once, by opening it, and is silent in one that
//     is not pending. A customer who writes after a conversation was resolved begins
//     anew: nothing from before is looked at.
//   - Notes of anybody are never taken for something said to the customer.
//
// Chatwoot sends account webhooks once. What is missed is found by reading its record
// (reconcile.go), which needs a token.
package chatwoot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/connect/deliver"
)

// Name is the tool's.
const Name = "chatwoot"

// maxBody is how large a delivery may be, in bytes.
const maxBody = 1 << 20

// Config is what can be set from outside.
type Config struct {
	URL        string // of Chatwoot
	Account    int64
	Secret     string // with which Chatwoot signs the account's webhook
	PathSecret string // ends the webhook's address, for versions that do not sign
	Token      string // of a user: reads what was missed
	BotToken   string // of the agent bot: answers customers, posts notes; "": there is no bot
	BotSecret  string // with which Chatwoot signs the bot's webhook
	Agents     string // lines "SUBJECT TOKEN": with whose token whose replies go out
	Notes      bool   // suggestions are posted as private notes
}

// On reports whether Chatwoot is connected at all.
func (c Config) On() bool { return c.URL != "" }

// Validate names every fault at once.
func (c Config) Validate() error {
	if !c.On() {
		if c != (Config{}) {
			return errors.New("ASIDE_CHATWOOT_URL is not set, but other ASIDE_CHATWOOT_ settings are: set it to Chatwoot's address")
		}
		return nil
	}
	var faults []error
	if c.Account <= 0 {
		faults = append(faults, errors.New("ASIDE_CHATWOOT_ACCOUNT is not set: it is the number in Chatwoot's addresses, …/app/accounts/NUMBER/…"))
	}
	if c.Secret == "" && c.PathSecret == "" {
		faults = append(faults, errors.New("neither ASIDE_CHATWOOT_SECRET nor ASIDE_CHATWOOT_PATH_SECRET is set: without one of them no delivery can be believed"))
	}
	if c.PathSecret != "" && (len(c.PathSecret) < 24 || strings.ContainsAny(c.PathSecret, "/?#% ")) {
		faults = append(faults, errors.New("ASIDE_CHATWOOT_PATH_SECRET must have at least 24 characters that can stand in an address: `openssl rand -hex 24` makes one"))
	}
	if c.BotToken != "" && c.BotSecret == "" && c.PathSecret == "" {
		faults = append(faults, errors.New("ASIDE_CHATWOOT_BOT_TOKEN is set but ASIDE_CHATWOOT_BOT_SECRET is not: the bot's webhook has a secret of its own"))
	}
	if c.Notes && c.BotToken == "" && c.Token == "" {
		faults = append(faults, errors.New("ASIDE_CHATWOOT_NOTES needs ASIDE_CHATWOOT_BOT_TOKEN or ASIDE_CHATWOOT_TOKEN to post with"))
	}
	if _, err := agentTokens(c.Agents); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// agentTokens reads the lines of Agents.
func agentTokens(s string) (map[string]string, error) {
	tokens := map[string]string{}
	for n, line := range strings.Split(s, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("ASIDE_CHATWOOT_AGENTS, line %d: it must be an agent's subject and their Chatwoot access token, with a space between", n+1)
		}
		tokens[fields[0]] = fields[1]
	}
	return tokens, nil
}

// Store is what the connector keeps; postgres.DB is one.
type Store interface {
	deliver.Store
	// FollowChat keeps what Chatwoot last said of a conversation, and gives the
	// status before; an older word than the one kept changes nothing. A zero at is
	// for what we did there ourselves.
	FollowChat(ctx context.Context, tool, conversation, status string, at time.Time, lastID int64) (before string, err error)
	ToolChat(ctx context.Context, conversation string) (status string, lastID int64, err error)
	// TakenAs keeps as whom a message is taken in, the first time, and gives that
	// ever after.
	TakenAs(ctx context.Context, tool, message string, asCustomer bool) (first bool, err error)
	// Echoed says whether a message is one that we posted.
	Echoed(ctx context.Context, tool, conversation, id, text string) (ours bool, err error)
	// Deliver stores a delivery that no event asks for; the same key once.
	Deliver(ctx context.Context, tool, conversation string, n deliver.New) error
	// BeginHeld keeps what an agent's request is about to send, and gives what is
	// known of an earlier try; ForgetHeld takes it back.
	BeginHeld(ctx context.Context, tool, conversation string, n deliver.New) (deliver.Delivery, error)
	ForgetHeld(ctx context.Context, id string) error
}

// Options are the parts and numbers of a Tool; zero values have a sensible meaning.
type Options struct {
	Logger    *slog.Logger
	Now       func() time.Time
	Transport http.RoundTripper
	Hold      time.Duration // how long messages wait for those before them; 0: 150 ms
	Reconcile time.Duration // how often Chatwoot's record is read; 0: 5 min
	Queue     deliver.Options
}

// Tool is the connected Chatwoot. It implements connect.Tool and connect.Replier.
type Tool struct {
	cfg    Config
	chats  connect.Chats
	store  Store
	marks  connect.Marks
	o      Options
	log    *slog.Logger
	agents map[string]string
	client *connect.Client
	inbox  *connect.Inbox
	queue  *deliver.Queue
	seen   *connect.Marker

	mu       sync.Mutex
	sending  map[string]bool // replies that are being sent now
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	stopOnce sync.Once
}

var (
	_ connect.Tool    = (*Tool)(nil)
	_ connect.Replier = (*Tool)(nil)
)

// New makes the connector of a valid configuration.
func New(cfg Config, chats connect.Chats, store Store, marks connect.Marks, o Options) (*Tool, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Hold = cmp.Or(o.Hold, 150*time.Millisecond)
	o.Reconcile = cmp.Or(o.Reconcile, 5*time.Minute)
	o.Queue.Ordered = true
	o.Queue.Logger = cmp.Or(o.Queue.Logger, o.Logger)
	t := &Tool{cfg: cfg, chats: chats, store: store, marks: marks, o: o, log: o.Logger, sending: map[string]bool{}}
	var err error
	if t.agents, err = agentTokens(cfg.Agents); err != nil {
		return nil, err
	}
	if t.client, err = connect.NewClient(connect.ClientOptions{Base: cfg.URL, Every: 200 * time.Millisecond, Transport: o.Transport}); err != nil {
		return nil, fmt.Errorf("ASIDE_CHATWOOT_URL: %w", err)
	}
	t.inbox = connect.NewInbox(connect.InboxOptions{Logger: o.Logger, Hold: o.Hold})
	t.seen = connect.NewMarker(Name, marks, o.Now, o.Logger)
	t.queue = deliver.NewQueue(Name, store, t.sort, t.send, o.Queue)
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

// Name implements connect.Tool.
func (t *Tool) Name() string { return Name }

// Owns implements connect.Tool.
func (t *Tool) Owns(conversation string) bool {
	_, ok := displayOf(t.cfg.Account, conversation)
	return ok
}

// Saw implements connect.Tool.
func (t *Tool) Saw(e assist.Event) {
	switch e.Type {
	case assist.EventTurnAdded, assist.EventHandoff, assist.EventSuggestionReady:
		t.queue.Notice(e.Conversation)
	}
}

// Start implements connect.Tool.
func (t *Tool) Start() {
	t.queue.Start()
	if t.cfg.Token != "" {
		t.wg.Go(t.reconcile)
	}
}

// Stop implements connect.Tool.
func (t *Tool) Stop(ctx context.Context) (err error) {
	t.stopOnce.Do(func() {
		err = t.inbox.Stop(ctx)
		t.cancel()
		t.seen.Stop()
		t.wg.Wait()
		t.queue.Stop()
	})
	return err
}

// ServeHTTP implements connect.Tool. The account's webhook is at the tool's own
// path, the bot's at /bot below it; either may have the path secret behind it.
func (t *Tool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := t.take(w, r); err != nil {
		if assist.CodeOf(err) == assist.Unavailable {
			// The job that calls bots tries again after 429 and 500 only.
			err = assist.Wrap(err, assist.RateLimited, "%s", assist.MessageOf(err))
			w.Header().Set("Retry-After", "3")
		}
		connect.Refuse(w, err)
		return
	}
	connect.Taken(w)
}

func (t *Tool) take(w http.ResponseWriter, r *http.Request) error {
	_, tail, _ := strings.Cut(r.URL.Path, "/hooks/"+Name)
	tail = strings.Trim(tail, "/")
	secret, viaBot := t.cfg.Secret, false
	if rest, ok := strings.CutPrefix(tail+"/", "bot/"); ok {
		secret, viaBot, tail = t.cfg.BotSecret, true, strings.Trim(rest, "/")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return assist.Errorf(assist.TooLarge, "the delivery is larger than %d bytes", maxBody)
	case err != nil:
		return assist.Wrap(err, assist.Invalid, "the delivery could not be read")
	}
	if err := verify(secret, t.cfg.PathSecret, tail, r.Header, body, t.o.Now()); err != nil {
		t.seen.Mark(connect.MarkRefused)
		return err
	}
	p, err := parse(body)
	if err != nil {
		return err
	}
	if p.Account != 0 && p.Account != t.cfg.Account {
		return assist.Errorf(assist.Forbidden, "this is for account %d, ASIDE_CHATWOOT_ACCOUNT is another one", p.Account)
	}
	d := connect.Delivery{Conversation: idOf(t.cfg.Account, p.Conversation.ID)}
	switch p.Event {
	case "message_created", "message_updated":
		d.ID, d.At = p.Message.ID, p.Message.CreatedAt.Time
		d.Do = func(ctx context.Context) error { return t.message(ctx, p.Message, p.Conversation, viaBot) }
	case "conversation_status_changed", "conversation_updated", "conversation_opened", "conversation_resolved":
		d.At = p.Conversation.at()
		d.Do = func(ctx context.Context) error { return t.status(ctx, p.Conversation) }
	case "conversation_typing_on":
		if p.Private || viaBot {
			return nil
		}
		d.Do = func(ctx context.Context) error { return t.typing(ctx, d.Conversation, p.User) }
	default:
		return nil // of no use here; taken, so that it is not sent again
	}
	if viaBot {
		t.seen.Mark(markBot)
	} else {
		t.seen.Mark(connect.MarkDelivery)
	}
	_, err = t.inbox.Put(d)
	return err
}

// reporter is as whom Chatwoot's messages are reported.
var reporter = assist.Identity{Subject: Name, Actor: assist.ActorSource, Name: "Chatwoot"}

// agent is as whom is done what an agent did in Chatwoot: taking, closing. Nothing
// is ever said in their name here.
func agent(p *person) assist.Identity {
	who := assist.Identity{Subject: Name, Actor: assist.ActorAgent, Name: "Chatwoot"}
	if p != nil && p.ID > 0 {
		who.Subject, who.Name = fmt.Sprintf("%s:user-%d", Name, p.ID), clip(p.Name, assist.MaxName)
	}
	return who
}

// message makes a turn of a message that somebody said.
func (t *Tool) message(ctx context.Context, m message, c conversation, viaBot bool) error {
	text := m.text()
	if !m.spoken() || text == "" {
		return nil
	}
	id := idOf(t.cfg.Account, c.ID)
	n := assist.NewTurn{Conversation: id, ExternalID: strconv.FormatInt(m.ID, 10), Text: text, At: m.CreatedAt.Time, Role: assist.RoleCustomer}
	if m.Sender != nil {
		n.Name = clip(m.Sender.Name, assist.MaxName)
	}
	who := reporter
	if m.Kind == outgoing {
		ours, err := t.store.Echoed(ctx, Name, id, n.ExternalID, *orEmpty(m.Content))
		if err != nil {
			return err
		}
		if ours {
			_, err = t.store.FollowChat(ctx, Name, id, "", time.Time{}, m.ID)
			return err
		}
		n.Role = assist.RoleAgent
		if m.Sender != nil && (m.Sender.Type == "agent_bot" || m.Sender.Type == "captain_assistant") {
			n.Role = assist.RoleBot
		}
	} else {
		contact := m.Sender
		if contact == nil {
			contact = c.Meta.Sender
		}
		pending := c.Status == "pending" && t.cfg.BotToken != ""
		if pending && !viaBot {
			return nil // the bot's own webhook brings it, and is sent again when it fails
		}
		var err error
		asCustomer := pending && contact != nil
		if asCustomer, err = t.store.TakenAs(ctx, Name, n.ExternalID, asCustomer); err != nil {
			return err
		}
		if contact != nil {
			n.Customer = strconv.FormatInt(contact.ID, 10)
		}
		if asCustomer && contact != nil {
			who = customer(id, contact)
		}
	}
	if _, err := t.store.FollowChat(ctx, Name, id, c.Status, orTime(c.at(), m.CreatedAt.Time), m.ID); err != nil {
		return err
	}
	_, _, err := t.chats.Receive(ctx, who, n)
	if assist.CodeOf(err) == assist.Conflict {
		return nil // it was edited in Chatwoot; what was said first stands
	}
	if err != nil || who.Actor != assist.ActorCustomer {
		return err
	}
	ours, err := t.chats.Conversation(ctx, reporter, id)
	if err == nil && ours.Status != assist.StatusBot && ours.Status != assist.StatusClosed {
		// The bot does not serve here, or not any more: nobody must wait for it.
		err = t.store.Deliver(ctx, Name, id, deliver.New{Kind: kindHandoff, Key: "unserved:" + n.ExternalID, Body: said{}, Within: handoffWithin})
		t.queue.Wake()
	}
	return err
}

// customer is a contact whom the bot serves.
func customer(conversation string, p *person) assist.Identity {
	return assist.Identity{Subject: fmt.Sprintf("%s:contact-%d", Name, p.ID), Actor: assist.ActorCustomer,
		Name: clip(p.Name, assist.MaxName), Conversation: conversation}
}

func orEmpty(s *string) *string {
	if s == nil {
		return new(string)
	}
	return s
}

func orTime(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

// status follows what became of a conversation in Chatwoot.
func (t *Tool) status(ctx context.Context, c conversation) error {
	if c.Status == "" {
		return nil
	}
	id := idOf(t.cfg.Account, c.ID)
	before, err := t.store.FollowChat(ctx, Name, id, c.Status, c.at(), 0)
	if err != nil {
		return err
	}
	if now, _, err := t.store.ToolChat(ctx, id); err != nil || now != c.Status {
		return err // a later word came before this one
	}
	ours, err := t.chats.Conversation(ctx, reporter, id)
	if assist.CodeOf(err) == assist.NotFound {
		return nil // nothing was said yet
	}
	if err != nil {
		return err
	}
	switch {
	case c.Status == "resolved" && ours.Status != assist.StatusClosed:
		_, err = t.chats.Close(ctx, agent(c.Meta.Assignee), id, "resolved in Chatwoot")
	case c.Status == "open" && ours.Status == assist.StatusBot:
		_, err = t.chats.TakeHandoff(ctx, agent(c.Meta.Assignee), id)
	case c.Status == "pending" && before != "" && before != "pending" && (ours.Status == assist.StatusOpen || ours.Status == assist.StatusWaiting):
		_, err = t.chats.Close(ctx, agent(c.Meta.Assignee), id, "given to the bot in Chatwoot")
	}
	if assist.CodeOf(err) == assist.Conflict {
		return nil // an agent here was faster
	}
	return err
}

// typing shows who types, and has the conversation at hand for what comes. Chatwoot
// does not say what is being typed.
func (t *Tool) typing(ctx context.Context, conversation string, p *person) error {
	role := assist.RoleCustomer
	if p != nil && p.Type == "user" {
		role = assist.RoleAgent
	}
	if err := t.chats.Typing(ctx, reporter, conversation, role, ""); err != nil {
		return err
	}
	if role == assist.RoleCustomer {
		if _, _, err := t.chats.Transcript(ctx, reporter, conversation); err != nil {
			t.log.Debug("a conversation was not warmed up", "conversation", conversation, "error", err)
		}
	}
	return nil
}
