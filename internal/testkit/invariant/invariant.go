// Package invariant judges what is left after faults: it holds what the database
// has against what every client did and saw, and names each promise that was
// broken. Tests only.
//
//   - Acknowledged is stored: at the acked seq, under the id it was sent with.
//   - Stored once, and refused is not stored.
//   - One order everywhere: the log in the database has no gap, and every client's
//     view of it has none either, nothing twice, nothing at another place.
//   - One outcome per suggestion, the one that its row says.
//   - Every suggestion that was begun is finished, or said to have failed, or
//     something newer took its place; no lease is left over.
//   - Exactly one reply for an agent's click, in the agent's own words, and no
//     agent's reply without a click.
//
// A client keeps a History per conversation while it works; Read takes the
// database's side once all is still; Check compares. A History never forgets: for
// long runs, judge and drop whole conversations.
package invariant

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aside-project/aside/internal/assist"
)

// Kind names the promise that was broken.
type Kind string

// The kinds.
const (
	Lost        Kind = "lost"             // acknowledged, not stored there
	Twice       Kind = "twice"            // one message stored more than once
	Refused     Kind = "refused"          // said to be refused, stored all the same
	Order       Kind = "order"            // a gap, a repeat, or another event at the same seq
	Missed      Kind = "missed"           // a client that was told everything lacks something
	Outcome     Kind = "outcome"          // none that fits, or several
	Unfinished  Kind = "unfinished"       // a suggestion that was begun and never ended
	Lease       Kind = "lease"            // somebody is still said to be at work
	NotClicked  Kind = "not clicked"      // an agent's reply that no agent sent
	OtherWords  Kind = "other words"      // stored with other words than were sent
	Unwitnessed Kind = "nobody's history" // the test itself is wrong: a client is not known
)

// Violation is one broken promise.
type Violation struct {
	Kind         Kind
	Conversation string
	What         string
}

func (v Violation) String() string { return fmt.Sprintf("%s: %s: %s", v.Kind, v.Conversation, v.What) }

// History is what one client did and saw in one conversation. Its methods may be
// called from any goroutine; what is seen must be told in the order of arrival.
type History struct {
	who          assist.Identity
	conversation string

	mu      sync.Mutex
	calls   map[string]*call
	faults  []Violation
	views   []view
	started map[string]int64 // suggestion → the turn it answers
	ended   map[string]bool
	all     bool
}

// call is one message, however often it was sent.
type call struct {
	text  string
	agent bool // an agent's click on send
	seq   int64
	fail  bool
}

// view is what came after one opening.
type view struct {
	after  int64
	events []seen
}

type seen struct {
	seq  int64
	kind assist.EventType
	ref  string // suggestion's id, or who said what in a turn
}

// NewHistory is a history of who in a conversation. Customers see a part of the
// log: their views may have gaps.
func NewHistory(who assist.Identity, conversation string) *History {
	return &History{who: who, conversation: conversation, calls: map[string]*call{}, started: map[string]int64{}, ended: map[string]bool{}}
}

// Conversation is the one it tells of.
func (h *History) Conversation() string { return h.conversation }

// Turn says that a turn is being sent, for the first time or again. key is what
// NewTurn.Key gives.
func (h *History) Turn(key, text string) { h.invoke(key, text, false) }

// Click says that the agent sends a reply. key is what NewReply.Key gives.
func (h *History) Click(key, text string) { h.invoke(key, text, true) }

func (h *History) invoke(key, text string, agent bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.calls[key] == nil {
		h.calls[key] = &call{text: text, agent: agent}
	}
}

// OK says that the server acknowledged the message.
func (h *History) OK(key string, seq int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.calls[key]
	switch {
	case c == nil:
		h.wrong(Unwitnessed, "%s was acked and never sent", key)
	case c.seq != 0 && c.seq != seq:
		h.wrong(Twice, "%s was acked with seq %d, then with %d", key, c.seq, seq)
	default:
		c.seq = seq
	}
}

// Fail says that the server refused the message for good. One that was refused
// for now, or whose answer never came, is in nobody's knowledge: say nothing.
func (h *History) Fail(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.calls[key]; c != nil {
		c.fail = true
	}
}

