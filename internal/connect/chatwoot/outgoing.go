package chatwoot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/connect/deliver"
)

// The kinds of what goes to Chatwoot.
const (
	kindAnswer  = "answer"  // the bot's, to the customer, while pending
	kindHandoff = "handoff" // opens a pending conversation
	kindNote    = "note"    // private
	kindReply   = "reply"   // an agent's: sent by their request, listed here
)

// said is the body of a delivery.
type said struct {
	Text string `json:"text,omitempty"`
}

// How long a delivery is of use: nobody wants yesterday's answer.
const (
	answerWithin  = 2 * time.Minute
	noteWithin    = 10 * time.Minute
	handoffWithin = 24 * time.Hour
)

// sort says what Chatwoot is told of a conversation's events.
func (t *Tool) sort(_ string, events []assist.Event) (out []deliver.New, err error) {
	for _, e := range events {
		switch e.Type {
		case assist.EventTurnAdded:
			var turn assist.Turn
			if err := json.Unmarshal(e.Data, &turn); err != nil {
				return nil, fmt.Errorf("turn %d: %w", e.Seq, err)
			}
			if turn.Role == assist.RoleBot && turn.Author == assist.FromBot && t.cfg.BotToken != "" {
				out = append(out, deliver.New{Kind: kindAnswer, Key: fmt.Sprintf("answer:%d", e.Seq), Body: said{answer(turn)}, Within: answerWithin})
			}
		case assist.EventHandoff:
			var h assist.Handoff
			if err := json.Unmarshal(e.Data, &h); err != nil {
				return nil, fmt.Errorf("hand-over %d: %w", e.Seq, err)
			}
			if t.cfg.BotToken == "" || h.Code == assist.HandoffReturned {
				continue
			}
			// Also when an agent here just took it: in Chatwoot it may be pending still.
			out = append(out, deliver.New{Kind: kindHandoff, Key: fmt.Sprintf("handoff:%d", e.Seq), Body: said{}, Within: handoffWithin})
			if t.cfg.Notes && h.From == assist.FromBot && h.To == "" {
				out = append(out, deliver.New{Kind: kindNote, Key: fmt.Sprintf("handoff-note:%d", e.Seq), Body: said{handoffNote(h)}, Within: noteWithin})
			}
		case assist.EventSuggestionReady:
			if !t.cfg.Notes {
				continue
			}
			var s assist.Suggestion
			if err := json.Unmarshal(e.Data, &s); err != nil {
				return nil, fmt.Errorf("suggestion %d: %w", e.Seq, err)
			}
			if s.Draft != nil && s.Instruction == "" { // what an agent asked for they see where they asked
				out = append(out, deliver.New{Kind: kindNote, Key: fmt.Sprintf("note:%d", s.ForSeq), Body: said{suggestionNote(s)}, Within: noteWithin})
			}
		}
	}
	return out, nil
}

// send makes one attempt at a delivery.
func (t *Tool) send(ctx context.Context, d deliver.Delivery) (answer string, err error) {
	display, ok := displayOf(t.cfg.Account, d.Conversation)
	if !ok {
		return "", fmt.Errorf("conversation %s is not of account %d: %w", d.Conversation, t.cfg.Account, deliver.ErrNever)
	}
	var b said
	if err := json.Unmarshal(d.Body, &b); err != nil {
		return "", fmt.Errorf("%w: %w", err, deliver.ErrNever)
	}
	switch d.Kind {
	case kindNote:
		answer, err = t.postNote(ctx, display, b.Text)
	case kindAnswer, kindHandoff:
		pending, err := t.pending(ctx, d.Conversation, display)
		if err != nil {
			return "", err
		}
		if !pending {
			return "", fmt.Errorf("the conversation is not pending any more: %w", deliver.ErrNoNeed)
		}
		if d.Kind == kindHandoff {
			return "", afterFault(t.open(ctx, d.Conversation, display))
		}
		if d.Attempts > 1 && t.cfg.Token != "" {
			if id, err := t.find(ctx, t.cfg.Token, display, b.Text, d.CreatedAt); err != nil || id != "" {
				return id, afterFault(err)
			}
		}
		answer, err = t.postAnswer(ctx, display, b.Text)
		return answer, afterFault(err)
	default:
		return "", fmt.Errorf("nothing is known of %q: %w", d.Kind, deliver.ErrNever)
	}
	return answer, afterFault(err)
}

