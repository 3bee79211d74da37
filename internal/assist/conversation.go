package assist

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits of what one person can say at once.
const (
	MaxText     = 8000 // characters in a turn, a reply or an instruction
	MaxID       = 200  // bytes in a conversation's, client's or external id
	MaxName     = 200  // characters in a name
	MaxActions  = 50   // values in a reported action
	MaxActValue = 1000 // characters in one of them
)

// Status says who holds a conversation.
type Status string

// The statuses of a conversation.
const (
	StatusBot     Status = "bot"     // the bot answers
	StatusWaiting Status = "waiting" // a customer waits for a person
	StatusOpen    Status = "open"    // an agent has it
	StatusClosed  Status = "closed"
)

// Conversation is one chat with one customer.
type Conversation struct {
	ID           string    `json:"id"`
	Status       Status    `json:"status"`
	CustomerName string    `json:"customer_name,omitempty"`
	Agent        string    `json:"agent,omitempty"` // subject of the agent who has it
	AgentName    string    `json:"agent_name,omitempty"`
	LastSeq      int64     `json:"last_seq"`
	LastRole     Role      `json:"last_role,omitempty"`
	Preview      string    `json:"preview,omitempty"`      // first characters of the last turn
	WaitingSince time.Time `json:"waiting_since,omitzero"` // first customer turn not yet answered
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	Handoff      *Handoff  `json:"handoff,omitempty"`
	Resolution   string    `json:"resolution,omitempty"`
	FreshSeq     int64     `json:"-"` // the bot looks only at turns after this one: the customer came back after a closing
}

// Role is who spoke a turn. "Agent" always means the human.
type Role string

// The roles of a turn.
const (
	RoleCustomer Role = "customer"
	RoleAgent    Role = "agent"
	RoleBot      Role = "bot"
	RoleSystem   Role = "system" // a reported action, or a note between turns
)

// Valid reports whether r is a role a turn can have.
func (r Role) Valid() bool {
	switch r {
	case RoleCustomer, RoleAgent, RoleBot, RoleSystem:
		return true
	}
	return false
}

// Action is something an agent did in another system, as a source reports it.
// Customers never see it.
type Action struct {
	Name   string   `json:"name"`
	Values []string `json:"values,omitempty"`
}

// Turn is one utterance of a conversation, as stored.
type Turn struct {
	Seq          int64     `json:"seq"`
	Role         Role      `json:"role"`
	Author       string    `json:"author,omitempty"` // subject of the identity that added it
	Name         string    `json:"name,omitempty"`
	Text         string    `json:"text"`
	At           time.Time `json:"at"`
	ExternalID   string    `json:"external_id,omitempty"`
	Action       *Action   `json:"action,omitempty"`
	SuggestionID string    `json:"suggestion_id,omitempty"` // a reply that came from a suggestion
	Sources      []Source  `json:"sources,omitempty"`       // the bot's answers only: the public pages it stands on
}

// Source is a public page that a customer can open.
type Source struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// NewTurn is a turn somebody wants to add.
type NewTurn struct {
	Conversation string
	ClientID     string // the frame's id; the idempotency key when there is no ExternalID
	Role         Role
	Name         string // who spoke, for display; sources only
	Text         string
	ExternalID   string // the chat tool's own id for this message
	Customer     string // the chat tool's own id for the customer; sources only, others' is left out
	At           time.Time
	Action       *Action
	Bot          bool // the bot has the conversation until it hands over, if nobody has it yet
}

// Key is the idempotency key: the same key from the same sender in the same
// conversation is the same turn.
func (n NewTurn) Key() string { return idempotencyKey(n.ClientID, n.ExternalID) }

// Validate checks shape and limits. It does not know who is asking.
func (n NewTurn) Validate() error {
	if err := checkTarget(n.Conversation, n.Key()); err != nil {
		return err
	}
	if !n.Role.Valid() {
		return Errorf(Invalid, "role must be customer, agent, bot or system, not %q", clip(string(n.Role)))
	}
	if err := checkID("external_id", n.ExternalID, false); err != nil {
		return err
	}
	if err := checkID("customer", n.Customer, false); err != nil {
		return err
	}
	if utf8.RuneCountInString(n.Name) > MaxName {
		return Errorf(Invalid, "name is longer than %d characters", MaxName)
	}
	if a := n.Action; a != nil {
		if strings.TrimSpace(a.Name) == "" || len(a.Name) > MaxID {
			return Errorf(Invalid, "action.name must be 1 to %d bytes", MaxID)
		}
		if len(a.Values) > MaxActions {
			return Errorf(Invalid, "action.values has %d entries, at most %d are allowed", len(a.Values), MaxActions)
		}
		for i, v := range a.Values {
			if err := CheckText(fmt.Sprintf("action.values[%d]", i), v, MaxActValue); err != nil {
				return err
			}
		}
		if strings.TrimSpace(n.Text) == "" {
			return nil // an action speaks for itself
		}
	}
	return CheckBody("text", n.Text)
}

