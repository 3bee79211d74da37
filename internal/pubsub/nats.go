package pubsub

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	outMessages = 16384    // that wait for the network
	outBytes    = 16 << 20 // of them together
	inMessages  = 16384    // that wait for their subscribers
	writeFor    = 2 * time.Second
	reconnectIn = 250 * time.Millisecond
)

// Codec turns values into messages and back.
type Codec[T any] interface {
	// Encode gives the message of v. It may keep nothing of what it returned.
	Encode(v T) []byte
	// Decode reads a message that arrived on topic. What it refuses is dropped.
	Decode(topic string, message []byte) (T, error)
	// Shrink gives a small value that makes its receiver read the log, for one
	// whose message is too large; false: there is nothing to read, it is dropped.
	Shrink(v T) (T, bool)
	// Lossy says that v may be dropped when half of the queue is full.
	Lossy(v T) bool
}

// NATSOptions say where the cluster is.
type NATSOptions[T any] struct {
	URL    string // nats://host:4222 or tls://…, several with commas between; may hold user:password or a token
	Creds  string // file with a user's JWT and seed; "": none
	Prefix string // of all subjects; the nodes of one installation share it and no other's have it
	Name   string // of this node, for the cluster's own monitoring
	Codec  Codec[T]
	Logger *slog.Logger // nil: slog.Default
}

// NATS is a bus whose events reach the other nodes too, over core subjects: at
// most once. Start needs no server: while there is none, what is published stays
// in this process, and what the others publish is missed.
//
// What is lost between nodes: everything while the connection is down; what does
// not fit into the queue (16,384 messages, 16 MiB: Codec.Lossy values already when
// half is full); what this node does not take in time (16,384 messages). It is
// counted in Lost.
type NATS[T any] struct {
	*Bus[T]
	codec   Codec[T]
	prefix  string
	log     *slog.Logger
	conn    *nats.Conn
	in      chan *nats.Msg
	wake    chan struct{} // of one: there is something for the writer
	ending  chan struct{}
	workers sync.WaitGroup
	stop    sync.Once
	lost    atomic.Int64

	mu       sync.Mutex
	interest map[string]int  // subscriptions by topic
	changed  map[string]bool // topics whose interest the server has not heard of
	queue    []message
	bytes    int
}

type message struct {
	topic string
	body  []byte
}

// ConnectNATS makes the bus and begins to connect, again and again until Stop. An
// error is one of the configuration.
func ConnectNATS[T any](o NATSOptions[T]) (*NATS[T], error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	b := &NATS[T]{Bus: New[T](), codec: o.Codec, prefix: o.Prefix + ".t", log: o.Logger, in: make(chan *nats.Msg, inMessages),
		wake: make(chan struct{}, 1), ending: make(chan struct{}), interest: map[string]int{}, changed: map[string]bool{}}
	settings := []nats.Option{
		nats.Name(o.Name), nats.NoEcho(), nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectIn),
		nats.ReconnectJitter(reconnectIn, reconnectIn), nats.Timeout(writeFor), nats.FlusherTimeout(writeFor),
		nats.PingInterval(writeFor), nats.MaxPingsOutstanding(2), // a cut that nobody announces is seen in 6 s
		nats.ReconnectBufSize(-1), // what was said during a cut is old news after it
		nats.ErrorHandler(b.asyncError),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			b.log.Warn("the event bus is away: nodes read the log until it is back", "error", err)
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { b.log.Info("the event bus is back", "server", c.ConnectedServerName()) }),
		nats.ConnectHandler(func(c *nats.Conn) { b.log.Info("the event bus is there", "server", c.ConnectedServerName()) }),
	}
	if o.Creds != "" {
		settings = append(settings, nats.UserCredentials(o.Creds))
	}
	var err error
	if b.conn, err = nats.Connect(o.URL, settings...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", withoutURL(err, o.URL))
	}
	b.workers.Go(b.write)
	b.workers.Go(b.read)
	return b, nil
}

// withoutURL keeps a password that stands in the URL out of an error.
func withoutURL(err error, url string) error {
	if strings.Contains(err.Error(), url) || strings.Contains(err.Error(), "parse") {
		return errors.New("ASIDE_NATS_URL cannot be read: it must look like nats://host:4222, several with commas between")
	}
	return err
}

// Probe connects as a node would, sends itself a message under the prefix and says
// which server passed it on. URL, Creds, Prefix and Name of the options count.
func Probe[T any](ctx context.Context, o NATSOptions[T]) (server string, err error) {
	refused := make(chan error, 1)
	settings := []nats.Option{nats.Name(o.Name), nats.Timeout(writeFor), nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			select {
			case refused <- err:
			default: // the first one tells
			}
		})}
	if o.Creds != "" {
		settings = append(settings, nats.UserCredentials(o.Creds))
	}
	conn, err := nats.Connect(o.URL, settings...)
	if err != nil {
		return "", withoutURL(err, o.URL)
	}
	defer conn.Close()
	subject := o.Prefix + ".probe." + nats.NewInbox()[len(nats.InboxPrefix):]
	came := make(chan *nats.Msg, 1)
	if _, err := conn.ChanSubscribe(subject, came); err != nil {
		return "", err
	}
	if err := conn.Publish(subject, nil); err != nil {
		return "", err
	}
	select {
	case <-came:
		return conn.ConnectedServerName() + " " + conn.ConnectedServerVersion(), nil
	case err := <-refused:
		return "", err
	case <-ctx.Done():
		return "", fmt.Errorf("a message to %s.> did not come back: %w", o.Prefix, ctx.Err())
	}
}

