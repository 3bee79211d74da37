package libredesk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/aside-project/aside/internal/connect"
)

// The page sizes of reads. One page is all that is read: what is older than that
// is no longer a live chat.
const (
	pageOfMessages      = 50
	pageOfConversations = 100
)

// answer is what Libredesk wraps everything in. A request it does not like may be
// answered with 200 all the same, and Data.Code then says so.
type answer[T any] struct {
	Status string `json:"status"`
	Data   T      `json:"data"`
}

type page[T any] struct {
	Results []T `json:"results"`
}

// posted is the message that was made, or what was wrong with the request.
type posted struct {
	message
	Code    int    `json:"Code"`
	Message string `json:"Message"`
}

// outgoing is the body of a message that we post. Notes have mentions and replies
// have an echo_id, as Libredesk's own pages send them.
type outgoing struct {
	Message     string    `json:"message"`
	Private     bool      `json:"private"`
	SenderType  string    `json:"sender_type"`
	Attachments []int     `json:"attachments"`
	To          []string  `json:"to"`
	CC          []string  `json:"cc"`
	BCC         []string  `json:"bcc"`
	Mentions    *[]string `json:"mentions,omitempty"`
	EchoID      string    `json:"echo_id,omitempty"`
}

// me is the agent a key belongs to.
type me struct {
	ID        int64  `json:"id"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Email     string `json:"email"`
	Enabled   bool   `json:"enabled"`

	Permissions []string `json:"permissions"` // of the agent's roles
}

// messages reads the last public messages of a conversation, oldest first. quick
// is for those somebody waits for; the others keep their distance.
func (c *Connector) messages(ctx context.Context, uuid string, key http.Header, quick bool) ([]message, error) {
	if key == nil {
		return nil, errNoKey
	}
	var a answer[page[message]]
	path := fmt.Sprintf("/api/v1/conversations/%s/messages?page=1&page_size=%d&private=false&type=incoming&type=outgoing", url.PathEscape(uuid), pageOfMessages)
	if err := c.api.Do(ctx, connect.Call{Method: http.MethodGet, Path: path, Header: key, Into: &a, Again: true, Paced: !quick}); err != nil {
		return nil, err
	}
	list := a.Data.Results
	slices.SortFunc(list, func(x, y message) int { return int(x.ID - y.ID) })
	return slices.DeleteFunc(list, func(m message) bool { return m.ID <= 0 || !validID(m.UUID) || m.Conversation != uuid }), nil
}

// conversations reads the conversations in which something was said last.
func (c *Connector) conversations(ctx context.Context) ([]snapshot, error) {
	if c.own == nil {
		return nil, errNoKey
	}
	var a answer[page[snapshot]]
	path := fmt.Sprintf("/api/v1/conversations/all?page=1&page_size=%d", pageOfConversations)
	err := c.api.Do(ctx, connect.Call{Method: http.MethodGet, Path: path, Header: c.own, Into: &a, Again: true, Paced: true})
	return slices.DeleteFunc(a.Data.Results, func(s snapshot) bool { return !validID(s.UUID) }), err
}

// conversation reads one conversation.
func (c *Connector) conversation(ctx context.Context, uuid string, key http.Header) (snapshot, error) {
	var a answer[snapshot]
	err := c.api.Do(ctx, connect.Call{Method: http.MethodGet, Path: "/api/v1/conversations/" + url.PathEscape(uuid), Header: key, Into: &a, Again: true})
	return a.Data, err
}

// whose says which agent a key belongs to.
func (c *Connector) whose(ctx context.Context, key http.Header, paced bool) (me, error) {
	var a answer[me]
	err := c.api.Do(ctx, connect.Call{Method: http.MethodGet, Path: "/api/v1/agents/me", Header: key, Into: &a, Again: true, Paced: paced})
	if err == nil && a.Data.ID == 0 {
		err = errors.New("GET /api/v1/agents/me: the answer names no agent")
	}
	return a.Data, err
}

// send posts a message, once.
func (c *Connector) send(ctx context.Context, uuid string, key http.Header, o outgoing, paced bool) (message, error) {
	o.SenderType = "agent"
	if o.To == nil {
		o.To = []string{}
	}
	o.Attachments, o.CC, o.BCC = []int{}, []string{}, []string{}
	var a answer[posted]
	path := "/api/v1/conversations/" + url.PathEscape(uuid) + "/messages"
	if err := c.api.Do(ctx, connect.Call{Method: http.MethodPost, Path: path, Header: key, Body: o, Into: &a, Paced: paced}); err != nil {
		return message{}, err
	}
	if a.Data.Code != 0 || a.Data.UUID == "" {
		return message{}, &connect.Fault{Call: "POST " + path, Status: a.Data.Code, Body: []byte(clip(a.Data.Message, 200))}
	}
	return a.Data.message, nil
}
