package app

import (
	"context"

	"github.com/aside-project/aside/internal/web"
)

// status is what the console shows of the server.
func (a *App) status(ctx context.Context) (web.Status, error) {
	info, err := a.db.Counts(ctx)
	if err != nil {
		return web.Status{}, err
	}
	s := web.Status{
		Model:     web.ModelStatus{State: "none"},
		Embedder:  web.ModelStatus{State: "none"},
		Knowledge: web.KnowledgeStatus{Documents: info.Documents, Passages: info.Passages, Version: info.Version},
		Dev:       a.cfg.Dev,
	}
	if a.model != nil {
		s.Model = web.ModelStatus{Name: a.model.Name(), State: "ready"}
		if !a.model.Up() {
			s.Model.State, s.Model.Detail = "down", "the model's server does not answer; passages and drafts from the knowledge go on"
		}
	}
	if a.embedder != nil {
		s.Embedder = web.ModelStatus{Name: a.embedder.Name(), State: "ready"}
	}
	if a.cfg.Chatwoot.On() || a.cfg.Hook.URL != "" {
		n, err := a.db.CountDead(ctx, "")
		if err != nil {
			return web.Status{}, err
		}
		s.Deliveries = &web.DeliveryStatus{GivenUp: n}
	}
	return s, nil
}
