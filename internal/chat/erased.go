package chat

import (
	"context"
	"errors"

	"github.com/aside-project/aside/internal/assist"
)

var errErased = errors.New("the conversation was erased")

// Erased forgets what this process remembers of a conversation that was taken out
// of the store: its run ends, its transcript is dropped, and whoever watches is
// told.
func (s *Service) Erased(ctx context.Context, conversation string) error {
	l, err := s.enter(ctx, conversation)
	if err != nil {
		return err
	}
	defer s.leave(l)
	s.endBot(l, errErased)
	s.end(l, errErased, 0)
	l.mu.Lock()
	l.log, l.latest = transcript{changes: l.log.changes + 1}, nil
	l.mu.Unlock()
	e := assist.NewEvent(assist.EventErased, l.id, 0, struct{}{})
	e.Public = e.Data
	s.bus.Publish(l.id, e)
	s.bus.Publish(QueueTopic, assist.NewEvent(assist.EventQueueChanged, l.id, 0, assist.Conversation{ID: l.id, Status: assist.StatusClosed}))
	return nil
}

// Remembered lists the conversations this process keeps something of.
func (s *Service) Remembered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]string, 0, len(s.chats))
	for id := range s.chats {
		ids = append(ids, id)
	}
	return ids
}