// Subscribe is Bus.Subscribe; the other nodes' events come as soon as the server
// has heard of it.
func (b *NATS[T]) Subscribe(topic string, take func(T)) (cancel func()) {
	return b.interested(topic, b.Bus.Subscribe(topic, take))
}

// Elsewhere is Bus.Elsewhere.
func (b *NATS[T]) Elsewhere(topic string, take func(T)) (cancel func()) {
	return b.interested(topic, b.Bus.Elsewhere(topic, take))
}

func (b *NATS[T]) interested(topic string, cancel func()) func() {
	b.count(topic, 1)
	var once sync.Once
	return func() {
		cancel()
		once.Do(func() { b.count(topic, -1) })
	}
}

func (b *NATS[T]) count(topic string, by int) {
	b.mu.Lock()
	n := b.interest[topic] + by
	if b.interest[topic] = n; n == 0 {
		delete(b.interest, topic)
	}
	turned := by > 0 && n == 1 || n == 0
	if turned {
		b.changed[topic] = true
	}
	b.mu.Unlock()
	if turned {
		b.poke()
	}
}

// Publish hands v to all who watch topic here, and queues it for the others.
func (b *NATS[T]) Publish(topic string, v T) {
	b.Bus.Publish(topic, v)
	if !b.Up() {
		b.lost.Add(1)
		return
	}
	body := b.codec.Encode(v)
	if most := b.conn.MaxPayload(); most > 0 && int64(len(body)) > most {
		small, ok := b.codec.Shrink(v)
		if !ok {
			b.lost.Add(1)
			return
		}
		body = b.codec.Encode(small)
	}
	share := 1
	if b.codec.Lossy(v) {
		share = 2
	}
	b.mu.Lock()
	full := len(b.queue) >= outMessages/share || b.bytes+len(body) > outBytes/share
	if !full {
		b.queue = append(b.queue, message{topic, body})
		b.bytes += len(body)
	}
	b.mu.Unlock()
	if full {
		b.lost.Add(1)
		return
	}
	b.poke()
}

func (b *NATS[T]) poke() {
	select {
	case b.wake <- struct{}{}:
	default: // the writer has not looked yet
	}
}

// Up says whether there is a connection. It may be broken and nobody know yet.
func (b *NATS[T]) Up() bool { return b.conn.IsConnected() }

// Lost counts what did not go to other nodes, or came and was not taken in time.
func (b *NATS[T]) Lost() int64 { return b.lost.Load() }

// Stop sends what waits, as long as ctx allows, and ends the connection. What is
// published later stays in this process.
func (b *NATS[T]) Stop(ctx context.Context) error {
	var err error
	b.stop.Do(func() {
		close(b.ending)
		done := make(chan struct{})
		go func() { b.workers.Wait(); close(done) }() // waited for below
		select {
		case <-done:
			if _, bounded := ctx.Deadline(); bounded && b.Up() {
				err = b.conn.FlushWithContext(ctx)
			}
		case <-ctx.Done():
			err = ctx.Err()
		}
		b.conn.Close()
		<-done
	})
	return err
}

// write is the goroutine that tells the server what is watched and sends what
// waits, in order.
func (b *NATS[T]) write() {
	subs := map[string]*nats.Subscription{}
	for {
		b.mu.Lock()
		queue, changed := b.queue, b.changed
		b.queue, b.bytes = nil, 0
		wanted := map[string]bool{}
		if len(changed) > 0 {
			b.changed = map[string]bool{}
			for topic := range changed {
				wanted[topic] = b.interest[topic] > 0
			}
		}
		b.mu.Unlock()
		for topic, want := range wanted {
			b.watch(subs, topic, want)
		}
		for _, m := range queue {
			if err := b.conn.Publish(b.subject(m.topic), m.body); err != nil {
				b.lost.Add(1)
			}
		}
		select {
		case <-b.wake:
			continue
		default:
		}
		select {
		case <-b.wake:
		case <-b.ending:
			return
		}
	}
}

// watch makes the server send a topic's events, or not any more. While there is
// no server, the library remembers it.
func (b *NATS[T]) watch(subs map[string]*nats.Subscription, topic string, want bool) {
	sub := subs[topic]
	var err error
	switch {
	case want && sub == nil:
		if sub, err = b.conn.ChanSubscribe(b.subject(topic), b.in); err == nil {
			subs[topic] = sub
		}
	case !want && sub != nil:
		delete(subs, topic)
		err = sub.Unsubscribe()
	}
	if err != nil && !b.conn.IsClosed() {
		b.log.Warn("the event bus was not told what is watched here; the log is read instead", "topic", topic, "watched", want, "error", err)
	}
}

// read is the goroutine that hands on what other nodes published, in the order of
// each.
func (b *NATS[T]) read() {
	for {
		select {
		case m := <-b.in:
			topic, err := b.topic(m.Subject)
			if err != nil {
				b.log.Warn("a message on an unreadable subject was dropped", "error", err)
				continue
			}
			v, err := b.codec.Decode(topic, m.Data)
			if err != nil {
				b.log.Warn("a message of another node was dropped", "topic", topic, "error", err)
				continue
			}
			b.Receive(topic, v)
		case <-b.ending:
			return
		}
	}
}

func (b *NATS[T]) asyncError(_ *nats.Conn, sub *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrSlowConsumer) {
		b.lost.Add(1)
	}
	b.log.Warn("the event bus lost something; the log has it", "error", err)
}

// subject is a topic as one token: whatever is in a topic, no part of it means
// anything to NATS.
func (b *NATS[T]) subject(topic string) string {
	return b.prefix + base64.RawURLEncoding.EncodeToString([]byte(topic))
}

func (b *NATS[T]) topic(subject string) (string, error) {
	topic, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(subject, b.prefix))
	return string(topic), err
}
