// Package connect is what connectors to chat tools share: the port each of them
// fills, an inbox that answers their webhooks at once, a client for the calls
// back, and marks for the doctor. Each tool has a package of its own below this one.
//
// What every connector promises:
//
//   - A delivery is verified before it is read. It is answered within
//     milliseconds, whatever the model or the database does: taken into a bounded
//     inbox, or refused with 503 when the inbox is full or the store is down, so
//     that a tool that sends again does so. What a tool does not send again is
//     found by a bounded reading of the tool's own record.
//   - The same message is one turn, by the tool's own id for it, and turns come in
//     the tool's own order as far as they arrive within the inbox's hold.
//   - No draft is ever sent to a customer. A suggestion leaves as a private note
//     or a signed event for agents; words for the customer leave only from Reply,
//     inside the request of the agent who pressed send, with that agent's own key.
package connect

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Tool is one connected chat tool. Its methods are safe for concurrent use.
type Tool interface {
	// Name is the last part of the webhook's path: POST /v1/hooks/NAME. It is
	// also the Subject of the identity that the tool's turns are reported with.
	Name() string
	// ServeHTTP takes the tool's deliveries at /v1/hooks/NAME and below.
	ServeHTTP(w http.ResponseWriter, r *http.Request)
	// Owns says whether a conversation lives in this tool.
	Owns(conversation string) bool
	// Saw is told of every event of its conversations, once they are stored, in
	// the goroutine that publishes them: it must not block. With several
	// processes each of them may be told.
	Saw(e assist.Event)
	// Start begins the work behind the hooks; Stop ends it, finishing what was
	// taken in as far as ctx allows, and waits.
	Start()
	Stop(ctx context.Context) error
}

// Replier is a Tool that carries agents' replies to its customers.
type Replier interface {
	// Reply says r to the customer in the name of who, an agent who has just
	// pressed send, and returns once the tool has taken it. It is called before
	// the reply is stored and may be called again with the same r.ClientID,
	// which must not say it twice. Errors are in words for the agent.
	Reply(ctx context.Context, who assist.Identity, r assist.NewReply) error
}

// Chats is what connectors need of live conversations; chat.Service is one. Each
// takes what it needs.
type Chats interface {
	Receive(ctx context.Context, who assist.Identity, n assist.NewTurn) (t assist.Turn, repeat bool, err error)
	Typing(ctx context.Context, who assist.Identity, conversation string, role assist.Role, text string) error
	Conversation(ctx context.Context, who assist.Identity, id string) (assist.Conversation, error)
	Transcript(ctx context.Context, who assist.Identity, conversation string) ([]assist.Turn, []assist.StepChange, error)
	Suggestion(ctx context.Context, who assist.Identity, id string) (assist.Suggestion, error)
	TakeHandoff(ctx context.Context, who assist.Identity, conversation string) (int64, error)
	ReturnHandoff(ctx context.Context, who assist.Identity, conversation, reason string) (int64, error)
	Close(ctx context.Context, who assist.Identity, conversation, resolution string) (int64, error)
}

// Marks are small facts that outlive a process and that all processes share.
// postgres.DB keeps them; old ones may be forgotten after 30 days.
type Marks interface {
	// Once is true for the first who asks, of all processes, and never again: a
	// note is posted once, a sweep is made by one process.
	Once(ctx context.Context, tool, key string) (bool, error)
	// Mark says that key happened now; Marked when it last did, zero for never.
	Mark(ctx context.Context, tool, key string) error
	Marked(ctx context.Context, tool, key string) (time.Time, error)
}

// The keys of marks that every connector sets, for `aside doctor`.
const (
	MarkDelivery = "delivery" // a verified delivery came
	MarkRefused  = "refused"  // one came that was not signed by the tool
)

// Check is one finding of `aside doctor` about a tool.
type Check struct {
	Name   string
	OK     bool
	Detail string
	Fix    string // the one command or setting that mends it
}

// Taken answers a delivery that is in the inbox.
func Taken(w http.ResponseWriter) { w.WriteHeader(http.StatusAccepted) }

// Refuse answers a delivery with a problem document: 401 for what is not signed,
// 400 for what cannot be read, 413 for what is too large, 503 for what cannot be
// taken now.
func Refuse(w http.ResponseWriter, err error) {
	code := assist.CodeOf(err)
	status := map[assist.Code]int{
		assist.Invalid: http.StatusBadRequest, assist.Unauthenticated: http.StatusUnauthorized, assist.Forbidden: http.StatusForbidden,
		assist.NotFound: http.StatusNotFound, assist.TooLarge: http.StatusRequestEntityTooLarge, assist.RateLimited: http.StatusTooManyRequests,
	}[code]
	if status == 0 {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	body, err := json.Marshal(struct {
		Title  string      `json:"title"`
		Status int         `json:"status"`
		Detail string      `json:"detail"`
		Code   assist.Code `json:"code"`
	}{http.StatusText(status), status, assist.MessageOf(err), code})
	if err != nil {
		body = nil // of strings and a number it cannot fail; the status says enough
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away misses it, nobody else does
}

// SignOn is a Tool whose agents come to the panel already signed in there.
type SignOn interface {
	// SignOn says who opened the tool's link, by its query: an agent, for the one
	// conversation of the identity, until it expires. Errors are in words for
	// the agent.
	SignOn(q url.Values) (assist.Identity, error)
}

// Checker is a Tool that can say what is missing.
type Checker interface {
	Checks(ctx context.Context) []Check
}
