package suggest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/playbook"
)

// Limits of what is taken from a model.
const (
	maxAnswer    = 256 << 10 // bytes of raw answer
	maxSentences = 40
	maxCitations = 8   // of a sentence
	maxLine      = 300 // characters of a step, an option's detail, …
	maxSentence  = 2000
	maxOptions   = 3
)

// reply is a model's answer, as prompts/reply.md asks for it.
type reply struct {
	Abstain   string `json:"abstain"`
	Sentences []struct {
		Text      string `json:"text"`
		Citations []struct {
			Passage int    `json:"passage"`
			Quote   string `json:"quote"`
		} `json:"citations"`
	} `json:"sentences"`
	Asks        string       `json:"asks"`
	Anticipates string       `json:"anticipates"`
	NextSteps   []wishedStep `json:"next_steps"`
	Options     []wishedWay  `json:"options"`
}

type wishedStep struct {
	Kind    string `json:"kind"`
	Text    string `json:"text"`
	Passage int    `json:"passage"`
}

type wishedWay struct {
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Cost      string `json:"cost"`
	Authority string `json:"authority"`
	Passage   int    `json:"passage"`
}

// parseReply reads a finished answer. It is mended once: a code fence around it,
// words before and after, commas too many, an end that is missing. A server that
// promised only text may send text, with [n] where a passage is meant.
func parseReply(text string, format llm.Format) (reply, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" {
		return reply{}, malformed("it is empty")
	}
	if !utf8.ValidString(trimmed) {
		trimmed = strings.ToValidUTF8(trimmed, "\uFFFD")
	}
	r, err := decode(trimmed)
	if err == nil {
		return r, nil
	}
	if mended, half, ok := mend(trimmed); ok {
		if r, again := decode(mended); again == nil {
			if half && len(r.Sentences) > 0 {
				r.Sentences = r.Sentences[:len(r.Sentences)-1] // it stops in the middle
				if len(r.Sentences) == 0 {
					return reply{}, malformed("it stops in the middle of its first sentence")
				}
			}
			return r, nil
		}
	}
	if format == llm.FormatText && !strings.Contains(trimmed, "{") && !strings.Contains(trimmed, "```") {
		return fromText(trimmed), nil
	}
	return reply{}, err
}

func decode(text string) (reply, error) {
	var r reply
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return reply{}, malformed("%v", err)
	}
	r.Abstain = strings.TrimSpace(r.Abstain)
	some := false
	for _, s := range r.Sentences {
		some = some || strings.TrimSpace(s.Text) != ""
	}
	if !some && r.Abstain == "" {
		return reply{}, malformed("it has no sentences")
	}
	if some && r.Abstain != "" {
		r.Abstain = "" // it answered all the same: the checks decide
	}
	return r, nil
}

// mend takes the object out of what stands around it, drops commas before a
// closing bracket, and closes what was left open;
// half says that this was in the middle of a sentence.
func mend(text string) (mended string, half, ok bool) {
	start := strings.IndexByte(text, '{')
	if start < 0 {
		return "", false, false
	}
	var b strings.Builder
	var open []byte
	inString, escaped := false, false
	for i := start; i < len(text); i++ {
		c := text[i]
		if inString {
			b.WriteByte(c)
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				inString = false
			}
			continue
		}
		switch c {
		case '"':
			inString = true
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return "", false, false
			}
			open = open[:len(open)-1]
			dropComma(&b)
			b.WriteByte(c)
			if len(open) == 0 {
				return b.String(), false, true
			}
			continue
		}
		b.WriteByte(c)
	}
	if escaped {
		return "", false, false
	}
	half = len(open) > 2 // inside a sentence
	if inString {
		b.WriteByte('"')
	}
	for i := len(open) - 1; i >= 0; i-- {
		dropComma(&b)
		b.WriteByte(open[i])
	}
	return b.String(), half, true
}

func dropComma(b *strings.Builder) {
	s := strings.TrimRight(b.String(), " \t\r\n")
	if trimmed, ok := strings.CutSuffix(s, ","); ok {
		b.Reset()
		b.WriteString(trimmed)
	}
}

var mark = regexp.MustCompile(`\s*\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]`)

// fromText makes a reply of plain text. [n] names a passage but quotes nothing,
// so each sentence is left without a citation unless its very words stand there.
func fromText(text string) reply {
	var r reply
	for _, span := range lex.Sentences(text) {
		raw := span.In(text)
		clean := strings.TrimSpace(mark.ReplaceAllString(raw, ""))
		if clean == "" {
			continue
		}
		r.Sentences = append(r.Sentences, struct {
			Text      string `json:"text"`
			Citations []struct {
				Passage int    `json:"passage"`
				Quote   string `json:"quote"`
			} `json:"citations"`
		}{Text: clean})
		s := &r.Sentences[len(r.Sentences)-1]
		for _, m := range mark.FindAllStringSubmatch(raw, -1) {
			for _, n := range strings.Split(m[1], ",") {
				if number, err := strconv.Atoi(strings.TrimSpace(n)); err == nil {
					s.Citations = append(s.Citations, struct {
						Passage int    `json:"passage"`
						Quote   string `json:"quote"`
					}{number, ""})
				}
			}
		}
	}
	return r
}

