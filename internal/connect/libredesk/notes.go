package libredesk

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Saw implements connect.Tool: finished suggestions become notes, when notes are on.
func (c *Connector) Saw(e assist.Event) {
	if !c.cfg.Notes || !c.Owns(e.Conversation) {
		return
	}
	if e.Type != assist.EventSuggestionReady && e.Type != assist.EventSuggestionFailed {
		return
	}
	select {
	case c.notes <- e:
	default:
		c.log.Warn("a note was left out: too many wait to be posted", "conversation", e.Conversation)
	}
}

// post posts notes, one after the other.
func (c *Connector) post() {
	for {
		select {
		case <-c.base.Done():
			return
		case e := <-c.notes:
			c.postNote(e)
		}
	}
}

// postNote posts the suggestion of a turn as a private note: once, whatever
// happens. Libredesk cannot change a note, and drops its echo_id, so one that may
// have been posted is not posted again.
func (c *Connector) postNote(e assist.Event) {
	var s assist.Suggestion
	if err := json.Unmarshal(e.Data, &s); err != nil {
		c.log.Warn("a suggestion's event cannot be read", "conversation", e.Conversation, "error", err)
		return
	}
	if s.Draft == nil || s.Instruction != "" {
		return // nothing to say, or somebody asked for it in the panel and sees it there
	}
	first, err := c.o.Marks.Once(c.base, name, fmt.Sprintf("note:%s:%d", uuidOf(e.Conversation), s.ForSeq))
	if err != nil || !first {
		if err != nil {
			c.log.Warn("a note was left out", "conversation", e.Conversation, "error", err)
		}
		return
	}
	if _, err := c.send(c.base, uuidOf(e.Conversation), c.own, outgoing{Message: noteHTML(s), Private: true, Mentions: &[]string{}}, true); err != nil {
		c.log.Warn("a note was not posted", "conversation", e.Conversation, "suggestion", s.ID, "error", err)
	}
}

// noteHTML is a suggestion as an agent reads it among the messages.
func noteHTML(s assist.Suggestion) string {
	var b strings.Builder
	head := "not sent: check it, then send it yourself"
	if s.Standing == assist.StandingCheck && s.CheckCount > 0 {
		head = fmt.Sprintf("not sent: %d to check first", s.CheckCount)
	}
	fmt.Fprintf(&b, "<p><strong>Suggested reply</strong> (%s)</p>%s", escape(head), paragraphs(s.Draft.Text))
	if w := warnings(s); len(w) > 0 {
		b.WriteString("<p><strong>Check</strong></p>" + items(w))
	}
	if steps := todo(s.Steps); len(steps) > 0 {
		b.WriteString("<p><strong>Next steps</strong></p>" + items(steps))
	}
	if sources := cited(s); len(sources) > 0 {
		b.WriteString("<p><strong>Sources</strong></p>" + items(sources))
	}
	return b.String()
}

func items(list []string) string {
	var b strings.Builder
	b.WriteString("<ul>")
	for _, s := range list {
		b.WriteString("<li>" + escape(s) + "</li>")
	}
	b.WriteString("</ul>")
	return b.String()
}

func warnings(s assist.Suggestion) (out []string) {
	for _, v := range s.Verdicts {
		if v.Outcome == assist.Pass || len(out) == 5 {
			continue
		}
		if v.Words != "" {
			out = append(out, "“"+v.Words+"”: "+v.Reason)
		} else {
			out = append(out, v.Reason)
		}
	}
	return out
}

func todo(steps []assist.NextStep) (out []string) {
	for _, s := range steps {
		if s.State == assist.StepTodo && len(out) < 5 {
			out = append(out, s.Text)
		}
	}
	return out
}

func cited(s assist.Suggestion) (out []string) {
	used := map[string]bool{}
	for _, sentence := range s.Draft.Sentences {
		for _, c := range sentence.Citations {
			used[c.PassageID] = true
		}
	}
	said := map[string]bool{}
	for _, h := range s.Hits {
		line := h.Title
		if h.Heading != "" {
			line += " › " + h.Heading
		}
		if h.URL != "" {
			line += " " + h.URL
		}
		if used[h.ID] && !said[line] && len(out) < 5 {
			said[line] = true
			out = append(out, line)
		}
	}
	return out
}
