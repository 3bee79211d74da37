package ws

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// routes is what a client may send. Each gives the data of its ack, nil when
// another goroutine answers.
var routes = map[string]func(*conn, frame) (any, error){
	"conversation.open":   (*conn).open,
	"queue.open":          (*conn).openQueue,
	"turn.add":            (*conn).addTurn,
	"reply.send":          (*conn).sendReply,
	"typing":              (*conn).typing,
	"suggestion.request":  (*conn).requestSuggestion,
	"suggestion.feedback": (*conn).feedback,
	"draft.check":         (*conn).checkDraft,
	"step.set":            (*conn).setStep,
	"handoff.request":     (*conn).requestHandoff,
	"handoff.return":      (*conn).returnHandoff,
	"handoff.take":        (*conn).takeHandoff,
	"conversation.close":  (*conn).closeConversation,
}

var knownTypes = strings.Join(slices.Sorted(maps.Keys(routes)), ", ")

// open subscribes first and reads the log after: what is committed in between is
// in one of the two, and the writer drops what is in both.
func (c *conn) open(f frame) (any, error) {
	d, err := body[struct {
		After int64 `json:"after"`
	}](f)
	if err != nil {
		return nil, err
	}
	if err := assist.CheckConversationID(f.Conversation); err != nil {
		return nil, err
	}
	if !c.who.MayRead(f.Conversation) { // the service says so in its own words; the writer asks it again, with the one read an opening costs
		_, err := c.s.opts.Service.Conversation(c.ctx, c.who, f.Conversation)
		return nil, cmp.Or(err, error(assist.Errorf(assist.Forbidden, "this token may not see the conversation")))
	}
	v, fresh, err := c.viewOf(f.Conversation)
	if err != nil {
		return nil, err
	}
	if fresh {
		c.subscribe(f.Conversation, func(e assist.Event) {
			if e.Conversation == v.conversation && e.Type != assist.EventQueueChanged {
				c.put(item{view: v, event: e}, lossy(e.Type))
			}
		})
	}
	c.put(item{view: v, open: &opening{f, d.After}}, false)
	if fresh && c.who.Actor != assist.ActorCustomer && c.s.opts.Watch != nil {
		leave := c.s.opts.Watch(f.Conversation)
		c.mu.Lock()
		c.leaves = append(c.leaves, leave)
		c.mu.Unlock()
	}
	if fresh && c.who.Actor == assist.ActorAgent {
		c.s.arrive(c, f.Conversation)
	}
	return nil, nil
}

func (c *conn) viewOf(conversation string) (v *view, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.views[conversation]; v != nil {
		return v, false, nil
	}
	if limit := c.s.opts.Limits.opened(c.who.Actor); len(c.views) >= limit {
		return nil, false, assist.Errorf(assist.RateLimited, "this connection has %d conversations open, which is the most: use another connection for more", limit)
	}
	v = &view{conversation: conversation}
	if c.views == nil {
		c.views = map[string]*view{}
	}
	c.views[conversation] = v
	return v, true, nil
}

// subscribe ends with the connection.
func (c *conn) subscribe(topic string, take func(assist.Event)) {
	cancel := c.s.opts.Bus.Subscribe(topic, take)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels = append(c.cancels, cancel)
}

func (c *conn) openQueue(frame) (any, error) {
	q, err := c.s.opts.Service.Queue(c.ctx, c.who)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	fresh := !c.queue
	c.queue = true
	c.mu.Unlock()
	if fresh {
		c.subscribe("queue", func(e assist.Event) {
			if e.Type == assist.EventQueueChanged {
				c.put(item{frame: appendEvent(nil, e, e.Data)}, false)
			}
		})
		// Read again: what changed before the subscription would be missed.
		if q, err = c.s.opts.Service.Queue(c.ctx, c.who); err != nil {
			return nil, err
		}
	}
	if q == nil {
		q = []assist.Conversation{}
	}
	return struct {
		Conversations []assist.Conversation `json:"conversations"`
	}{q}, nil
}

