package app

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/pubsub"
)

// eventBus is the bus of the house: pubsub.Bus, or pubsub.NATS where there are
// other nodes.
type eventBus interface {
	Subscribe(topic string, take func(assist.Event)) (cancel func())
	Elsewhere(topic string, take func(assist.Event)) (cancel func())
	Publish(topic string, e assist.Event)
	Receive(topic string, e assist.Event)
	Topics() []string
	Up() bool
}

// connectBus gives the bus; it needs no server to be there.
func (a *App) connectBus() (eventBus, error) {
	if a.cfg.NATS == "" {
		return pubsub.New[assist.Event](), nil
	}
	bus, err := pubsub.ConnectNATS(a.cfg.natsOptions(a.node, a.log))
	if err != nil {
		return nil, err
	}
	a.onStop("event bus", bus.Stop)
	return bus, nil
}

func (c Config) natsOptions(node string, log *slog.Logger) pubsub.NATSOptions[assist.Event] {
	return pubsub.NATSOptions[assist.Event]{URL: c.NATS, Creds: c.NATSCreds, Prefix: c.busPrefix(), Name: node, Codec: eventCodec{}, Logger: log}
}

// busPrefix keeps installations apart that share a NATS cluster, as those with
// other secrets and schemas are, and tells none of the secret.
func (c Config) busPrefix() string {
	sum := sha256.Sum256([]byte("aside bus\x00" + c.Schema + "\x00" + c.Secret))
	return "aside." + hex.EncodeToString(sum[:8])
}

// eventCodec is how events go between nodes: a head of lengths, then type,
// conversation, data and public data as they are.
type eventCodec struct{}

func (eventCodec) Encode(e assist.Event) []byte {
	b := make([]byte, 0, 32+len(e.Type)+len(e.Conversation)+len(e.Data)+len(e.Public))
	b = binary.AppendVarint(b, e.Seq)
	for _, part := range [][]byte{[]byte(e.Type), []byte(e.Conversation), e.Data, e.Public} {
		b = binary.AppendUvarint(b, uint64(len(part)))
	}
	b = append(b, e.Type...)
	b = append(b, e.Conversation...)
	b = append(b, e.Data...)
	return append(b, e.Public...)
}

var errNotAnEvent = errors.New("it is not an event")

func (eventCodec) Decode(topic string, b []byte) (e assist.Event, err error) {
	seq, n := binary.Varint(b)
	if n <= 0 || seq < 0 {
		return e, errNotAnEvent
	}
	b = b[n:]
	var lengths [4]uint64
	var sum uint64
	for i := range lengths {
		if lengths[i], n = binary.Uvarint(b); n <= 0 || lengths[i] > uint64(len(b)) {
			return e, errNotAnEvent
		}
		b = b[n:]
		sum += lengths[i]
	}
	if sum != uint64(len(b)) {
		return e, errNotAnEvent
	}
	var parts [4][]byte
	for i, l := range lengths {
		parts[i], b = b[:l:l], b[l:]
	}
	e = assist.Event{Type: assist.EventType(parts[0]), Conversation: string(parts[1]), Seq: seq}
	for i, into := range []*json.RawMessage{&e.Data, &e.Public} {
		if p := parts[2+i]; len(p) > 0 {
			if !json.Valid(p) {
				return e, errNotAnEvent
			}
			*into = p
		}
	}
	if !strings.HasPrefix(topic, "\x00") && topic != chat.QueueTopic && topic != e.Conversation {
		return e, fmt.Errorf("an event of another conversation: %w", errNotAnEvent)
	}
	return e, nil
}

// Shrink leaves the receiver to read a kept event in the log.
func (eventCodec) Shrink(e assist.Event) (assist.Event, bool) {
	e.Data, e.Public = nil, nil
	return e, e.Seq > 0
}

// Lossy implements pubsub.Codec.
func (eventCodec) Lossy(e assist.Event) bool {
	return e.Type == assist.EventSuggestionDelta || e.Type == assist.EventTyping
}

const (
	healEvery     = time.Second     // while the bus is down
	healAlways    = 3               // of these while it is up: it is a hint, and nothing says what it lost
	healedQueue   = 1000            // changes of the queue that are told at once
	healOverlap   = 5 * time.Second // a commit may come so late after its time
	healStatement = 5 * time.Second // bound of one look
	mostQueue     = 10_000          // open conversations that are remembered to find out that they were closed
)

// healer tells the watchers of this node what the bus did not: it looks at the
// heads of the conversations that they watch, in one statement, every second
// while the bus is down and every three otherwise. Who is behind reads the log.
type healer struct {
	db interface {
		Heads(ctx context.Context, ids []string) (map[string]int64, error)
		QueueChanges(ctx context.Context, since time.Time, known []string, limit int) ([]assist.Conversation, time.Time, error)
	}
	bus eventBus
	log *slog.Logger

	heads map[string]int64
	queue map[string]assist.Conversation // open ones, as they were last told; nil: nobody watched it
	since time.Time                      // of the database: later changes were not looked at
}

// run heals until ctx ends.
func (h *healer) run(ctx context.Context) {
	failing, left := false, healAlways
	wasUp := true
	for pause(ctx, healEvery) {
		up := h.bus.Up()
		left--
		if up && wasUp && left > 0 {
			continue
		}
		wasUp, left = up, healAlways
		err := h.heal(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			h.log.Warn("what other nodes wrote could not be looked for; it is tried again", "error", err)
		}
		failing = err != nil
	}
}

func (h *healer) heal(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, healStatement)
	defer cancel()
	var watched []string
	queue := false
	for _, topic := range h.bus.Topics() {
		switch {
		case strings.HasPrefix(topic, "\x00"):
		case topic == chat.QueueTopic:
			queue = true
		default:
			watched = append(watched, topic)
		}
	}
	heads, err := h.db.Heads(ctx, watched)
	if err != nil {
		return err
	}
	for id, head := range heads {
		if was, known := h.heads[id]; !known || head > was {
			h.bus.Receive(id, assist.Event{Conversation: id, Seq: head})
		}
	}
	h.heads = heads
	if !queue {
		h.queue, h.since = nil, time.Time{}
		return nil
	}
	return h.healQueue(ctx)
}

// healQueue says again what changed in the queue since it was last looked at.
func (h *healer) healQueue(ctx context.Context) error {
	known := slices.Collect(maps.Keys(h.queue))
	list, now, err := h.db.QueueChanges(ctx, h.since, known, healedQueue)
	if err != nil {
		return err
	}
	h.since = now.Add(-healOverlap)
	if h.queue == nil || len(h.queue) > mostQueue {
		h.queue = map[string]assist.Conversation{}
	}
	for _, c := range list {
		was, told := h.queue[c.ID]
		if told && was.LastSeq == c.LastSeq && was.Status == c.Status && was.Agent == c.Agent {
			continue
		}
		if h.queue[c.ID] = c; c.Status == assist.StatusClosed {
			delete(h.queue, c.ID)
		}
		h.bus.Receive(chat.QueueTopic, assist.NewEvent(assist.EventQueueChanged, c.ID, 0, c))
	}
	return nil
}
