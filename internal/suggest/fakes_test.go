package suggest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/prompts"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// shelf is knowledge in memory: passages ranked by shared terms.
type shelf struct {
	docs   []assist.Document
	err    error
	during func(ctx context.Context) // called inside Search
}

func (s *shelf) Search(ctx context.Context, scope retrieve.Scope, q assist.Question) (retrieve.Result, error) {
	if s.during != nil {
		s.during(ctx)
	}
	if err := ctx.Err(); err != nil {
		return retrieve.Result{}, err
	}
	if s.err != nil {
		return retrieve.Result{}, s.err
	}
	res := retrieve.Result{KnowledgeVersion: 7}
	df := map[string]float64{}
	for _, d := range s.docs {
		for _, p := range d.Passages {
			seen := map[string]bool{}
			for _, t := range lex.Terms(d.Title+" "+p.Text, d.Language) {
				if !seen[t] {
					seen[t] = true
					df[t]++
				}
			}
		}
	}
	for _, d := range s.docs {
		if d.Audience != assist.AudiencePublic && scope.Audience != assist.AudienceInternal {
			continue
		}
		for _, p := range d.Passages {
			h := assist.Hit{Passage: p, Title: d.Title, Kind: d.Kind, Audience: d.Audience}
			terms := map[string]bool{}
			for _, t := range lex.Terms(d.Title+" "+p.Heading+" "+p.Text, d.Language) {
				terms[t] = true
			}
			for _, t := range q.Terms {
				if terms[t.Text] {
					h.Score += t.Weight / df[t.Text]
				}
			}
			best := -1.0
			for _, span := range lex.Sentences(p.Text) {
				score := 0.0
				for _, t := range lex.Terms(span.In(p.Text), d.Language) {
					for _, w := range q.Terms {
						if w.Text == t {
							score += w.Weight / df[t]
						}
					}
				}
				if score > best {
					best, h.Quote = score, span.In(p.Text)
				}
			}
			if h.Score > 0.3 {
				res.Hits = append(res.Hits, h)
			}
		}
	}
	for i := range res.Hits { // a small insertion sort: order of equals stays
		for j := i; j > 0 && res.Hits[j].Score > res.Hits[j-1].Score; j-- {
			res.Hits[j], res.Hits[j-1] = res.Hits[j-1], res.Hits[j]
		}
	}
	res.Weak = len(res.Hits) == 0
	return res, nil
}

func (s *shelf) Document(_ context.Context, scope retrieve.Scope, id string) (*assist.Document, error) {
	for _, d := range s.docs {
		if d.ID == id && (d.Audience == assist.AudiencePublic || scope.Audience == assist.AudienceInternal) {
			return &d, nil
		}
	}
	return nil, nil
}

func document(id, title string, kind assist.Kind, audience assist.Audience, language string, passages ...string) assist.Document {
	d := assist.Document{ID: id, Title: title, Kind: kind, Audience: audience, Language: language}
	for i, p := range passages {
		start := len(d.Body)
		d.Body += p + "\n\n"
		d.Passages = append(d.Passages, assist.Passage{ID: id + "-" + string(rune('a'+i)), DocumentID: id, Text: p, Start: start, End: start + len(p)})
	}
	return d
}

