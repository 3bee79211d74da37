package playbook

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

// twoPages are a page whose agents do otherwise than it says, and a new one.
func twoPages(t testing.TB) *Book {
	t.Helper()
	var procs []Procedure
	for id, body := range map[string]string{
		"lamp": "Use this when a lamp flickers.\n\n1. [Open Case] Open a case for the lamp.\n2. [Check Stock] Look for a bulb in stock.\n3. [Send Bulb] Send the bulb.\n",
		"tent": "Use this when a tent leaks.\n\n1. [Open Case] Open a case for the tent.\n2. [Book Repair] Book the repair of the seam.\n3. [Send Label] Send the label.\n",
	} {
		p, ok := Parse(assist.Document{ID: id, Title: id, Body: body})
		if !ok {
			t.Fatal("no steps")
		}
		procs = append(procs, p)
	}
	return NewBook(procs)
}

// lampChats are chats in which agents leave out the second step, and call the
// team, which the page does not name.
func lampChats(n int) (past []Past) {
	for i := range n {
		past = append(past, Past{Procedure: "lamp", Ended: true, Turns: talk(
			fmt.Sprintf("c: Hi, I'm Xavierrr%d and my reading lamp flickers, order 55512%d", i, i), "a: I'm sorry about your lamp.", "do: open-case",
			"c: thank you", "a: I will call the team", "do: call-team", "do: send-bulb", "a: Done, bye", "c: bye")})
	}
	return past
}

func press(f Forecast) string {
	if len(f.Buttons) == 0 {
		return ""
	}
	return Key(f.Buttons[0].Name)
}

func TestLearnOrder(t *testing.T) {
	b := twoPages(t)
	w := NewWeights()
	lamp := talk("c: my lamp flickers", "a: I'm sorry", "do: Open Case")
	tent := talk("c: my tent leaks", "a: I'm sorry", "do: Open Case")
	if got := press(w.Forecast(b, lamp, Clues{})); got != "checkstock" {
		t.Fatalf("nothing learned: the page's order, got %s", got)
	}
	report := w.Learn(b, lampChats(12))
	if report.Conversations != 12 || report.Steps != 12*7 || report.Skipped != 0 {
		t.Errorf("%+v", report)
	}
	if got := press(w.Forecast(b, lamp, Clues{})); got != "callteam" {
		t.Errorf("what agents did next is call-team, got %s", got)
	}
	f := w.Forecast(b, tent, Clues{})
	if f.Procedures[0].DocumentID != "tent" || press(f) != "bookrepair" {
		t.Errorf("a procedure nobody followed yet works from its text: %+v %s", f.Procedures, press(f))
	}
	if m := w.Forecast(b, lampChats(1)[0].Turns, Clues{}).Move(); m != MoveEnd {
		t.Errorf("after goodbye there is nothing left to do, got %s", m)
	}
}

func TestTakeAndLoad(t *testing.T) {
	b := twoPages(t)
	one, two := NewWeights(), NewWeights()
	one.Learn(b, lampChats(6))
	two.Load(one.Take())
	if len(one.Take()) != 0 {
		t.Error("taken twice")
	}
	turns := talk("c: my lamp flickers", "do: Open Case")
	x, y := one.Forecast(b, turns, Clues{}), two.Forecast(b, turns, Clues{})
	near := cmp.Comparer(func(a, b float64) bool { return a-b < 0.01 && b-a < 0.01 }) // tiny changes are not stored
	if d := cmp.Diff(x.Buttons, y.Buttons, near); d != "" {
		t.Errorf("another process, or the next start, forecasts otherwise:\n%s", d)
	}
}

// TestNothingPersonalIsLearned holds what is stored to words of pages and words
// that several conversations use, never with a digit in them.
func TestNothingPersonalIsLearned(t *testing.T) {
	b := twoPages(t)
	w := NewWeights()
	w.Learn(b, append(lampChats(5), Past{Procedure: "lamp", Turns: talk("c: I am Wilhelmina and my lamp flickers, card 4111111111111111", "do: open-case")}))
	w.Follow(b, talk("c: Cunegonde here, wilma@example.com", "do: open-case"))
	for name := range w.Take() {
		for _, bad := range []string{"xavierrr", "wilhelmina", "cunegonde", "wilma", "411111", "55512"} {
			if strings.Contains(name, bad) {
				t.Errorf("kept: %s", name)
			}
		}
	}
}