// Opened says that the conversation was opened on a new connection, and after
// which seq.
func (h *History) Opened(after int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.views = append(h.views, view{after: after})
}

// Saw takes a frame from the server: any but acks and errors.
func (h *History) Saw(kind string, seq int64, data json.RawMessage) {
	var d struct {
		ID           string      `json:"id"`
		SuggestionID string      `json:"suggestion_id"`
		ForSeq       int64       `json:"for_seq"`
		Role         assist.Role `json:"role"`
		Text         string      `json:"text"`
	}
	if len(data) > 0 && json.Unmarshal(data, &d) != nil {
		d.Text = string(data) // whatever it is, it is not what the database has
	}
	e := seen{seq: seq, kind: assist.EventType(kind), ref: cmp.Or(d.SuggestionID, d.ID)}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e.kind {
	case assist.EventSuggestionStarted:
		h.started[e.ref] = d.ForSeq
	case assist.EventSuggestionReady, assist.EventSuggestionAbstained, assist.EventSuggestionFailed, assist.EventSuggestionSuperseded:
		h.ended[e.ref] = true
	case assist.EventTurnAdded:
		e.ref = string(d.Role) + ":" + d.Text
	}
	if !e.kind.Kept() {
		return
	}
	if seq <= 0 {
		return // a failed suggestion that could not be stored: told, not logged
	}
	if len(h.views) == 0 {
		h.wrong(Unwitnessed, "seq %d came before the conversation was opened", seq)
		h.views = append(h.views, view{after: seq - 1})
	}
	v := &h.views[len(h.views)-1]
	v.events = append(v.events, e)
}

// SawAll says that the client was there to the end: its last view must reach the
// end of the log.
func (h *History) SawAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = true
}

// Last is the highest seq up to which everything was seen: where to resume.
func (h *History) Last() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := int64(0)
	for _, v := range h.views {
		for _, e := range v.events {
			last = max(last, e.seq)
		}
	}
	return last
}

func (h *History) wrong(k Kind, format string, args ...any) {
	h.faults = append(h.faults, Violation{k, h.conversation, fmt.Sprintf("%s %s: ", h.who.Actor, h.who.Subject) + fmt.Sprintf(format, args...)})
}

// Check gives every promise that was broken, in a stable order. Conversations
// that no history tells of are judged by the database alone.
func Check(s Stored, histories []*History) []Violation {
	var out []Violation
	byConversation := map[string][]*History{}
	for _, h := range histories {
		byConversation[h.conversation] = append(byConversation[h.conversation], h)
	}
	for id, c := range s {
		out = append(out, c.check(id, byConversation[id])...)
		delete(byConversation, id)
	}
	for id, hs := range byConversation {
		out = append(out, (&Conversation{}).check(id, hs)...)
	}
	slices.SortFunc(out, func(a, b Violation) int {
		return cmp.Or(strings.Compare(a.Conversation, b.Conversation), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.What, b.What))
	})
	return out
}

// Report checks and says what is wrong, at most twenty of it.
func Report(t interface {
	Helper()
	Errorf(string, ...any)
}, s Stored, histories []*History) {
	t.Helper()
	broken := Check(s, histories)
	for i, v := range broken {
		if i == 20 {
			t.Errorf("… and %d more", len(broken)-i)
			return
		}
		t.Errorf("%s", v)
	}
}

func (c *Conversation) check(id string, histories []*History) []Violation {
	j := &judge{Conversation: c, id: id, at: map[int64]Turn{}, log: map[int64]Event{}, suggestions: map[string]Suggestion{}}
	j.itself()
	for _, h := range histories {
		h.mu.Lock()
		j.out = append(j.out, h.faults...)
		j.calls(h)
		j.order(h)
		j.unfinished(h)
		h.mu.Unlock()
	}
	j.clicks(histories)
	return j.out
}

// judge looks at one conversation.
type judge struct {
	*Conversation
	id          string
	at          map[int64]Turn
	log         map[int64]Event
	suggestions map[string]Suggestion
	out         []Violation
}

