package libredesk

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
)

// envelope is a delivery as Libredesk posts it.
type envelope struct {
	Event     string          `json:"event"`
	Payload   json.RawMessage `json:"payload"`
	Timestamp time.Time       `json:"timestamp"`
}

// message is a message in deliveries and in the answers of the API.
type message struct {
	ID           int64             `json:"id"`
	UUID         string            `json:"uuid"`
	CreatedAt    time.Time         `json:"created_at"`
	Type         string            `json:"type"`   // incoming, outgoing, activity
	Status       string            `json:"status"` // received, pending, sent, failed
	Conversation string            `json:"conversation_uuid"`
	Content      string            `json:"content"`
	TextContent  string            `json:"text_content"`
	Private      bool              `json:"private"`
	SenderID     int64             `json:"sender_id"`
	SenderType   string            `json:"sender_type"` // contact, agent
	Meta         json.RawMessage   `json:"meta"`
	Attachments  []json.RawMessage `json:"attachments"`
	Author       struct {
		ID        int64  `json:"id"`
		FirstName string `json:"first_name"`
		LastName  string `json:"last_name"`
		Type      string `json:"type"` // visitor, contact, agent, ai_assistant
	} `json:"author"`
}

// snapshot is a conversation as it stood at UpdatedAt.
type snapshot struct {
	UUID             string    `json:"uuid"`
	UpdatedAt        time.Time `json:"updated_at"`
	Status           string    `json:"status"`
	StatusCategory   string    `json:"status_category"` // "" in lists
	AssignedUserID   int64     `json:"assigned_user_id"`
	InboxChannel     string    `json:"inbox_channel"` // livechat, email
	LastInteraction  time.Time `json:"last_interaction_at"`
	LastInteractedBy string    `json:"last_interaction_sender"`
	Contact          struct {
		Email string `json:"email"`
	} `json:"contact"`
}

// change is the payload of the events about conversations, but conversation.created.
type change struct {
	ActorID      int64     `json:"actor_id"`
	Conversation *snapshot `json:"conversation"`
	unassigned   bool      // it was just taken from whoever had it
}

// closed says whether nobody waits for an answer here.
func (s snapshot) closed() bool {
	is := strings.ToLower(s.StatusCategory)
	if is == "" {
		is = strings.ToLower(s.Status)
	}
	return is == "resolved" || is == "closed"
}

// verify says whether body was signed with the webhook's secret.
func verify(secret, header string, body []byte) error {
	given, ok := strings.CutPrefix(header, "sha256=")
	if header == "" {
		return assist.Errorf(assist.Unauthenticated, "X-Libredesk-Signature is missing: give the webhook in Libredesk the secret that is set here")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	sum, err := hex.DecodeString(given)
	if !ok || err != nil || !hmac.Equal(sum, mac.Sum(nil)) {
		return assist.Errorf(assist.Unauthenticated, "X-Libredesk-Signature does not fit: the webhook's secret in Libredesk and ASIDE_LIBREDESK_WEBHOOK_SECRET differ")
	}
	return nil
}

// echo is the echo_id that a reply was posted with, if any.
func (m message) echo() string {
	var meta struct {
		Echo any `json:"echo_id"`
	}
	_ = json.Unmarshal(m.Meta, &meta) // meta may be null or of any shape: then there is no echo
	s, _ := meta.Echo.(string)
	return s
}

// turn maps a message to the turn it is; ok is false for what is none: private
// notes, our own among them, and activities that the conversation's own events
// tell better.
func (m message) turn() (n assist.NewTurn, ok bool) {
	n = assist.NewTurn{Conversation: prefix + m.Conversation, ExternalID: m.UUID, At: m.CreatedAt, Name: m.author(), Text: m.text()}
	switch {
	case m.Type == "activity":
		kind := m.activity()
		if kind == "" {
			return n, false
		}
		n.Role, n.Action, n.Text = assist.RoleSystem, &assist.Action{Name: kind, Values: []string{clip(n.Text, assist.MaxActValue)}}, ""
	case m.Private:
		return n, false
	case m.Type == "incoming" && m.SenderType == "contact":
		n.Role, n.Customer = assist.RoleCustomer, fmt.Sprintf("contact:%d", m.SenderID)
	case m.Type == "outgoing" && m.Author.Type == "ai_assistant":
		n.Role = assist.RoleBot
	case m.Type == "outgoing" && m.SenderType == "agent":
		n.Role = assist.RoleAgent
	default:
		return n, false
	}
	return n, true
}

// activity is the kind of an activity worth keeping, "" for the others.
func (m message) activity() string {
	var meta struct {
		Type string `json:"activity_type"`
	}
	_ = json.Unmarshal(m.Meta, &meta) // as for echo
	switch {
	case strings.Contains(meta.Type, "assign"), strings.HasPrefix(meta.Type, "status"), len(meta.Type) > 100:
		return ""
	}
	return meta.Type
}

func (m message) author() string {
	return clip(strings.TrimSpace(strings.TrimSpace(m.Author.FirstName)+" "+strings.TrimSpace(m.Author.LastName)), assist.MaxName)
}

// text is what the message says, in words that can be a turn.
func (m message) text() string {
	s := m.TextContent
	if strings.TrimSpace(s) == "" {
		s = html.UnescapeString(m.Content)
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\x00", "")
	if strings.TrimSpace(s) == "" {
		switch n := len(m.Attachments); n {
		case 0:
			return "(empty message)"
		case 1:
			return "(an attachment)"
		default:
			return fmt.Sprintf("(%d attachments)", n)
		}
	}
	return clip(s, assist.MaxText)
}

// clip cuts s to at most limit characters, with a sign that it was cut.
func clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// escape makes words safe to post: Libredesk stores what it is given as HTML and
// runs it as a template first. Every { is escaped, so that two pieces put together
// cannot make an opening one.
func escape(s string) string {
	return strings.ReplaceAll(html.EscapeString(s), "{", "&#123;")
}

// paragraphs is s as HTML: blank lines part paragraphs.
func paragraphs(s string) string {
	var b strings.Builder
	for _, p := range strings.Split(strings.ReplaceAll(strings.TrimSpace(s), "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			b.WriteString("<p>" + strings.ReplaceAll(escape(p), "\n", "<br>") + "</p>")
		}
	}
	return b.String()
}