// NewReply is what an agent wants to send to the customer.
type NewReply struct {
	Conversation string
	ClientID     string // idempotency key
	Text         string
	SuggestionID string
}

// Key is the idempotency key of the reply.
func (n NewReply) Key() string { return idempotencyKey(n.ClientID, "") }

// Validate checks shape and limits.
func (n NewReply) Validate() error {
	if err := checkTarget(n.Conversation, n.Key()); err != nil {
		return err
	}
	if err := checkID("suggestion_id", n.SuggestionID, false); err != nil {
		return err
	}
	return CheckBody("text", n.Text)
}

func idempotencyKey(clientID, externalID string) string {
	switch {
	case externalID != "":
		return "x:" + externalID
	case clientID != "":
		return "c:" + clientID
	}
	return ""
}

func checkTarget(conversation, key string) error {
	if err := CheckConversationID(conversation); err != nil {
		return err
	}
	if key == "" {
		return Errorf(Invalid, "id is missing: give every message its own id, so that a repeat is not stored twice")
	}
	return checkID("id", key[2:], true)
}

// CheckConversationID says whether s can name a conversation.
func CheckConversationID(s string) error { return checkID("conversation", s, true) }

func checkID(field, s string, required bool) error {
	if s == "" && required {
		return Errorf(Invalid, "%s is missing", field)
	}
	if len(s) > MaxID {
		return Errorf(Invalid, "%s is longer than %d bytes", field, MaxID)
	}
	if !utf8.ValidString(s) {
		return Errorf(Invalid, "%s is not valid UTF-8", field)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return Errorf(Invalid, "%s contains a control character", field)
		}
	}
	return nil
}

// CheckBody says whether s can be a message: something, not too long, valid
// UTF-8, no NUL.
func CheckBody(field, s string) error {
	if strings.TrimSpace(s) == "" {
		return Errorf(Invalid, "%s is empty", field)
	}
	return CheckText(field, s, MaxText)
}

// CheckText says whether s is valid UTF-8 without NUL, of at most limit
// characters.
func CheckText(field, s string, limit int) error {
	if !utf8.ValidString(s) {
		return Errorf(Invalid, "%s is not valid UTF-8", field)
	}
	if strings.ContainsRune(s, 0) {
		return Errorf(Invalid, "%s contains a NUL character", field)
	}
	if utf8.RuneCountInString(s) > limit {
		return Errorf(Invalid, "%s is longer than %d characters", field, limit)
	}
	return nil
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}

// HandoffCode says in one word why a conversation changed hands.
type HandoffCode string

// The reasons for a hand-over.
const (
	HandoffAsked      HandoffCode = "asked_for_person"
	HandoffNoEvidence HandoffCode = "no_evidence"       // nothing public answers it
	HandoffBlocked    HandoffCode = "blocked"           // a draft that did not pass every check
	HandoffUpset      HandoffCode = "upset"             // angry, let down, or not for the first time
	HandoffRephrased  HandoffCode = "rephrased"         // the answer did not help, twice
	HandoffAccount    HandoffCode = "account_specific"  // only somebody with the customer's record can say
	HandoffTopic      HandoffCode = "not_allowed_topic" // the configuration keeps the bot from it
	HandoffFault      HandoffCode = "model_fault"       // something of ours failed
	HandoffLimit      HandoffCode = "limit"             // the bot has said, or has to do, too much
	HandoffHours      HandoffCode = "out_of_hours"      // the bot does not answer, and people are away
	HandoffBotOff     HandoffCode = "bot_off"           // the bot does not answer here
	HandoffReturned   HandoffCode = "returned"          // an agent gave it back
	HandoffTaken      HandoffCode = "taken"             // an agent took what nobody had handed over
)

// FromBot is who hands over when the bot does.
const FromBot = "bot"

// Handoff is the passing of a conversation to people, or between them.
type Handoff struct {
	Code    HandoffCode `json:"reason_code"`
	Reason  string      `json:"reason"` // one plain sentence for the agent
	Summary string      `json:"summary,omitempty"`
	Tried   []string    `json:"tried,omitempty"` // what the bot answered before
	From    string      `json:"from,omitempty"`  // "bot", or the agent who had it
	To      string      `json:"to,omitempty"`    // the agent who took it
	ToName  string      `json:"to_name,omitempty"`
	At      time.Time   `json:"at"`
	Wait    Wait        `json:"-"`
}

// Wait is what can honestly be said of how long a person takes. It is the
// customer's part of a hand-over.
type Wait struct {
	Ahead   *int          // customers who wait longer; nil: unknown
	Typical time.Duration // how long others waited lately; 0: unknown
	OpensAt time.Time     // people are away until then; zero: they are here
}

// Gap is a question that nothing in the knowledge answers.
type Gap struct {
	Conversation string    `json:"conversation"`
	ForSeq       int64     `json:"for_seq"`
	Question     string    `json:"question"`
	Nearest      []string  `json:"nearest,omitempty"` // passage ids
	At           time.Time `json:"at"`
}
