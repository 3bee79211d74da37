package app

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/connect/deliver"
	"github.com/aside-project/aside/internal/connect/generic"
	"github.com/aside-project/aside/internal/connect/libredesk"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/web"
	"github.com/aside-project/aside/internal/ws"
)

var _ connect.Marks = (*postgres.DB)(nil)

// tools are the chat tools that are connected.
type tools []connect.Tool

// newTools makes those that are configured. chats may be nil for one that is only
// asked for its Checks.
func newTools(cfg Config, chats connect.Chats, db *postgres.DB, log *slog.Logger) (ts tools, err error) {
	if cfg.Libredesk.On() {
		t, err := libredesk.New(cfg.Libredesk, libredesk.Options{Chats: chats, Marks: db, Logger: log, Dial: dial})
		if err != nil {
			return nil, fmt.Errorf("connect Libredesk: %w", err)
		}
		ts = append(ts, t)
	}
	if cfg.Chatwoot.On() {
		t, err := chatwoot.New(cfg.Chatwoot, chats, db, db, chatwoot.Options{Logger: log})
		if err != nil {
			return nil, fmt.Errorf("connect Chatwoot: %w", err)
		}
		ts = append(ts, t)
	}
	if cfg.Hook.On() {
		ts = append(ts, generic.New(cfg.Hook, chats, db, db, generic.Options{Logger: log}))
	}
	return ts, nil
}

// dial is ws.Dial as connectors know it.
func dial(ctx context.Context, address string, h http.Header) (libredesk.Socket, error) {
	s, err := ws.Dial(ctx, address, h)
	if err != nil {
		return nil, err // not s: a nil *ws.Client is not a nil Socket
	}
	return s, nil
}

// hooks are the handlers of POST /v1/hooks/NAME.
func (ts tools) hooks() map[string]http.Handler {
	h := map[string]http.Handler{}
	for _, t := range ts {
		h[t.Name()] = t
	}
	return h
}

// pages are what browsers open of the tools' own.
func (ts tools) pages() map[string]http.Handler {
	pages := map[string]http.Handler{}
	for _, t := range ts {
		if p, ok := t.(interface {
			Pages() map[string]http.Handler
		}); ok {
			maps.Copy(pages, p.Pages())
		}
	}
	return pages
}

// outgoing is what goes out to the tools, for the page of deliveries.
type outgoing struct{ db *postgres.DB }

var _ web.Deliveries = outgoing{}

// List implements web.Deliveries.
func (o outgoing) List(ctx context.Context, state string, limit int) (list []web.Delivery, err error) {
	found, err := o.db.Deliveries(ctx, deliver.State(state), limit)
	for _, d := range found {
		list = append(list, shownDelivery(d))
	}
	return list, err
}

// Replay implements web.Deliveries. The queue finds it within seconds.
func (o outgoing) Replay(ctx context.Context, id string) (web.Delivery, error) {
	d, err := o.db.ReplayDelivery(ctx, id)
	return shownDelivery(d), err
}

func shownDelivery(d deliver.Delivery) web.Delivery {
	return web.Delivery{ID: d.ID, Tool: d.Tool, Conversation: d.Conversation, Kind: d.Kind, State: string(d.State), Attempts: d.Attempts,
		Error: d.Error, CreatedAt: d.CreatedAt, NextAt: d.NextAt, DoneAt: d.DoneAt}
}

// signOn says who came to the panel from a tool's link.
func (ts tools) signOn(tool string, q url.Values) (assist.Identity, error) {
	for _, t := range ts {
		if s, ok := t.(connect.SignOn); ok && t.Name() == tool {
			return s.SignOn(q)
		}
	}
	return assist.Identity{}, assist.Errorf(assist.NotFound, "no chat tool of that name signs agents in here")
}

// panelLink is web.PanelLink: a token for who came from a tool's link.
func (a *App) panelLink(_ context.Context, q url.Values) (assist.Identity, string, error) {
	who, err := a.tools.signOn(q.Get("tool"), q)
	if err != nil {
		return assist.Identity{}, "", err
	}
	token, err := a.signer.Sign(who, time.Until(who.Expires))
	if err != nil {
		return assist.Identity{}, "", fmt.Errorf("sign %s on to the panel: %w", who.Subject, err)
	}
	return who, token, nil
}

func (a *App) startTools() {
	for _, t := range a.tools {
		t.Start()
		a.onStop(t.Name(), t.Stop)
	}
}

// toolBus tells the chat tools of the events of their conversations.
type toolBus struct {
	countedBus
	tools tools // set before anything is published
}

func (b *toolBus) Publish(topic string, e assist.Event) {
	b.countedBus.Publish(topic, e)
	if topic != e.Conversation {
		return
	}
	for _, t := range b.tools {
		if t.Owns(e.Conversation) {
			t.Saw(e)
		}
	}
}

// desk is the chat as agents use it: what they send in a conversation that lives in
// a chat tool is said there first, in their own name, and stored once it was.
type desk struct {
	*chat.Service
	tools tools
}

// Send implements ws.Service.
func (d desk) Send(ctx context.Context, who assist.Identity, n assist.NewReply) (assist.Turn, bool, error) {
	for _, t := range d.tools {
		if r, ok := t.(connect.Replier); ok && t.Owns(n.Conversation) {
			if err := r.Reply(ctx, who, n); err != nil {
				return assist.Turn{}, false, err
			}
		}
	}
	return d.Service.Send(ctx, who, n)
}

// examineTools asks each tool what is missing.
func examineTools(ctx context.Context, cfg Config, db *postgres.DB, log *slog.Logger) (checks []Check) {
	ts, err := newTools(cfg, nil, db, log)
	if err != nil {
		return []Check{{Name: "chat tools", Detail: err.Error(), Fix: "mend the settings it names"}}
	}
	for _, t := range ts {
		if c, ok := t.(connect.Checker); ok {
			for _, f := range c.Checks(ctx) {
				checks = append(checks, Check{Name: f.Name, OK: f.OK, Detail: f.Detail, Fix: f.Fix})
			}
		}
	}
	return checks
}
