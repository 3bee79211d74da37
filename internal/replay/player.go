package replay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
)

const (
	writeWait  = 5 * time.Second
	dialWait   = 10 * time.Second
	maxFrame   = 8 << 20 // bytes of a frame from the server
	maxBackoff = 3 * time.Second
	firstDial  = 5 * time.Second       // a server that was never reached is not waited for longer
	quietEnd   = 10 * time.Second      // without a frame, a read-back that lacks something is tried again
	lingerEnd  = 50 * time.Millisecond // after the last event we know of, for one that we do not
	readTries  = 3
	turnTries  = 8 // of a turn that is refused for now
)

// frame is a message in either direction.
type frame struct {
	Type         string          `json:"type"`
	ID           string          `json:"id,omitempty"`
	Conversation string          `json:"conversation,omitempty"`
	Seq          int64           `json:"seq,omitempty"`
	Data         json.RawMessage `json:"data,omitempty"`
	Error        *struct {
		Code    assist.Code `json:"code"`
		Message string      `json:"message"`
	} `json:"error,omitempty"`

	at time.Time // when it was read
}

// player plays one conversation.
type player struct {
	run     *run
	script  script
	told    Observer
	sentAll func() // gives up the place among the senders; may be called twice
	seat    *seat  // with rate

	next    int               // first turn not yet sent
	sent    []time.Time       // when each turn was sent, or should have been
	acked   []int64           // seq of each turn; 0: not acked, refused: never will be
	tries   []int             // how often each turn was refused for now
	again   []time.Time       // when to send such a turn again
	byFrame map[string]int    // frame id → turn
	log     map[int64]string  // seq of stored events seen → external id, "" for other than turns
	last    int64             // all events up to here were seen
	drafts  map[string]*draft // suggestions by id
	heard   time.Time         // the last time the server said anything new
	asked   time.Time         // the last time it was asked for an ack
	reopen  bool              // the conversation was not there to be opened
	reads   int               // read-backs that lacked something
}

// refused stands for the seq of a turn that the server will not take.
const refused = -1

// draft is what was seen of one suggestion. Only one whose start was seen is
// timed: others are older, from an earlier run or before a crash.
type draft struct {
	forSeq int64
	at     [4]time.Time
	over   bool
}

func newPlayer(r *run, s script, sentAll func()) *player {
	p := &player{
		run: r, script: s, sentAll: sentAll, told: r.Observe(s.conversation),
		sent: make([]time.Time, len(s.turns)), acked: make([]int64, len(s.turns)), tries: make([]int, len(s.turns)), again: make([]time.Time, len(s.turns)),
		byFrame: map[string]int{}, log: map[int64]string{}, drafts: map[string]*draft{},
	}
	for i, t := range s.turns {
		p.byFrame[t.id] = i
	}
	return p
}

// errOver says that a conversation cannot go on; errRefused that none can.
var (
	errOver    = errors.New("the server ended the conversation")
	errRefused = errors.New("the server refuses the token: make one with aside token --role source")
)

// play plays the conversation to its end and checks it.
func (p *player) play(ctx context.Context) {
	p.heard = time.Now()
	err := p.insist(ctx, p.converse)
	if p.seat != nil {
		p.run.pacer.leave(p.seat)
	}
	p.sentAll()
	p.times()
	if err == nil || errors.Is(err, errOver) {
		p.heard = time.Now()
		if back := p.insist(ctx, p.readBack); back == nil {
			p.verify()
		} else if err == nil {
			err = back
		}
	}
	switch {
	case err == nil:
		p.run.tally.add(func(r *Report) { r.Conversations++ })
	case errors.Is(err, errRefused):
		p.run.stop(err)
	case ctx.Err() == nil:
		p.run.tally.wrong("%s is given up: %v", p.script.conversation, err)
		p.run.Logger.Warn("conversation given up", "conversation", p.script.conversation, "error", err)
	}
}