// draft turns the answer into a draft with citations by passage id. Numbers that
// name no passage keep an id that names none, so that they are counted as
// dropped. A number without a quote stands for the sentence of that passage
// that is most alike, if there is one.
func (r reply) draft(hits []assist.Hit) assist.Draft {
	var sentences []assist.Sentence
	for _, s := range r.Sentences {
		text := oneLine(s.Text, maxSentence)
		if text == "" || len(sentences) == maxSentences {
			continue
		}
		out := assist.Sentence{Text: text}
		for i, c := range s.Citations {
			if i == maxCitations {
				break
			}
			cite := assist.Citation{PassageID: fmt.Sprintf("no passage %d", c.Passage), Quote: c.Quote}
			if h := hitNumber(hits, c.Passage); h != nil {
				cite.PassageID = h.ID
				if c.Quote == "" {
					cite.Quote = likest(text, h.Text)
				}
			}
			out.Citations = append(out.Citations, cite)
		}
		sentences = append(sentences, out)
	}
	return assist.NewDraft(assist.OriginModel, sentences)
}

// likest gives the sentence of a passage that shares most words with text, ""
// when none shares half of them.
func likest(text, passage string) string {
	want := map[string]bool{}
	for _, t := range lex.Terms(text, "en") {
		want[t] = true
	}
	best, quote := len(want)/2, ""
	for _, span := range lex.Sentences(passage) {
		n := 0
		seen := map[string]bool{}
		for _, t := range lex.Terms(span.In(passage), "en") {
			if want[t] && !seen[t] {
				seen[t] = true
				n++
			}
		}
		if n > best {
			best, quote = n, span.In(passage)
		}
	}
	return quote
}

func hitNumber(hits []assist.Hit, n int) *assist.Hit {
	if n < 1 || n > len(hits) {
		return nil
	}
	return &hits[n-1]
}

// steps adds the model's steps behind the playbook's. They are text for the
// agent; their policy is what the database says of the passage they name.
func (r reply) steps(have []assist.NextStep, hits []assist.Hit, suggestion string) []assist.NextStep {
	out := have[:len(have):len(have)]
	for i, w := range r.NextSteps {
		text := safeLine(w.Text, hits)
		kind := assist.StepKind(w.Kind)
		switch kind {
		case assist.StepDo, assist.StepAsk, assist.StepSay, assist.StepOffer, assist.StepHandOff:
		default:
			kind = assist.StepDo
		}
		if text == "" || len(out) >= playbook.Shown || alreadyStep(out, text) {
			continue
		}
		out = append(out, assist.NextStep{
			ID: fmt.Sprintf("%s/%d", suggestion, i+1), Kind: kind, Text: text, State: assist.StepTodo,
			Current: len(out) == 0, Policy: policyOf(hitNumber(hits, w.Passage)),
		})
	}
	return out
}

func alreadyStep(steps []assist.NextStep, text string) bool {
	for _, s := range steps {
		if playbook.Key(s.Text) == playbook.Key(text) {
			return true
		}
	}
	return false
}

// options are the ways the model sees; one that names no passage is not a way
// policy allows.
func (r reply) options(hits []assist.Hit, suggestion string) []assist.Option {
	var out []assist.Option
	for i, w := range r.Options {
		h := hitNumber(hits, w.Passage)
		title := safeLine(w.Title, hits)
		if h == nil || title == "" || len(out) == maxOptions {
			continue
		}
		detail, cost := safeLine(w.Detail, hits), safeLine(w.Cost, hits)
		if !vouched(title+". "+detail+". "+cost, *h) {
			continue
		}
		out = append(out, assist.Option{
			ID: fmt.Sprintf("%s/option/%d", suggestion, i+1), Title: title, Detail: detail, Cost: cost,
			Authority: safeLine(w.Authority, hits), Policy: policyOf(h),
		})
	}
	if len(out) < 2 {
		return nil // one way is no choice
	}
	return out
}

// anticipates keeps the unasked next question only if the passages carry it.
func (r reply) anticipates(hits []assist.Hit, turns []assist.Turn) string {
	text := safeLine(r.Anticipates, hits)
	if text == "" || slices.ContainsFunc(check.Text(text, hits, turns), func(v assist.Verdict) bool { return v.Outcome != assist.Pass }) {
		return ""
	}
	return text
}

// vouched reports whether a passage holds every fact of a text.
func vouched(text string, h assist.Hit) bool {
	for _, v := range check.Text(text, []assist.Hit{h}, nil) {
		if v.Check != "audience" {
			return false
		}
	}
	return true
}

// safeLine is one line of a model's text for the agent, "" if it holds a link,
// an image or markup that the knowledge does not.
func safeLine(s string, hits []assist.Hit) string {
	s = oneLine(s, maxLine)
	draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: s}})
	if len(check.Links(draft, hits, nil)) > 0 {
		return ""
	}
	return s
}

func policyOf(h *assist.Hit) assist.PolicyRef {
	if h == nil {
		return assist.PolicyRef{}
	}
	return assist.PolicyRef{DocumentID: h.DocumentID, PassageID: h.ID, Title: h.Title, Quote: h.Quote}
}

// oneLine makes a text one line of at most limit characters.
func oneLine(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.TrimSpace(cut(s, limit))
}