func (j *judge) wrong(k Kind, format string, args ...any) {
	j.out = append(j.out, Violation{k, j.id, fmt.Sprintf(format, args...)})
}

// itself holds the database against itself.
func (j *judge) itself() {
	keys := map[string]int64{}
	for _, t := range j.Turns {
		key := t.Author + " " + t.Key
		if was, twice := keys[key]; twice {
			j.wrong(Twice, "%s is stored at seq %d and at %d", key, was, t.Seq)
		}
		keys[key], j.at[t.Seq] = t.Seq, t
	}
	for i, e := range j.Events {
		if e.Seq != int64(i+1) {
			j.wrong(Order, "event %d of the log has seq %d", i+1, e.Seq)
			break
		}
	}
	if n := int64(len(j.Events)); n != j.LastSeq {
		j.wrong(Order, "the log has %d events and last_seq is %d", n, j.LastSeq)
	}
	for _, s := range j.Suggestions {
		j.suggestions[s.ID] = s
	}
	outcomes := map[string][]assist.SuggestionState{}
	told := map[string]int64{}
	for _, e := range j.Events {
		j.log[e.Seq] = e
		switch e.Type {
		case assist.EventTurnAdded:
			if _, there := j.at[e.Seq]; !there {
				j.wrong(Lost, "the log has a turn at seq %d that is not stored", e.Seq)
			}
		case assist.EventSuggestionOutcome:
			if e.Outcome != "" {
				outcomes[e.Ref] = append(outcomes[e.Ref], e.Outcome)
			}
		case assist.EventSuggestionReady, assist.EventSuggestionAbstained, assist.EventSuggestionFailed:
			if was, twice := told[e.Ref]; twice {
				j.wrong(Twice, "suggestion %s is in the log at seq %d and at %d", e.Ref, was, e.Seq)
			}
			told[e.Ref] = e.Seq
		}
	}
	for _, t := range j.Turns {
		if j.log[t.Seq].Type != assist.EventTurnAdded {
			j.wrong(Order, "the turn at seq %d is not in the log", t.Seq)
		}
	}
	for _, s := range j.Suggestions {
		said := outcomes[s.ID]
		final := s.State == assist.SuggestionAccepted || s.State == assist.SuggestionEdited || s.State == assist.SuggestionDismissed
		switch {
		case len(said) > 1:
			j.wrong(Outcome, "suggestion %s has %d outcomes: %v", s.ID, len(said), said)
		case len(said) == 1 && said[0] != s.State:
			j.wrong(Outcome, "suggestion %s is %s in its row and %s in the log", s.ID, s.State, said[0])
		case len(said) == 0 && final:
			j.wrong(Outcome, "suggestion %s is %s and the log does not say so", s.ID, s.State)
		}
		if said := told[s.ID]; said != s.EventSeq {
			j.wrong(Order, "suggestion %s is finished at seq %d by its row and %d by the log", s.ID, s.EventSeq, said)
		}
	}
	for _, e := range j.Events {
		if _, there := j.suggestions[e.Ref]; !there && (e.Type == assist.EventSuggestionOutcome || told[e.Ref] == e.Seq) {
			j.wrong(Lost, "the log has %s of suggestion %s, which is not stored", e.Type, e.Ref)
		}
	}
	if j.RunSeq > 0 {
		j.wrong(Lease, "the suggestion for seq %d is still leased to %s", j.RunSeq, j.RunOwner)
	}
}

// calls holds what was acked and refused against what is stored.
func (j *judge) calls(h *History) {
	stored := map[string]Turn{}
	for _, t := range j.Turns {
		if t.Author == h.who.Subject {
			stored[t.Key] = t
		}
	}
	for key, c := range h.calls {
		full := string(h.who.Actor) + ":" + key
		t, there := stored[full]
		switch {
		case c.seq != 0 && !there:
			j.wrong(Lost, "%s of %s was acked with seq %d and is not there", full, h.who.Subject, c.seq)
		case c.seq != 0 && t.Seq != c.seq:
			j.wrong(Lost, "%s of %s was acked with seq %d and is at %d", full, h.who.Subject, c.seq, t.Seq)
		case c.fail && c.seq == 0 && there:
			j.wrong(Refused, "%s of %s was refused and is at seq %d", full, h.who.Subject, t.Seq)
		case there && t.Text != c.text:
			j.wrong(OtherWords, "%s of %s, at seq %d", full, h.who.Subject, t.Seq)
		}
	}
}

