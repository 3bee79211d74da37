package libredesk

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
)

// echoPrefix begins the echo_id of every reply that was posted from here.
const echoPrefix = "aside-"

func ours(echo string) bool { return strings.HasPrefix(echo, echoPrefix) }

// echoID names a reply: the same press of the same button, sent again, is the same.
func echoID(who assist.Identity, r assist.NewReply) string {
	sum := sha256.Sum256([]byte(who.Subject + "\x00" + r.Conversation + "\x00" + r.Key()))
	return echoPrefix + hex.EncodeToString(sum[:16])
}

// Reply implements connect.Replier. Libredesk keeps no two messages apart by their
// echo_id, so a reply that may be there already is looked for before it is posted,
// and one of which nobody can tell is not posted again by itself.
func (c *Connector) Reply(ctx context.Context, who assist.Identity, r assist.NewReply) error {
	if who.Actor != assist.ActorAgent || !who.MayRead(r.Conversation) {
		return assist.Errorf(assist.Forbidden, "only an agent may send a reply, not a token with role %q", who.Actor)
	}
	if err := r.Validate(); err != nil {
		return err
	}
	if _, err := c.o.Chats.Conversation(ctx, who, r.Conversation); err != nil {
		return err
	}
	key, err := c.keyOf(ctx, who)
	if err != nil {
		return err
	}
	echo, uuid := echoID(who, r), uuidOf(r.Conversation)
	c.mu.Lock()
	_, sent := c.sent[echo]
	flying := c.flying[echo]
	if !sent {
		c.flying[echo] = true
	}
	c.mu.Unlock()
	switch {
	case sent:
		return nil
	case flying:
		return assist.Errorf(assist.Conflict, "this reply is just being sent")
	}
	err = c.say(ctx, uuid, key, echo, r.Text)
	c.mu.Lock()
	delete(c.flying, echo)
	if err == nil {
		c.sent[echo] = c.o.Now()
	}
	c.mu.Unlock()
	if err != nil {
		c.log.Warn("a reply was not sent", "conversation", r.Conversation, "agent", who.Subject, "error", err)
	}
	return err
}

// say posts a reply unless it is there.
func (c *Connector) say(ctx context.Context, uuid string, key http.Header, echo, text string) error {
	// The agent may close the page; what was begun is brought to its end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	mark := "reply:" + echo
	first, err := c.o.Marks.Once(ctx, name, mark)
	if err != nil {
		return assist.Wrap(err, assist.Unavailable, "not sent: the store cannot be reached. Try again")
	}
	if !first {
		there, err := c.isThere(ctx, uuid, key, echo)
		if err != nil || there {
			return err
		}
		at, err := c.o.Marks.Marked(ctx, name, mark)
		if err != nil || c.o.Now().Sub(at) < c.o.Doubt && !c.wasNotSaid(echo) {
			return assist.Wrap(err, assist.Unavailable, "it is not clear yet whether this was sent: look at the chat, and try again in half a minute")
		}
		if err := c.o.Marks.Mark(ctx, name, mark); err != nil {
			return assist.Wrap(err, assist.Unavailable, "not sent: the store cannot be reached. Try again")
		}
	}
	to, err := c.addressees(ctx, uuid, key)
	if err != nil {
		c.notSaid(echo)
		return explain(err)
	}
	_, err = c.send(ctx, uuid, key, outgoing{Message: paragraphs(text), To: to, EchoID: echo}, false)
	if err == nil {
		return nil
	}
	var f *connect.Fault
	if !errors.As(err, &f) || !f.MaybeDone {
		c.notSaid(echo)
		return explain(err)
	}
	there, lerr := c.isThere(ctx, uuid, key, echo)
	if there {
		return nil
	}
	return assist.Wrap(errors.Join(err, lerr), assist.Unavailable, "Libredesk did not answer in time: look whether the reply is there before you send it again")
}

// isThere looks for a reply among the conversation's messages.
func (c *Connector) isThere(ctx context.Context, uuid string, key http.Header, echo string) (bool, error) {
	list, err := c.messages(ctx, uuid, key, true)
	if err != nil {
		return false, explain(err)
	}
	for _, m := range list {
		if m.echo() == echo {
			return true, nil
		}
	}
	return false, nil
}

// addressees are whom an email goes to; a live chat needs none.
func (c *Connector) addressees(ctx context.Context, uuid string, key http.Header) ([]string, error) {
	c.mu.Lock()
	k := *c.look(uuid)
	c.mu.Unlock()
	if k.channel == "" {
		s, err := c.conversation(ctx, uuid, key)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		p := c.look(uuid)
		p.channel, p.email = s.InboxChannel, s.Contact.Email
		k = *p
		c.mu.Unlock()
	}
	if k.channel == "email" && k.email != "" {
		return []string{k.email}, nil
	}
	return nil, nil
}

