package chatwoot

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
)

// kind is a message's type. Chatwoot writes it as a word at the top of a webhook
// and as a number elsewhere.
type kind int

const (
	incoming kind = iota
	outgoing
	activity
	template // written by Chatwoot itself: greetings, surveys
)

// UnmarshalJSON takes both forms. Types that are not known are not said by anybody.
func (k *kind) UnmarshalJSON(b []byte) error {
	switch strings.Trim(string(b), `"`) {
	case "0", "incoming":
		*k = incoming
	case "1", "outgoing":
		*k = outgoing
	case "3", "template":
		*k = template
	default:
		*k = activity
	}
	return nil
}

// moment is a time: Unix seconds, also with a fraction, or one of Rails' forms.
type moment struct{ time.Time }

// UnmarshalJSON takes all forms; what cannot be read is no time.
func (m *moment) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if f, err := strconv.ParseFloat(s, 64); err == nil && f > 0 && f < 1e11 {
		m.Time = time.UnixMicro(int64(f * 1e6)).UTC()
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05 MST", "2006-01-02T15:04:05.000Z"} {
		if t, err := time.Parse(layout, s); err == nil {
			m.Time = t.UTC()
			return nil
		}
	}
	return nil
}

type person struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"` // user, contact, agent_bot; not always there
}

// conversation is Chatwoot's; ID is the display id that its addresses have.
type conversation struct {
	ID        int64     `json:"id"`
	Status    string    `json:"status"`
	UpdatedAt moment    `json:"updated_at"`
	Timestamp moment    `json:"timestamp"`
	Active    moment    `json:"last_activity_at"`
	Messages  []message `json:"messages"`
	Meta      struct {
		Sender   *person `json:"sender"`
		Assignee *person `json:"assignee"`
	} `json:"meta"`
}

// at is when the conversation was as it is said to be.
func (c conversation) at() time.Time {
	for _, m := range []moment{c.UpdatedAt, c.Timestamp, c.Active} {
		if !m.IsZero() {
			return m.Time
		}
	}
	return time.Time{}
}

type message struct {
	ID         int64   `json:"id"`
	Content    *string `json:"content"`
	Kind       kind    `json:"message_type"`
	Private    bool    `json:"private"`
	CreatedAt  moment  `json:"created_at"`
	Sender     *person `json:"sender"` // null: sent from a paired telephone, say
	Attributes struct {
		Deleted bool `json:"deleted"`
	} `json:"content_attributes"`
	Attachments []struct {
		FileType string `json:"file_type"`
	} `json:"attachments"`
}

// payload is a delivery. Those about a message have its fields at the top and the
// conversation in it, those about a conversation have its fields at the top.
type payload struct {
	Event        string
	Account      int64 // 0: not said
	Message      message
	Conversation conversation
	User         *person // who types
	Private      bool    // who types a note
}

func parse(body []byte) (p payload, err error) {
	if !utf8.Valid(body) {
		return p, assist.Errorf(assist.Invalid, "the body is not valid UTF-8")
	}
	var head struct {
		Event   string `json:"event"`
		Account struct {
			ID int64 `json:"id"`
		} `json:"account"`
		Conversation conversation `json:"conversation"`
		User         *person      `json:"user"`
		IsPrivate    bool         `json:"is_private"`
	}
	read := func(v any) {
		if err == nil {
			if err = json.Unmarshal(body, v); err != nil {
				err = assist.Wrap(err, assist.Invalid, "the body is not a delivery of Chatwoot")
			}
		}
	}
	read(&head)
	p = payload{Event: head.Event, Account: head.Account.ID, Conversation: head.Conversation, User: head.User, Private: head.IsPrivate}
	switch head.Event {
	case "message_created", "message_updated":
		read(&p.Message)
		if err == nil && (p.Message.ID <= 0 || p.Conversation.ID <= 0) {
			err = assist.Errorf(assist.Invalid, "a message needs id and conversation.id")
		}
	case "conversation_created", "conversation_updated", "conversation_status_changed", "conversation_opened", "conversation_resolved":
		read(&p.Conversation)
		if err == nil && p.Conversation.ID <= 0 {
			err = assist.Errorf(assist.Invalid, "a conversation needs id")
		}
	case "conversation_typing_on":
		if err == nil && p.Conversation.ID <= 0 {
			err = assist.Errorf(assist.Invalid, "typing needs conversation.id")
		}
	}
	return p, err
}

// spoken reports whether a message is something that a person or a bot said to the
// other side.
func (m message) spoken() bool {
	return !m.Private && !m.Attributes.Deleted && (m.Kind == incoming || m.Kind == outgoing)
}

// text is what was said, as a turn can have it.
func (m message) text() string {
	s := ""
	if m.Content != nil {
		s = strings.TrimSpace(strings.ReplaceAll(*m.Content, "\x00", ""))
	}
	for _, a := range m.Attachments {
		s = strings.TrimSpace(s + "\n[" + clip(orElse(a.FileType, "file"), 40) + "]")
	}
	return clip(s, assist.MaxText)
}

func clip(s string, most int) string {
	if utf8.RuneCountInString(s) > most {
		return string([]rune(s)[:most-1]) + "…"
	}
	return s
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// idOf is our id of a conversation, displayOf the way back.
func idOf(account, display int64) string { return fmt.Sprintf("chatwoot-%d-%d", account, display) }

func displayOf(account int64, id string) (display int64, ok bool) {
	rest, ok := strings.CutPrefix(id, fmt.Sprintf("chatwoot-%d-", account))
	if !ok {
		return 0, false
	}
	display, err := strconv.ParseInt(rest, 10, 64)
	return display, err == nil && display > 0 && idOf(account, display) == id
}
