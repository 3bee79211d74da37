package chatwoot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/connect"
)

var _ connect.Checker = (*Tool)(nil)

// Checks implements connect.Checker, in the order of deploy/connect-chatwoot.md.
func (t *Tool) Checks(ctx context.Context) []connect.Check {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	checks := []connect.Check{t.checkReach(ctx)}
	if !checks[0].OK {
		return checks
	}
	checks = append(checks, t.checkToken(ctx))
	if w, ok := t.checkWebhook(ctx); ok {
		checks = append(checks, w)
	}
	return append(checks, t.checkNotes(), t.checkBot(ctx), t.checkAgents(ctx), t.checkDelivery(ctx))
}

func (t *Tool) checkReach(ctx context.Context) connect.Check {
	var v struct {
		Version string `json:"version"`
	}
	err := t.client.Do(ctx, connect.Call{Method: "GET", Path: "/api", Into: &v, Again: true})
	if err != nil {
		return connect.Check{Name: "chatwoot", Detail: err.Error(), Fix: "check ASIDE_CHATWOOT_URL: the address that agents open, without /app"}
	}
	return connect.Check{Name: "chatwoot", OK: true, Detail: fmt.Sprintf("%s answers, version %s", t.cfg.URL, orElse(v.Version, "unknown"))}
}

func (t *Tool) checkToken(ctx context.Context) connect.Check {
	c := connect.Check{Name: "chatwoot token"}
	if t.cfg.Token == "" {
		c.OK = true
		c.Detail = "none: messages that come while Aside is down are not found again; ASIDE_CHATWOOT_TOKEN is that of a user's profile"
		return c
	}
	who, err := t.profile(ctx, t.cfg.Token)
	if err != nil {
		c.Detail, c.Fix = err.Error(), "copy the access token from the end of the user's Profile Settings into ASIDE_CHATWOOT_TOKEN"
		return c
	}
	var list struct{}
	if err := t.client.Do(ctx, connect.Call{Method: "GET", Path: fmt.Sprintf("/api/v1/accounts/%d/conversations?status=all&page=1", t.cfg.Account),
		Header: token(t.cfg.Token), Into: &list, Again: true}); err != nil {
		c.Detail, c.Fix = err.Error(), fmt.Sprintf("check ASIDE_CHATWOOT_ACCOUNT: %s must belong to account %d", who, t.cfg.Account)
		return c
	}
	c.OK, c.Detail = true, fmt.Sprintf("of %s, who may read account %d", who, t.cfg.Account)
	return c
}

func (t *Tool) profile(ctx context.Context, as string) (name string, err error) {
	var p struct {
		Name string `json:"name"`
	}
	err = t.client.Do(ctx, connect.Call{Method: "GET", Path: "/api/v1/profile", Header: token(as), Into: &p, Again: true})
	return p.Name, err
}

// checkWebhook looks for our webhook; only administrators may.
func (t *Tool) checkWebhook(ctx context.Context) (connect.Check, bool) {
	c := connect.Check{Name: "chatwoot webhook"}
	if t.cfg.Token == "" {
		return c, false
	}
	var list struct {
		Payload struct {
			Webhooks []struct {
				URL           string   `json:"url"`
				Subscriptions []string `json:"subscriptions"`
			} `json:"webhooks"`
		} `json:"payload"`
	}
	err := t.client.Do(ctx, connect.Call{Method: "GET", Path: fmt.Sprintf("/api/v1/accounts/%d/webhooks", t.cfg.Account), Header: token(t.cfg.Token), Into: &list, Again: true})
	var f *connect.Fault
	if errors.As(err, &f) && (f.Status == 401 || f.Status == 403) {
		return c, false
	}
	if err != nil {
		c.Detail, c.Fix = err.Error(), "run the doctor again"
		return c, true
	}
	for _, w := range list.Payload.Webhooks {
		if !strings.Contains(w.URL, "/v1/hooks/"+Name) {
			continue
		}
		has := map[string]bool{}
		for _, s := range w.Subscriptions {
			has[s] = true
		}
		var missing []string
		for _, s := range []string{"message_created", "conversation_status_changed"} {
			if !has[s] {
				missing = append(missing, s)
			}
		}
		if len(missing) > 0 {
			c.Detail, c.Fix = "it does not send "+strings.Join(missing, " and "), "tick them in Settings → Integrations → Webhooks"
			return c, true
		}
		c.OK, c.Detail = true, "it is there, with "+strings.Join(w.Subscriptions, ", ")
		return c, true
	}
	c.Detail, c.Fix = "there is none for Aside", "add https://YOUR-ASIDE/v1/hooks/chatwoot in Settings → Integrations → Webhooks"
	return c, true
}

func (t *Tool) checkNotes() connect.Check {
	c := connect.Check{Name: "chatwoot notes", OK: true, Detail: "off: suggestions are seen in Aside and in the conversation's tab; ASIDE_CHATWOOT_NOTES=true posts them"}
	if t.cfg.Notes {
		c.Detail = "suggestions are posted as private notes"
	}
	return c
}

// markBot is connect.MarkDelivery of the bot's own webhook.
const markBot = "delivery to the bot"

// checkBot can only tell by its deliveries: a bot's token may not read anything.
func (t *Tool) checkBot(ctx context.Context) connect.Check {
	c := connect.Check{Name: "chatwoot bot", OK: true, Detail: "none: customers write to people only"}
	if t.cfg.BotToken == "" {
		return c
	}
	came, err := t.marks.Marked(ctx, Name, markBot)
	switch {
	case err != nil:
		c.OK, c.Detail, c.Fix = false, err.Error(), "see the line on the database"
	case came.IsZero():
		c.OK, c.Detail = false, "its webhook has sent nothing yet"
		c.Fix = "in Settings → Bots its webhook must be https://YOUR-ASIDE/v1/hooks/chatwoot/bot and its secret that of ASIDE_CHATWOOT_BOT_SECRET; connect it in the inbox, under Bot configuration, and write a message there"
	default:
		c.Detail = fmt.Sprintf("answers while a conversation is pending, as ASIDE_BOT or bot.yaml says; its webhook last came at %s", came.UTC().Format(time.RFC3339))
	}
	return c
}

func (t *Tool) checkAgents(ctx context.Context) connect.Check {
	c := connect.Check{Name: "chatwoot agents", OK: true, Detail: "no tokens: agents copy replies over; with a line each in ASIDE_CHATWOOT_AGENTS they send from Aside"}
	n := 0
	for subject, as := range t.agents {
		if n++; n > 5 {
			break // enough to see whether the file is the right one
		}
		if _, err := t.profile(ctx, as); err != nil {
			return connect.Check{Name: c.Name, Detail: fmt.Sprintf("the token of %s: %v", subject, err), Fix: "copy it again from the end of their Profile Settings in Chatwoot"}
		}
	}
	if n > 0 {
		c.Detail = fmt.Sprintf("%d may send as themselves", len(t.agents))
	}
	return c
}

func (t *Tool) checkDelivery(ctx context.Context) connect.Check {
	return connect.LastDelivery(ctx, t.marks, Name, "chatwoot delivery", "write a message in a Chatwoot inbox; if it does not come, look at the webhook's address, and at ASIDE_CHATWOOT_SECRET")
}
