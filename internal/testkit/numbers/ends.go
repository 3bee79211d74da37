package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/load"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

// shutOut measures how long the sockets live of whom another process revoked. The
// tests hold that they are closed; a test's virtual clock, within what time.
func shutOut(ctx context.Context, b *bench) error {
	db, drop, err := b.Database(ctx, "shut_out")
	if err != nil {
		return err
	}
	s, err := b.Serve(ctx, "shut_out")
	if err != nil {
		return errors.Join(err, drop())
	}
	var lived load.Samples
	for i := range b.size(10) {
		if err = func() error {
			who := assist.Identity{Subject: fmt.Sprintf("out-%d", i), Actor: assist.ActorAgent}
			token, err := b.Token(who)
			if err != nil {
				return err
			}
			c, err := s.Dial(ctx, token)
			if err != nil {
				return err
			}
			defer c.Drop()
			began := time.Now()
			if err := app.Revoke(ctx, db, "numbers", assist.RevokeSubject, who.Subject); err != nil {
				return err
			}
			if _, err := c.Until(func(load.Frame) bool { return false }); err == nil {
				return errors.New("a revoked agent's socket goes on")
			}
			lived.Add(time.Since(began))
			return nil
		}(); err != nil {
			break
		}
	}
	if err = errors.Join(err, s.Stop(), drop()); err != nil {
		return err
	}
	b.add("revoked by another process → socket closed", "≤ 5 s", fmt.Sprintf("%d agents, one after the other", lived.N()), "p50 %.0f, worst %.0f ms", lived.P(0.5), lived.P(1))
	return nil
}

// left measures how long a model's request goes on after the last viewer left.
func left(ctx context.Context, b *bench) error {
	m, url, stop, err := model(scripted.Script{Behaviour: scripted.Behaviour{TokensPerSecond: 1}})
	if err != nil {
		return err
	}
	defer stop()
	s, end, err := b.world(ctx, "left", 100, "ASIDE_LLM_BASE_URL="+url, "ASIDE_LLM_MODEL=scripted")
	if err != nil {
		return err
	}
	var went load.Samples
	for i := range b.size(10) {
		if err = func() error {
			conversation := fmt.Sprintf("left-%d", i)
			sockets := map[assist.Actor]*load.Socket{}
			for _, who := range []assist.Identity{{Subject: "left", Actor: assist.ActorAgent}, customer("left", i)} {
				token, err := b.Token(who)
				if err != nil {
					return err
				}
				if sockets[who.Actor], err = s.Dial(ctx, token); err != nil {
					return err
				}
				defer sockets[who.Actor].Drop()
			}
			agent := sockets[assist.ActorAgent]
			if _, err := agent.Call("conversation.open", "o", conversation, map[string]int{"after": 0}); err != nil {
				return err
			}
			asked := m.Chats()
			if _, err := sockets[assist.ActorCustomer].Call("turn.add", "t", conversation, map[string]string{"role": "customer", "text": b.question()}); err != nil {
				return err
			}
			for m.Chats() == asked {
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			began := time.Now()
			agent.Drop()
			select {
			case <-m.Gone():
			case <-time.After(30 * time.Second):
				return errors.New("the model is asked on though everybody has left")
			}
			went.Add(time.Since(began))
			return nil
		}(); err != nil {
			break
		}
	}
	if err = errors.Join(err, end()); err != nil {
		return err
	}
	b.add("last viewer leaves → the model's request is closed", "≤ 1 s", fmt.Sprintf("%d runs, one after the other; half a second of it is the grace", went.N()), "p50 %.0f, worst %.0f ms", went.P(0.5), went.P(1))
	return nil
}