// insist runs f on new sockets until it is done, cannot go on, or the server has
// been silent for too long.
func (p *player) insist(ctx context.Context, f func(context.Context, *socket) error) error {
	for n := 0; ; n++ {
		before := p.heard
		s, err := p.dial(ctx)
		if err == nil {
			p.run.reached.Store(time.Now().UnixNano())
			err = f(ctx, s)
			s.close()
		}
		reached := p.run.reached.Load()
		switch {
		case err == nil || errors.Is(err, errOver) || errors.Is(err, errRefused):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case reached == 0 && time.Since(p.heard) > min(firstDial, p.run.Patience):
			p.run.stop(fmt.Errorf("%w: is the server running, and is this its address?", err))
			return err
		case time.Since(p.heard) > p.run.Patience:
			err = fmt.Errorf("nothing new for %s: %w", p.run.Patience, err)
			if time.Since(time.Unix(0, reached)) > p.run.Patience { // nobody else gets through either
				p.run.stop(err)
			}
			return err
		}
		if p.heard.After(before) {
			n = 0
		}
		wait := time.Duration(rand.Int64N(int64(min(100*time.Millisecond<<min(n, 10), maxBackoff)))) + 10*time.Millisecond
		p.run.Logger.Debug("socket lost", "conversation", p.script.conversation, "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// converse sends what is left to send and listens until all is acked and the
// last suggestion is there.
func (p *player) converse(ctx context.Context, s *socket) error {
	if err := p.open(s, p.last); err != nil {
		return err
	}
	for i := range p.next {
		if p.acked[i] == 0 {
			if err := p.sendTurn(s, i); err != nil {
				return err
			}
		}
	}
	if p.run.pacer != nil && p.seat == nil {
		p.seat = p.run.pacer.join(len(p.script.turns))
	}
	var done time.Time // when all was acked
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var slots chan time.Time
		unacked := p.unacked()
		switch {
		case p.next == len(p.script.turns) && unacked < 0:
			if done.IsZero() {
				done = time.Now()
			}
			begun, over := p.settled()
			if over || !begun && time.Since(done) > p.run.Quiet || time.Since(done) > p.run.Wait {
				return nil
			}
		case p.next == len(p.script.turns):
		case p.seat != nil:
			slots = p.seat.slots
		case unacked < 0:
			if err := p.sendNext(s, time.Now()); err != nil {
				return err
			}
		}
		select {
		case f, ok := <-s.frames:
			if !ok {
				return s.err
			}
			if err := p.take(s, f); err != nil {
				return err
			}
		case due := <-slots:
			if err := p.sendNext(s, due); err != nil {
				return err
			}
		case <-tick.C:
			if err := p.sendAgain(s); err != nil {
				return err
			}
			if p.unacked() >= 0 && time.Since(p.asked) > p.run.Ack {
				return fmt.Errorf("no ack for %s", p.run.Ack)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *player) open(s *socket, seq int64) error {
	p.told.Opened(seq)
	return s.send(frame{Type: "conversation.open", ID: "open", Conversation: p.script.conversation, Data: after(seq)})
}

func after(seq int64) json.RawMessage { return fmt.Appendf(nil, `{"after":%d}`, seq) }

// unacked is the first turn that was sent and not acked, -1 when there is none.
func (p *player) unacked() int {
	for i := range p.next {
		if p.acked[i] == 0 {
			return i
		}
	}
	return -1
}

func (p *player) sendNext(s *socket, due time.Time) error {
	i := p.next
	p.next++
	p.sent[i] = due
	p.run.tally.sending(time.Now())
	if p.next == len(p.script.turns) && p.seat != nil {
		p.sentAll() // the schedule needs others now
	}
	return p.sendTurn(s, i)
}

// sendAgain sends the turns that were refused for now and have waited.
func (p *player) sendAgain(s *socket) error {
	for i, at := range p.again[:p.next] {
		if p.acked[i] == 0 && !at.IsZero() && time.Now().After(at) {
			p.again[i] = time.Time{}
			if err := p.sendTurn(s, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *player) sendTurn(s *socket, i int) error {
	p.asked = time.Now()
	t := p.script.turns[i]
	p.told.Turn(t.key(), t.text)
	return s.send(frame{Type: "turn.add", ID: t.id, Conversation: p.script.conversation, Data: t.data})
}

// take handles a frame of a conversation under way.
func (p *player) take(s *socket, f frame) error {
	switch f.Type {
	case "ack":
		return p.takeAck(s, f)
	case "error":
		return p.takeError(f)
	}
	if f.Conversation != p.script.conversation {
		return nil // welcome, or not ours
	}
	p.told.Saw(f.Type, f.Seq, f.Data)
	p.record(f)
	p.recordDraft(f)
	return nil
}

func (p *player) takeAck(s *socket, f frame) error {
	i, ours := p.byFrame[f.ID]
	if !ours {
		return nil
	}
	var d struct {
		Seq int64 `json:"seq"`
	}
	if json.Unmarshal(f.Data, &d) != nil || d.Seq <= 0 {
		p.run.tally.wrong("%s: an ack without a seq", p.script.conversation)
		return errOver
	}
	p.told.OK(p.script.turns[i].key(), d.Seq)
	switch {
	case p.acked[i] == 0:
		p.acked[i], p.heard = d.Seq, f.at
		p.run.tally.acked(f.at)
	case p.acked[i] != d.Seq:
		p.run.tally.wrong("%s: turn %s was acked with seq %d, then with %d", p.script.conversation, f.ID, p.acked[i], d.Seq)
	}
	if !p.reopen {
		return nil
	}
	p.reopen = false
	return p.open(s, p.last)
}

// takeError sends a turn that was refused for now again, after a pause, and goes
// on without one that will never be taken.
func (p *player) takeError(f frame) error {
	code, message := f.failure()
	if f.ID == "open" && code == assist.NotFound {
		p.reopen = true // the first turn makes it
		return nil
	}
	i, ours := p.byFrame[f.ID]
	forNow := code == assist.RateLimited || code == assist.Unavailable || code == assist.Internal
	switch {
	case code == assist.Unauthenticated:
		return errRefused
	case f.ID == "open" && forNow:
		p.run.tally.wrong("%s: %s: %s", p.script.conversation, code, message)
		return fmt.Errorf("%s: trying again", code) // on a new socket, after a pause
	case f.ID == "open":
		return fmt.Errorf("%w: %s: %s", errOver, code, message)
	}
	p.run.tally.wrong("%s: %s %s: %s", p.script.conversation, f.ID, code, message)
	if !ours || p.acked[i] != 0 {
		return nil
	}
	p.tries[i]++
	if forNow && p.tries[i] < turnTries {
		p.again[i] = time.Now().Add(100 * time.Millisecond << p.tries[i])
		return nil
	}
	p.acked[i], p.heard = refused, f.at
	if !forNow {
		p.told.Fail(p.script.turns[i].key())
	}
	return nil
}

// failure is what an error frame says.
func (f frame) failure() (assist.Code, string) {
	if f.Error == nil {
		return assist.Internal, "an error frame without an error"
	}
	message, _ := clip(f.Error.Message, 200)
	return f.Error.Code, message
}

// record keeps a stored event. Events may come twice, after a resume; their seq
// tells.
func (p *player) record(f frame) {
	if f.Seq <= 0 || !assist.EventType(f.Type).Kept() {
		return
	}
	var d struct {
		ExternalID string `json:"external_id"`
	}
	if f.Type == string(assist.EventTurnAdded) && json.Unmarshal(f.Data, &d) != nil {
		p.run.tally.wrong("%s: turn %d is not readable", p.script.conversation, f.Seq)
	}
	was, seen := p.log[f.Seq]
	switch {
	case !seen:
		p.heard = f.at
	case was != d.ExternalID:
		p.run.tally.wrong("%s: seq %d is two different events", p.script.conversation, f.Seq)
	}
	p.log[f.Seq] = d.ExternalID
	for {
		if _, seen := p.log[p.last+1]; !seen {
			return
		}
		p.last++
	}
}

const (
	kindPassages = iota
	kindInstant
	kindFirstToken
	kindReady
)

func (p *player) recordDraft(f frame) {
	var kind int
	switch assist.EventType(f.Type) {
	case assist.EventSuggestionStarted, assist.EventSuggestionSuperseded:
	case assist.EventSuggestionPassages:
		kind = kindPassages
	case assist.EventSuggestionInstant:
		kind = kindInstant
	case assist.EventSuggestionDelta:
		kind = kindFirstToken
	case assist.EventSuggestionReady, assist.EventSuggestionAbstained, assist.EventSuggestionFailed:
		kind = kindReady
	default:
		return
	}
	var d struct {
		SuggestionID string `json:"suggestion_id"`
		ID           string `json:"id"`
		ForSeq       int64  `json:"for_seq"`
	}
	if json.Unmarshal(f.Data, &d) != nil {
		p.run.tally.wrong("%s: %s is not readable", p.script.conversation, f.Type)
		return
	}
	id := cmp.Or(d.SuggestionID, d.ID)
	if f.Type == string(assist.EventSuggestionStarted) {
		if p.drafts[id] == nil {
			p.drafts[id] = &draft{forSeq: d.ForSeq}
		}
		return
	}
	s := p.drafts[id]
	if s == nil {
		if kind == kindReady { // its start was missed: over all the same
			p.drafts[id] = &draft{forSeq: d.ForSeq, over: true}
		}
		return
	}
	if f.Type == string(assist.EventSuggestionSuperseded) {
		s.over = true
		return
	}
	if s.over {
		return
	}
	s.over = kind == kindReady
	if s.at[kind].IsZero() {
		s.at[kind], p.heard = f.at, f.at
	}
}

// settled reports whether the suggestion for the last turn, when a customer said
// it, has begun or another is under way, and whether all of that is over.
func (p *player) settled() (begun, over bool) {
	lastTurn := len(p.script.turns) - 1
	over = !p.script.turns[lastTurn].customer || p.acked[lastTurn] == refused
	for _, d := range p.drafts {
		if !d.over {
			return true, false
		}
		over = over || d.forSeq >= p.acked[lastTurn]
	}
	return over, over
}

// times turns what was seen of suggestions into samples.
func (p *player) times() {
	sent := map[int64]time.Time{}
	for i, seq := range p.acked {
		if seq > 0 {
			sent[seq] = p.sent[i]
		}
	}
	for _, d := range p.drafts {
		from, ok := sent[d.forSeq]
		for kind, at := range d.at {
			if ok && !at.IsZero() && !at.Before(from) {
				p.run.tally.sample(kind, at.Sub(from))
			}
		}
	}
}

// readBack reads the stored conversation on a fresh socket, from its start to
// the highest seq that was heard of and a moment longer. What is not there after
// three tries that were answered is missing.
func (p *player) readBack(ctx context.Context, s *socket) error {
	end := p.last
	for seq := range p.log {
		end = max(end, seq)
	}
	for _, seq := range p.acked {
		end = max(end, seq)
	}
	heard, live := p.heard, p.log
	p.log, p.last = map[int64]string{}, 0
	again := func(err error) error { // a socket lost on the way proves nothing
		p.heard, p.log = heard, live
		return err
	}
	if err := p.open(s, 0); err != nil {
		return again(err)
	}
	patience := min(quietEnd, p.run.Ack)
	quiet := time.NewTimer(patience)
	defer quiet.Stop()
	lingers, answered := false, false
	for {
		if p.last >= end && !lingers {
			lingers = true
			quiet.Reset(lingerEnd)
		}
		select {
		case f, ok := <-s.frames:
			if !ok {
				return again(s.err)
			}
			if !lingers {
				quiet.Reset(patience)
			}
			if code, message := f.failure(); f.Type == "error" && f.ID == "open" {
				if code == assist.RateLimited || code == assist.Unavailable {
					return again(fmt.Errorf("%s: trying again", code))
				}
				return again(fmt.Errorf("%w: it cannot be read back: %s: %s", errOver, code, message))
			}
			answered = answered || f.Conversation == p.script.conversation
			if f.Conversation == p.script.conversation {
				p.told.Saw(f.Type, f.Seq, f.Data)
				p.record(f)
			}
		case <-quiet.C:
			if !answered && p.last < end { // a server that says nothing does not say that something is missing
				return again(fmt.Errorf("nothing was read back in %s", patience))
			}
			if p.reads++; p.last < end && p.reads < readTries {
				return again(errors.New("the read-back lacks events"))
			}
			p.told.SawAll()
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// verify compares what was acked with what is stored.
func (p *player) verify() {
	copies := map[string]int{}
	highest := int64(0)
	for seq, id := range p.log {
		highest = max(highest, seq)
		if id != "" {
			copies[id]++
		}
	}
	for i, t := range p.script.turns {
		if seq := p.acked[i]; seq > 0 && p.log[seq] != t.external {
			p.run.tally.add(func(r *Report) { r.Lost++ })
			p.run.tally.note("%s: turn %s was acked with seq %d and is not there", p.script.conversation, t.id, seq)
		}
		if n := copies[t.external]; n > 1 {
			p.run.tally.add(func(r *Report) { r.Duplicated += n - 1 })
			p.run.tally.note("%s: turn %s is stored %d times", p.script.conversation, t.id, n)
		}
	}
	if missing := highest - int64(len(p.log)); missing > 0 {
		p.run.tally.wrong("%s: %d of the events up to seq %d are missing", p.script.conversation, missing, highest)
	}
}

// socket is a connection with its reader.
type socket struct {
	conn   *websocket.Conn
	frames chan frame // closed when the connection is lost
	err    error      // why; to be read after frames is closed
}

func (p *player) dial(ctx context.Context) (*socket, error) {
	d := websocket.Dialer{Subprotocols: []string{"aside.v1"}, HandshakeTimeout: dialWait, Proxy: http.ProxyFromEnvironment}
	h := http.Header{}
	if p.run.Token != "" {
		h.Set("Authorization", "Bearer "+p.run.Token)
	}
	conn, resp, err := d.DialContext(ctx, p.run.address, h)
	if err != nil {
		if resp != nil && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden) {
			return nil, errRefused
		}
		if resp != nil {
			return nil, fmt.Errorf("connect to %s: HTTP %d: %w", p.run.address, resp.StatusCode, err)
		}
		return nil, fmt.Errorf("connect to %s: %w", p.run.address, err)
	}
	conn.SetReadLimit(maxFrame)
	s := &socket{conn: conn, frames: make(chan frame, 64)}
	go s.read()
	return s, nil
}

// read stamps frames as they come. It ends with the connection.
func (s *socket) read() {
	defer close(s.frames)
	for {
		_, raw, err := s.conn.ReadMessage()
		if err != nil {
			s.err = judge(err)
			return
		}
		f := frame{}
		at := time.Now()
		if err := json.Unmarshal(raw, &f); err != nil {
			s.err = fmt.Errorf("the server sent something that is not a frame: %w", err)
			return
		}
		f.at = at
		s.frames <- f
	}
}

// judge says whether a lost connection may be made again.
func judge(err error) error {
	var c *websocket.CloseError
	if errors.As(err, &c) {
		switch {
		case c.Code == 4401 || c.Code == 4403:
			return fmt.Errorf("%w (close code %d)", errRefused, c.Code)
		case c.Code >= 4400 && c.Code <= 4499:
			text, _ := clip(c.Text, 200)
			return fmt.Errorf("%w: close code %d: %s", errOver, c.Code, text)
		}
	}
	return fmt.Errorf("the connection is lost: %w", err)
}

func (s *socket) send(f frame) error {
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return fmt.Errorf("send %s: %w", f.Type, err)
	}
	if err := s.conn.WriteJSON(f); err != nil {
		return fmt.Errorf("send %s: %w", f.Type, err)
	}
	return nil
}

// close ends the connection and waits for its reader.
func (s *socket) close() {
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	_ = s.conn.Close()
	for range s.frames {
	}
}
