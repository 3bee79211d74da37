package chatwoot

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/connect/deliver"
)

// Reply implements connect.Replier: "send as me". The words go out with the token of
// the agent who pressed send, and with no other; an agent without one is told so. What
// may have been sent before is looked for before it is sent again.
func (t *Tool) Reply(ctx context.Context, who assist.Identity, r assist.NewReply) error {
	if who.Actor != assist.ActorAgent {
		return assist.Errorf(assist.Forbidden, "only an agent sends replies")
	}
	as := t.agents[who.Subject]
	if as == "" {
		return assist.Errorf(assist.Forbidden, "Chatwoot cannot be told who you are: ask for a line with your name, %s, and your Chatwoot access token in ASIDE_CHATWOOT_AGENTS. Until then copy the reply over", who.Subject)
	}
	display, ok := displayOf(t.cfg.Account, r.Conversation)
	if !ok {
		return assist.Errorf(assist.NotFound, "conversation %q is not in the connected Chatwoot", r.Conversation)
	}
	text := untemplated(r.Text)
	key := "reply:" + who.Subject + ":" + r.Key()
	if !t.beginSending(r.Conversation + key) {
		return assist.Errorf(assist.Unavailable, "this reply is being sent already")
	}
	defer t.endSending(r.Conversation + key)
	d, err := t.store.BeginHeld(ctx, Name, r.Conversation, deliver.New{Kind: kindReply, Key: key, Body: said{text}})
	if err != nil {
		return err
	}
	var before said
	if err := json.Unmarshal(d.Body, &before); err != nil || before.Text != text {
		return assist.Errorf(assist.Conflict, "this id was used for another reply: give every reply its own")
	}
	if d.State == deliver.Sent {
		return nil
	}
	id := ""
	if d.Attempts > 1 {
		if id, err = t.find(ctx, as, display, text, d.CreatedAt); err != nil {
			return assist.Wrap(err, assist.Unavailable, "Chatwoot does not answer, so it is not known whether your reply was sent: try again in a moment; it is not sent twice")
		}
	}
	if id == "" {
		id, err = t.post(ctx, display, as, posting{Content: text, EchoID: d.ID})
	}
	// What was sent must be known as sent, also when the agent's page is gone.
	settle, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer done()
	if err != nil {
		return t.notSent(settle, d, err)
	}
	if err := t.store.SettleDelivery(settle, d.ID, deliver.Sent, id, "", 0); err != nil {
		t.log.Warn("a reply was sent, which could not be stored: if it is tried again it is looked for", "conversation", r.Conversation, "error", err)
	}
	return nil
}

func (t *Tool) notSent(ctx context.Context, d deliver.Delivery, err error) error {
	var f *connect.Fault
	if errors.As(err, &f) && f.MaybeDone {
		return assist.Wrap(err, assist.Unavailable, "Chatwoot did not say whether it took your reply: try again; it is not sent twice")
	}
	if err := t.store.ForgetHeld(ctx, d.ID); err != nil {
		t.log.Warn("a reply that was not sent is still listed", "id", d.ID, "error", err)
	}
	if f != nil && (f.Status == http.StatusUnauthorized || f.Status == http.StatusForbidden) {
		return assist.Wrap(err, assist.Forbidden, "Chatwoot refuses your access token: it may have been renewed; the one in ASIDE_CHATWOOT_AGENTS must be that of your Chatwoot profile")
	}
	return assist.Wrap(err, assist.Unavailable, "Chatwoot did not take your reply: try again")
}

func (t *Tool) beginSending(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sending[key] {
		return false
	}
	t.sending[key] = true
	return true
}

func (t *Tool) endSending(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.sending, key)
}