// uncertain is a fault after which Chatwoot may have done what was asked. Its echo
// says so, if it comes before the next attempt.
type uncertain struct{ error }

func (uncertain) After() time.Duration { return 10 * time.Second }
func (u uncertain) Unwrap() error      { return u.error }

// afterFault says how a failed call goes on.
func afterFault(err error) error {
	var f *connect.Fault
	if !errors.As(err, &f) {
		return err
	}
	switch {
	case f.MaybeDone:
		return uncertain{err}
	case f.Status >= 400 && f.Status < 500 && f.Status != http.StatusTooManyRequests && f.Status != http.StatusRequestTimeout:
		return fmt.Errorf("%w; %s: %w", err, hint(f.Status), deliver.ErrNever)
	}
	return err
}

func hint(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "the token may not do this: `aside doctor` checks it"
	case http.StatusNotFound:
		return "the conversation or the account is not there any more"
	}
	return "Chatwoot does not take it"
}

// pending asks whether the bot may speak: Chatwoot itself where a token allows it,
// else its last word.
func (t *Tool) pending(ctx context.Context, conversation string, display int64) (bool, error) {
	if t.cfg.Token != "" {
		var c conversationStatus
		if err := t.client.Do(ctx, connect.Call{Method: "GET", Path: t.path(display, ""), Header: token(t.cfg.Token), Into: &c}); err == nil {
			return c.Status == "pending", nil
		} // what it said last has to do
	}
	status, _, err := t.store.ToolChat(ctx, conversation)
	return status == "pending", err
}

type conversationStatus struct {
	Status string `json:"status"`
}

func (t *Tool) path(display int64, rest string) string {
	return fmt.Sprintf("/api/v1/accounts/%d/conversations/%d%s", t.cfg.Account, display, rest)
}

func token(s string) http.Header { return http.Header{"Api_access_token": {s}} }

// posting is the body of a message.
type posting struct {
	Content     string `json:"content"`
	MessageType string `json:"message_type"`
	Private     bool   `json:"private"`
	ContentType string `json:"content_type"`
	EchoID      string `json:"echo_id,omitempty"`
}

func (t *Tool) post(ctx context.Context, display int64, as string, p posting) (id string, err error) {
	var m struct {
		ID int64 `json:"id"`
	}
	p.MessageType, p.ContentType = "outgoing", "text"
	err = t.client.Do(ctx, connect.Call{Method: "POST", Path: t.path(display, "/messages"), Header: token(as), Body: p, Into: &m})
	if err != nil || m.ID == 0 {
		return "", err
	}
	return fmt.Sprint(m.ID), nil
}

// postNote posts what only agents see: the one way a draft takes.
func (t *Tool) postNote(ctx context.Context, display int64, text string) (string, error) {
	as := t.cfg.BotToken
	if as == "" {
		as = t.cfg.Token
	}
	return t.post(ctx, display, as, posting{Content: text, Private: true})
}

// postAnswer says to the customer what the bot answered, as the bot.
func (t *Tool) postAnswer(ctx context.Context, display int64, text string) (string, error) {
	return t.post(ctx, display, t.cfg.BotToken, posting{Content: text})
}

// open gives a conversation to people. Saying it twice changes nothing.
func (t *Tool) open(ctx context.Context, conversation string, display int64) error {
	err := t.client.Do(ctx, connect.Call{Method: "POST", Path: t.path(display, "/toggle_status"), Header: token(t.cfg.BotToken),
		Body: conversationStatus{"open"}, Again: true})
	if err != nil {
		return err
	}
	_, err = t.store.FollowChat(ctx, Name, conversation, "open", time.Time{}, 0)
	return err
}