// order holds every view against the log.
func (j *judge) order(h *History) {
	whole := h.who.Actor != assist.ActorCustomer
	top := int64(0)
	for n, v := range h.views {
		last := v.after
		for _, e := range v.events {
			switch {
			case e.seq <= last:
				j.wrong(Order, "%s %s, view %d: seq %d came after %d", h.who.Actor, h.who.Subject, n+1, e.seq, last)
			case whole && e.seq != last+1:
				j.wrong(Order, "%s %s, view %d: seq %d came next to %d", h.who.Actor, h.who.Subject, n+1, e.seq, last)
			}
			last = max(last, e.seq)
			j.same(h, n, e)
		}
		top = last
	}
	if !h.all {
		return
	}
	for _, e := range j.Events {
		if e.Seq > top && (whole || e.Public) {
			j.wrong(Missed, "%s %s was there to the end and did not see seq %d (%s)", h.who.Actor, h.who.Subject, e.Seq, e.Type)
			return
		}
	}
}

// same holds one event that was seen against the one in the log.
func (j *judge) same(h *History, n int, e seen) {
	is, there := j.log[e.seq]
	wrong := func(what string) {
		j.wrong(Order, "%s %s, view %d: seq %d was %s %.40q, %s", h.who.Actor, h.who.Subject, n+1, e.seq, e.kind, e.ref, what)
	}
	switch {
	case !there:
		wrong("which is not in the log")
	case is.Type != e.kind:
		wrong("which is " + string(is.Type) + " in the log")
	case e.kind == assist.EventTurnAdded:
		if t := j.at[e.seq]; e.ref != string(t.Role)+":"+t.Text {
			wrong("which is another turn in the log")
		}
	case e.ref != "" && e.ref != is.Ref && strings.HasPrefix(string(e.kind), "suggestion."):
		wrong("which is " + is.Ref + " in the log")
	}
}

// unfinished finds suggestions that somebody saw begin and that came to nothing.
func (j *judge) unfinished(h *History) {
	for id, forSeq := range h.started {
		_, stored := j.suggestions[id]
		if stored || h.ended[id] || j.movedOn(forSeq) {
			continue
		}
		j.wrong(Unfinished, "%s %s saw suggestion %s for seq %d begin; it never ended and nothing took its place", h.who.Actor, h.who.Subject, id, forSeq)
	}
}

// movedOn reports whether something made a suggestion for a turn needless: another
// one, a newer turn that speaks, or the end.
func (j *judge) movedOn(forSeq int64) bool {
	for _, s := range j.Suggestions {
		if s.ForSeq >= forSeq && s.State != assist.SuggestionSuperseded {
			return true
		}
	}
	for _, e := range j.Events {
		if e.Seq > forSeq && (e.Type == assist.EventConversationClosed || e.Type == assist.EventTurnAdded && j.at[e.Seq].Role != assist.RoleSystem) {
			return true
		}
	}
	return false
}

// clicks holds agents' replies against agents' clicks, once a history of an agent
// is there to hold them against.
func (j *judge) clicks(histories []*History) {
	clicked, known := map[string]bool{}, map[string]bool{}
	for _, h := range histories {
		h.mu.Lock()
		if h.who.Actor == assist.ActorAgent {
			known[h.who.Subject] = true
		}
		for key, c := range h.calls {
			if c.agent {
				clicked[h.who.Subject+" "+string(h.who.Actor)+":"+key] = true
			}
		}
		h.mu.Unlock()
	}
	for _, t := range j.Turns {
		if t.Role == assist.RoleAgent && known[t.Author] && !clicked[t.Author+" "+t.Key] {
			j.wrong(NotClicked, "%s of %s at seq %d", t.Key, t.Author, t.Seq)
		}
	}
}
