package web

import (
	"context"

	"github.com/aside-project/aside/internal/assist"
)

// oneDelivery is a list of one, dlv_1, that was given up.
type oneDelivery struct{}

func (oneDelivery) List(context.Context, string, int) ([]Delivery, error) {
	return []Delivery{{ID: "dlv_1", Tool: "generic", Conversation: "hook-1", Kind: "suggestion", State: "dead", Attempts: 9, Error: "answered 502 Bad Gateway", CreatedAt: noon, DoneAt: noon}}, nil
}

func (o oneDelivery) Replay(_ context.Context, id string) (Delivery, error) {
	if id != "dlv_1" {
		return Delivery{}, assist.Errorf(assist.NotFound, "there is no delivery")
	}
	return Delivery{ID: id, Tool: "generic", Conversation: "hook-1", Kind: "suggestion", State: "pending", CreatedAt: noon, NextAt: noon}, nil
}