// find looks for a message with these words among the newest ones, not older than
// since.
func (t *Tool) find(ctx context.Context, as string, display int64, text string, since time.Time) (id string, err error) {
	var page messagePage
	if err := t.client.Do(ctx, connect.Call{Method: "GET", Path: t.path(display, "/messages"), Header: token(as), Into: &page, Again: true}); err != nil {
		return "", err
	}
	for _, m := range page.Payload {
		if m.Kind == outgoing && !m.Private && m.Content != nil && strings.TrimSpace(*m.Content) == strings.TrimSpace(text) &&
			!m.CreatedAt.Before(since.Add(-time.Minute)) {
			return fmt.Sprint(m.ID), nil
		}
	}
	return "", nil
}

type messagePage struct {
	Payload []message `json:"payload"`
}

// answer is a bot's turn as Chatwoot shows it.
func answer(turn assist.Turn) string {
	var b strings.Builder
	b.WriteString(plain(turn.Text))
	for i, s := range turn.Sources {
		if i == 0 {
			b.WriteString("\n")
		}
		b.WriteString("\n" + link(s.Title, s.URL))
	}
	return b.String()
}

// suggestionNote is a suggestion as agents read it.
func suggestionNote(s assist.Suggestion) string {
	var b strings.Builder
	b.WriteString("**Aside suggests** (not sent)\n\n" + plain(s.Draft.Text) + "\n")
	for _, v := range s.Verdicts {
		if v.Outcome != assist.Pass {
			b.WriteString("\n⚠ Check: " + plain(strings.TrimSpace(v.Words+" "+v.Reason)))
		}
	}
	quoted := map[string]bool{}
	for _, sentence := range s.Draft.Sentences {
		for _, c := range sentence.Citations {
			quoted[c.PassageID] = true
		}
	}
	shown := map[string]bool{}
	for _, h := range s.Hits {
		if l := link(h.Title, h.URL); quoted[h.ID] && !shown[l] {
			shown[l] = true
			b.WriteString("\nSource: " + l)
		}
	}
	n := 0
	for _, step := range s.Steps {
		if step.State == assist.StepTodo && n < 3 {
			n++
			b.WriteString("\nNext: " + plain(step.Text))
		}
	}
	return clip(b.String(), 10000)
}

// handoffNote says to agents why the bot hands over.
func handoffNote(h assist.Handoff) string {
	var b strings.Builder
	b.WriteString("**Aside's bot hands over**\n\n" + plain(h.Reason))
	if h.Summary != "" {
		b.WriteString("\n" + plain(h.Summary))
	}
	for _, tried := range h.Tried {
		b.WriteString("\nIt had answered: " + plain(tried))
	}
	return clip(b.String(), 10000)
}

// Chatwoot reads what is posted as Markdown, looks in it for mention:// addresses,
// which call people, and runs it as a Liquid template, which reads the customer's
// record. Text is only text: marks are escaped, the others taken apart by a character
// of no width.
var plainly = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`, "~", `\~`, "#", `\#`, "|", `\|`,
)

func plain(s string) string {
	return plainly.Replace(strings.ReplaceAll(untemplated(s), "mention:", "mention\u2060:"))
}

// untemplated takes templates apart; the eye sees no difference.
func untemplated(s string) string {
	for _, open := range []string{"{{", "{%"} {
		for strings.Contains(s, open) { // "{{{" has another one after the first time
			s = strings.ReplaceAll(s, open, "{\u2060"+open[1:])
		}
	}
	return s
}

// link is a page's title with its address, if that is one of the web.
func link(title, address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(address, "()<>{} \n") {
		return plain(title)
	}
	return "[" + plain(title) + "](" + address + ")"
}
