package libredesk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
)

// Checks implements connect.Checker: each step of deploy/connect-libredesk.md.
func (c *Connector) Checks(ctx context.Context) []connect.Check {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	checks := []connect.Check{c.checkReach(ctx), {Name: "libredesk secret", OK: true, Detail: "deliveries are verified with ASIDE_LIBREDESK_WEBHOOK_SECRET"}}
	if checks[0].OK {
		checks = append(checks, c.checkKey(ctx))
		checks = append(checks, c.checkAgents(ctx)...)
		if c.cfg.Typing && c.o.Dial != nil {
			checks = append(checks, c.checkTyping(ctx))
		}
	}
	return append(checks, c.checkDelivery(ctx), c.checkLink())
}

func (c *Connector) checkReach(ctx context.Context) connect.Check {
	ch := connect.Check{Name: "libredesk", Detail: "answers at " + c.cfg.URL}
	_, err := c.whose(ctx, http.Header{"Authorization": {"token none:none"}}, false)
	var f *connect.Fault
	if errors.As(err, &f) && (f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden) {
		ch.OK = true
		return ch
	}
	if err == nil {
		err = errors.New("it lets anybody in")
	}
	ch.Detail = fmt.Sprintf("%s does not answer as Libredesk does: %v", c.cfg.URL, err)
	ch.Fix = "check ASIDE_LIBREDESK_URL, and that this machine reaches it: curl -i " + c.cfg.URL + "/api/v1/agents/me"
	return ch
}

func (c *Connector) checkKey(ctx context.Context) connect.Check {
	ch := connect.Check{Name: "libredesk key", OK: true, Detail: "none: Aside only listens, and lost deliveries stay lost"}
	if c.own == nil {
		ch.Fix = "set ASIDE_LIBREDESK_KEY to key:secret of an agent made for Aside"
		return ch
	}
	m, err := c.whose(ctx, c.own, false)
	if err == nil {
		_, err = c.conversations(ctx)
	}
	if err != nil {
		ch.OK, ch.Detail = false, keyFault(err)
		ch.Fix = "in Libredesk, on the page of the agent for Aside: make a new API key, give the agent a role with " + readingRole + ", and set ASIDE_LIBREDESK_KEY to key:secret"
		return ch
	}
	if c.cfg.Notes && len(m.Permissions) > 0 && !slices.Contains(m.Permissions, "messages:write_private") && !slices.Contains(m.Permissions, "messages:write") {
		ch.OK, ch.Detail = false, "the key's role may read, but not write private notes"
		ch.Fix = "in Libredesk, give the role of Aside's agent messages:write_private, or messages:write in versions before 2.9, which have no such permission"
		return ch
	}
	ch.Detail = fmt.Sprintf("Aside acts as agent %d, %s", m.ID, strings.TrimSpace(m.FirstName+" "+m.LastName))
	if c.cfg.Notes {
		ch.Detail += "; suggestions are posted as private notes"
	}
	return ch
}

// readingRole is what Aside's own agent needs to read what it missed.
const readingRole = "conversations:read, conversations:read_all and messages:read"

func (c *Connector) checkTyping(ctx context.Context) connect.Check {
	ch := connect.Check{Name: "libredesk typing", OK: true, Detail: "the socket for agents opens: the panel shows that a customer types"}
	s, err := c.dial(ctx)
	if err != nil {
		ch.OK, ch.Detail = false, err.Error()
		ch.Fix = "if a proxy stands before Libredesk, have it pass WebSockets at /ws and the Host header on; or leave ASIDE_LIBREDESK_TYPING out"
		return ch
	}
	_ = s.Close() // it was only to see whether it opens
	return ch
}

// checkAgents says whose the agents' keys are.
func (c *Connector) checkAgents(ctx context.Context) []connect.Check {
	ch := connect.Check{Name: "libredesk agents", OK: true, Detail: "no agent's key: replies are copied, not sent from here"}
	c.keys.mu.Lock()
	keys := slices.Clone(c.keys.keys)
	c.keys.mu.Unlock()
	if len(keys) == 0 {
		ch.Fix = "put each agent's key:secret on a line of a file, and name it in ASIDE_LIBREDESK_KEYS_FILE"
		return []connect.Check{ch}
	}
	var who, faults []string
	for _, k := range keys {
		m, err := c.whose(ctx, k.auth, true)
		if err != nil {
			faults = append(faults, fmt.Sprintf("line %d: %s", k.line, keyFault(err)))
			continue
		}
		who = append(who, strings.TrimSpace(m.FirstName+" "+m.LastName))
	}
	ch.Detail = fmt.Sprintf("%d may reply from here: %s", len(who), strings.Join(who, ", "))
	if len(faults) > 0 {
		ch.OK, ch.Detail = false, strings.Join(faults, "; ")
		ch.Fix = "make a new API key for each of them, and put it in the file of ASIDE_LIBREDESK_KEYS_FILE"
	}
	return []connect.Check{ch}
}

func (c *Connector) checkDelivery(ctx context.Context) connect.Check {
	ch := connect.Check{Name: "libredesk hook"}
	const fix = "in Libredesk, Webhooks, a new one: URL https://YOUR-ASIDE/v1/hooks/libredesk, all events of conversations and messages, the secret; then press Test while `aside serve` runs. Libredesk calls a private address only if its config.toml lists it: [webhook] allowed_hosts"
	good, err := c.o.Marks.Marked(ctx, name, connect.MarkDelivery)
	if err != nil {
		ch.Detail, ch.Fix = assist.MessageOf(err), "see the line on the database"
		return ch
	}
	bad, err := c.o.Marks.Marked(ctx, name, connect.MarkRefused)
	if err != nil {
		ch.Detail, ch.Fix = assist.MessageOf(err), "see the line on the database"
		return ch
	}
	switch {
	case bad.Sub(good) > time.Minute: // anybody can send us one that is not signed, now and then
		ch.Detail = fmt.Sprintf("the last delivery, %s ago, was not signed with our secret", ago(c.o.Now().Sub(bad)))
		ch.Fix = "give the webhook in Libredesk the value of ASIDE_LIBREDESK_WEBHOOK_SECRET as its secret"
	case good.IsZero():
		ch.Detail, ch.Fix = "no delivery came yet", fix
	default:
		ch.OK, ch.Detail = true, fmt.Sprintf("the last delivery came %s ago", ago(c.o.Now().Sub(good)))
	}
	return ch
}

func (c *Connector) checkLink() connect.Check {
	if c.cfg.LinkSecret == "" {
		return connect.Check{Name: "libredesk link", OK: true, Detail: "none: agents sign in to the panel in another way",
			Fix: "in Libredesk, Context links, a new one with a secret of 32 characters, and the same in ASIDE_LIBREDESK_LINK_SECRET"}
	}
	return connect.Check{Name: "libredesk link", OK: true, Detail: "agents open the panel from a conversation, signed in for it"}
}

func keyFault(err error) string {
	var f *connect.Fault
	switch {
	case errors.As(err, &f) && f.Status == http.StatusUnauthorized:
		return "Libredesk does not know the key"
	case errors.As(err, &f) && f.Status == http.StatusForbidden:
		return "the key's role may not do what is needed (" + f.Call + ")"
	}
	return err.Error()
}

func ago(d time.Duration) string {
	if d < time.Minute {
		return "less than a minute"
	}
	return d.Round(time.Minute).String()
}