func TestFollow(t *testing.T) {
	b := twoPages(t)
	w := NewWeights()
	turns := talk("c: my lamp flickers", "a: sorry", "do: Open Case")
	for range 40 {
		w.Follow(b, append(turns[:3:3], talk("do: Send Bulb")...))
	}
	if got := press(w.Forecast(b, turns, Clues{})); got != "sendbulb" {
		t.Errorf("agents keep doing otherwise than the page, still %s", got)
	}
	w.Follow(b, nil)
	w.Follow(NewBook(nil), turns)
}

// BenchmarkAdvise is what next steps add to a suggestion: the sample company's
// procedures and 400 more, a chat of 20 turns.
func BenchmarkAdvise(b *testing.B) {
	book := company(b)
	procs := book.procs
	for i := range 400 {
		p := procs[i%18]
		p.DocumentID = fmt.Sprint(p.DocumentID, i)
		procs = append(procs, p)
	}
	lines := []string{}
	for range 10 {
		lines = append(lines, "c: The zipper of my jacket broke after one wear and I want to return it, this is ridiculous", "a: I'm sorry about that, may I have the order number, please?")
	}
	c := caseOf(b, "", lines...)
	c.Book = NewBook(procs)
	w := NewWeights()
	w.Learn(c.Book, []Past{{Procedure: "return-defective-item", Turns: c.Turns, Ended: true}})
	b.ResetTimer()
	for b.Loop() {
		w.Advise(c)
	}
}

// BenchmarkFollow is how long learning one step while running holds up
// forecasts.
func BenchmarkFollow(b *testing.B) {
	c := caseOf(b, "", "c: The zipper of my jacket broke after one wear and I want to return it", "a: I'm sorry about that, may I have the order number?",
		"c: WF-20417", "do: Pull Up Account", "a: Thank you, one moment please", "c: ok", "do: Validate Purchase")
	w := NewWeights()
	for b.Loop() {
		w.Follow(c.Book, c.Turns)
	}
}

// BenchmarkNextSteps is what next steps add to a suggestion, at the 95th
// percentile, at every moment of a whole chat: on the sample company's
// procedures, and on ABCD's with what 300 of its chats taught, where they are
// present. The bar is 3 ms.
func BenchmarkNextSteps(b *testing.B) {
	b.Run("company", func(b *testing.B) {
		c := caseOf(b, "")
		chat := talk("c: The zipper of my jacket broke after one wear and I want to return it, this is ridiculous", "a: I'm sorry about that, may I have the order number, please?",
			"c: WF-20417", "do: Pull Up Account", "c: and now? you promised an answer by Monday", "do: Validate Purchase", "a: Thank you. Could you send a photo?", "c: I can't send a photo", "do: Check Batch")
		at95(b, NewWeights(), c, [][]assist.Turn{chat})
	})
	b.Run("abcd", func(b *testing.B) {
		book, past := abcd(b, 300)
		w := NewWeights()
		w.Learn(book, past)
		c := caseOf(b, "")
		c.Book = book
		var chats [][]assist.Turn
		for _, p := range past[:50] {
			chats = append(chats, p.Turns)
		}
		at95(b, w, c, chats)
	})
}

func at95(b *testing.B, w *Weights, c Case, chats [][]assist.Turn) {
	var took []time.Duration
	for b.Loop() {
		for _, chat := range chats {
			for n := 1; n <= len(chat); n++ {
				c.Turns = chat[:n]
				began := time.Now()
				w.Advise(c)
				took = append(took, time.Since(began))
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// abcd reads real chats and their policies.
func abcd(b *testing.B, n int) (*Book, []Past) {
	var procs []Procedure
	for _, d := range policies(b) {
		if p, ok := Parse(d); ok {
			procs = append(procs, p)
		}
	}
	slices.SortFunc(procs, func(x, y Procedure) int { return strings.Compare(x.DocumentID, y.DocumentID) })
	f, err := os.Open(data(b, "abcd/conversations.jsonl"))
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	var past []Past
	for dec := json.NewDecoder(f); len(past) < n; {
		var c struct {
			Turns []struct {
				Role   string
				Text   string
				Action *struct{ Name string }
			}
		}
		if err := dec.Decode(&c); err != nil {
			b.Fatal(err)
		}
		p := Past{Ended: true}
		for _, t := range c.Turns {
			turn := assist.Turn{Role: assist.Role(t.Role), Text: t.Text}
			if t.Action != nil {
				turn.Role, turn.Action = assist.RoleSystem, &assist.Action{Name: t.Action.Name}
			}
			p.Turns = append(p.Turns, turn)
		}
		past = append(past, p)
	}
	return NewBook(procs), past
}