// notSaid remembers that a reply was certainly not said, so that it can be tried
// again at once.
func (c *Connector) notSaid(echo string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsaid) > 10000 {
		clear(c.unsaid)
	}
	c.unsaid[echo] = true
}

func (c *Connector) wasNotSaid(echo string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsaid[echo]
}

// posting says whether a reply is being posted, or was, by this process: its turn
// is stored by the agent's own request.
func (c *Connector) posting(echo string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, sent := c.sent[echo]
	return c.flying[echo] || sent && c.o.Now().Sub(at) < c.o.Doubt
}

// echoed is called with our own reply as it comes back.
func (c *Connector) echoed(m message) {
	c.mu.Lock()
	k := c.look(m.Conversation)
	if m.CreatedAt.After(k.last) {
		k.last = m.CreatedAt
	}
	c.mu.Unlock()
	if !c.posting(m.echo()) {
		c.healSoon(m.Conversation, c.o.Doubt) // of another process, or of one that died before it stored it
	}
}

// explain puts what Libredesk answered in words for the agent who pressed send.
func explain(err error) error {
	var f *connect.Fault
	if !errors.As(err, &f) {
		return assist.Wrap(err, assist.Unavailable, "not sent: Libredesk could not be asked. Try again")
	}
	switch {
	case f.Status == http.StatusUnauthorized:
		return assist.Wrap(err, assist.Forbidden, "not sent: Libredesk no longer takes your API key. Make a new one and give it to whoever runs Aside")
	case f.Status == http.StatusForbidden:
		return assist.Wrap(err, assist.Forbidden, "not sent: your role in Libredesk may not answer this conversation")
	case f.Status == http.StatusNotFound:
		return assist.Wrap(err, assist.NotFound, "not sent: Libredesk has no such conversation any more")
	case f.Status == http.StatusTooManyRequests:
		return assist.Wrap(err, assist.RateLimited, "not sent: Libredesk takes no more requests for a moment. Try again")
	case f.Status >= 400 && f.Status < 500:
		return assist.Wrap(err, assist.Invalid, "not sent: Libredesk refused it")
	}
	return assist.Wrap(err, assist.Unavailable, "not sent: Libredesk cannot be reached. Try again")
}

// keyring has the keys of agents, and whose they are once Libredesk has said so.
type keyring struct {
	mu   sync.Mutex
	keys []agentKey
}

type agentKey struct {
	line    int
	subject string // an Aside subject besides the Libredesk agent's; "": none
	auth    http.Header
	agent   int64 // 0: not asked yet
}

// parseKeys reads one key a line: "key:secret" or "subject key:secret". Empty lines
// and those that begin with # are left out.
func parseKeys(s string) (keys []agentKey, err error) {
	lines := bufio.NewScanner(strings.NewReader(s))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		k := agentKey{line: n}
		if len(fields) == 2 {
			k.subject = fields[0]
		} else if len(fields) > 2 {
			return nil, fmt.Errorf("line %d must be \"key:secret\", or \"subject key:secret\"", n)
		}
		if k.auth, err = parseKey(fields[len(fields)-1]); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		keys = append(keys, k)
	}
	return keys, lines.Err()
}

// keyOf finds the key of an agent, asking Libredesk whose the unknown ones are.
func (c *Connector) keyOf(ctx context.Context, who assist.Identity) (http.Header, error) {
	id := int64(-1)
	if s, ok := strings.CutPrefix(who.Subject, agentPrefix); ok {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
			id = n
		}
	}
	c.keys.mu.Lock()
	keys := slices.Clone(c.keys.keys)
	c.keys.mu.Unlock()
	for _, k := range keys {
		if k.agent == id || k.subject != "" && k.subject == who.Subject {
			return k.auth, nil
		}
	}
	var unreachable error
	for i, k := range keys {
		if id < 0 || k.agent != 0 {
			continue
		}
		m, err := c.whose(ctx, k.auth, false)
		if err != nil {
			c.log.Warn("it could not be asked whose a key is", "line", k.line, "error", err)
			if f := (*connect.Fault)(nil); errors.As(err, &f) && (f.Status == 0 || f.Status >= 500) {
				unreachable = err
				break // the others would wait as long
			}
			continue
		}
		c.keys.mu.Lock()
		c.keys.keys[i].agent = m.ID
		c.keys.mu.Unlock()
		if m.ID == id {
			return k.auth, nil
		}
	}
	if unreachable != nil {
		return nil, explain(unreachable)
	}
	return nil, assist.Errorf(assist.Forbidden, "not sent: Aside has no Libredesk API key of yours, and sends in nobody else's name. Copy the text, or have your key added to ASIDE_LIBREDESK_KEYS")
}