// shop is a small outdoor shop's knowledge.
func shop() *shelf {
	return &shelf{docs: []assist.Document{
		document("returns", "Returns", assist.KindPolicy, assist.AudiencePublic, "en",
			"## Return window\n\nYou can return unused items within 30 days of delivery. Refunds reach your card within 5 business days after we receive the return.",
			"## Defective items\n\n- **A product that fails in normal use within 90 days** is refunded in full, whatever the return window, also when the zipper or a seam of a jacket broke.\n- You don't need the original box."),
		document("goodwill", "Goodwill limits", assist.KindPolicy, assist.AudienceInternal, "en",
			"Agents may add store credit up to $25 per customer and quarter when something broke or arrived late. More than that needs the approval of a team lead."),
		document("shipping", "Shipping", assist.KindPolicy, assist.AudiencePublic, "en",
			"Standard shipping takes 3 to 5 business days and is free for orders above $50. Express shipping takes one business day and costs $12.",
			"If a package has not arrived after 7 days, we send it again at no charge. The tracking page is https://shop.example/track."),
		document("broken-return", "Returning something broken", assist.KindProcedure, assist.AudienceInternal, "en",
			"When a customer returns a jacket or another item that broke:\n\n1. **[Pull up Account]** Get the customer's full name or order number\n2. **[Validate Purchase]** Check the date of purchase\n3. **[Refund]** Refund it if it is within 90 days\n4. Tell the customer when the money arrives\n5. Ask your lead when it is older"),
		document("care", "Washing", assist.KindFAQ, assist.AudiencePublic, "en",
			"How do I wash a down jacket? Wash it at 30 degrees with a little mild detergent and dry it with two tennis balls. Never use fabric softener."),
		document("membership", "Membership", assist.KindFAQ, assist.AudiencePublic, "en",
			"Membership costs $20 a year. Members get free express shipping and early access to sales. You can cancel your membership at any time in your account. If a membership was charged twice, we return the second payment within 3 business days."),
		document("versand", "Versand", assist.KindFAQ, assist.AudiencePublic, "de",
			"Der Versand dauert drei bis fünf Werktage. Ab 50 € Bestellwert ist die Lieferung kostenlos."),
		document("retours", "Retours", assist.KindFAQ, assist.AudiencePublic, "fr",
			"Vous pouvez retourner un article non utilisé dans les 30 jours. Le remboursement de votre veste arrive sous 5 jours ouvrables."),
		document("devoluciones", "Devoluciones", assist.KindFAQ, assist.AudiencePublic, "es",
			"Puede devolver los artículos sin usar en un plazo de 30 días. El reembolso de la chaqueta llega a su tarjeta en 5 días hábiles."),
		document("trocas", "Trocas", assist.KindFAQ, assist.AudiencePublic, "pt",
			"Você pode devolver produtos não usados em até 30 dias. O reembolso da jaqueta chega ao seu cartão em 5 dias úteis."),
	}}
}

// watch writes down what a watcher is told, in order.
type watch struct {
	mu       sync.Mutex
	calls    []string
	text     strings.Builder
	passages assist.Suggestion
	instant  assist.Suggestion
	busy     bool
	clash    bool
	onDelta  func(n int)
	deltas   int
}

func (w *watch) enter() {
	w.mu.Lock()
	w.clash = w.clash || w.busy
	w.busy = true
	w.mu.Unlock()
}

func (w *watch) leave(call string) {
	w.mu.Lock()
	w.busy = false
	if n := len(w.calls); call != "delta" || n == 0 || w.calls[n-1] != "delta" {
		w.calls = append(w.calls, call)
	}
	w.mu.Unlock()
}

func (w *watch) Passages(s assist.Suggestion) { w.enter(); w.passages = s; w.leave("passages") }
func (w *watch) Instant(s assist.Suggestion)  { w.enter(); w.instant = s; w.leave("instant") }
func (w *watch) Delta(text string) {
	w.enter()
	w.text.WriteString(text)
	w.deltas++
	n := w.deltas
	w.leave("delta")
	if w.onDelta != nil {
		w.onDelta(n)
	}
}

func (w *watch) order() string { return strings.Join(w.calls, " ") }

func prompting(t testing.TB) *prompt.Set {
	t.Helper()
	set, err := prompt.Load(prompts.Files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func suggester(t testing.TB, k Knowledge, model llm.ChatModel) *Suggester {
	t.Helper()
	return New(Options{Knowledge: k, Model: model, Prompts: prompting(t)})
}

// talk makes turns of lines such as "c: hello", "a: hi", "do: pull-up-account".
func talk(lines ...string) []assist.Turn {
	var turns []assist.Turn
	for i, l := range lines {
		who, text, _ := strings.Cut(l, ": ")
		t := assist.Turn{Seq: int64(i + 1), Text: text}
		switch who {
		case "c":
			t.Role = assist.RoleCustomer
		case "a":
			t.Role = assist.RoleAgent
		case "do":
			t.Role, t.Text, t.Action = assist.RoleSystem, "", &assist.Action{Name: text}
		default:
			t.Role, t.Name = assist.RoleCustomer, who
		}
		turns = append(turns, t)
	}
	return turns
}

func momentOf(lines ...string) assist.Moment {
	turns := talk(lines...)
	return assist.Moment{SuggestionID: "s1", Conversation: "conv_1", ForSeq: int64(len(turns)), Turns: turns, Audience: assist.AudienceInternal}
}

// found always finds the same.
type found struct {
	*shelf
	result retrieve.Result
}

func (f found) Search(context.Context, retrieve.Scope, assist.Question) (retrieve.Result, error) {
	return f.result, nil
}

func scopeOf(m assist.Moment) retrieve.Scope { return retrieve.Scope{Audience: m.Audience} }