func (c *conn) addTurn(f frame) (any, error) {
	d, err := body[struct {
		Role       assist.Role    `json:"role"`
		Text       string         `json:"text"`
		Name       string         `json:"name"`
		ExternalID string         `json:"external_id"`
		Customer   string         `json:"customer"`
		At         time.Time      `json:"at"`
		Action     *assist.Action `json:"action"`
	}](f)
	if err != nil {
		return nil, err
	}
	t, repeat, err := c.s.opts.Service.Receive(c.ctx, c.who, assist.NewTurn{Conversation: f.Conversation, ClientID: f.ID,
		Role: d.Role, Name: d.Name, Text: d.Text, ExternalID: d.ExternalID, Customer: d.Customer, At: d.At, Action: d.Action})
	return seqAck{t.Seq, repeat}, err
}

func (c *conn) sendReply(f frame) (any, error) {
	d, err := body[struct {
		Text         string `json:"text"`
		SuggestionID string `json:"suggestion_id"`
	}](f)
	if err != nil {
		return nil, err
	}
	t, repeat, err := c.s.opts.Service.Send(c.ctx, c.who, assist.NewReply{Conversation: f.Conversation, ClientID: f.ID, Text: d.Text, SuggestionID: d.SuggestionID})
	return seqAck{t.Seq, repeat}, err
}

func (c *conn) typing(f frame) (any, error) {
	d, err := body[struct {
		Role assist.Role `json:"role"`
		Text string      `json:"text"`
	}](f)
	if err != nil {
		return nil, err
	}
	return struct{}{}, c.s.opts.Service.Typing(c.ctx, c.who, f.Conversation, d.Role, d.Text)
}

func (c *conn) requestSuggestion(f frame) (any, error) {
	d, err := body[struct {
		Instruction string `json:"instruction"`
	}](f)
	if err != nil {
		return nil, err
	}
	id, err := c.s.opts.Service.RequestSuggestion(c.ctx, c.who, f.Conversation, d.Instruction)
	return struct {
		SuggestionID string `json:"suggestion_id"`
	}{id}, err
}

func (c *conn) checkDraft(f frame) (any, error) {
	d, err := body[struct {
		Text         string `json:"text"`
		SuggestionID string `json:"suggestion_id"`
	}](f)
	if err != nil {
		return nil, err
	}
	v, err := c.s.opts.Service.CheckDraft(c.ctx, c.who, f.Conversation, d.Text, d.SuggestionID)
	return struct {
		Verdicts []assist.Verdict `json:"verdicts"`
	}{v}, err
}

func (c *conn) setStep(f frame) (any, error) {
	d, err := body[assist.StepChange](f)
	if err != nil {
		return nil, err
	}
	seq, err := c.s.opts.Service.SetStep(c.ctx, c.who, f.Conversation, d)
	return seqAck{Seq: seq}, err
}

func (c *conn) feedback(f frame) (any, error) {
	d, err := body[assist.Feedback](f)
	if err != nil {
		return nil, err
	}
	seq, err := c.s.opts.Service.Feedback(c.ctx, c.who, f.Conversation, d)
	return seqAck{Seq: seq}, err
}

func (c *conn) takeHandoff(f frame) (any, error) {
	seq, err := c.s.opts.Service.TakeHandoff(c.ctx, c.who, f.Conversation)
	return seqAck{Seq: seq}, err
}

func (c *conn) requestHandoff(f frame) (any, error) {
	d, err := body[struct {
		Text string `json:"text"`
	}](f)
	if err != nil {
		return nil, err
	}
	seq, err := c.s.opts.Service.RequestHandoff(c.ctx, c.who, f.Conversation, f.ID, d.Text)
	return seqAck{Seq: seq}, err
}

func (c *conn) returnHandoff(f frame) (any, error) {
	d, err := body[struct {
		Reason string `json:"reason"`
	}](f)
	if err != nil {
		return nil, err
	}
	seq, err := c.s.opts.Service.ReturnHandoff(c.ctx, c.who, f.Conversation, d.Reason)
	return seqAck{Seq: seq}, err
}

func (c *conn) closeConversation(f frame) (any, error) {
	d, err := body[struct {
		Resolution string `json:"resolution"`
	}](f)
	if err != nil {
		return nil, err
	}
	seq, err := c.s.opts.Service.Close(c.ctx, c.who, f.Conversation, d.Resolution)
	return seqAck{Seq: seq}, err
}
