package playbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

// pages are procedures as different houses write them.
func pages(t testing.TB) *Book {
	t.Helper()
	files, err := filepath.Glob("testdata/pages/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no pages", err)
	}
	var procs []Procedure
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		d := assist.Document{ID: strings.TrimSuffix(filepath.Base(f), ".md"), Body: string(data), Kind: assist.KindProcedure, Language: "en"}
		if d.ID == "umtausch" {
			d.Language = "de"
		}
		d.Title = strings.TrimPrefix(strings.SplitN(d.Body, "\n", 2)[0], "# ")
		p, ok := Parse(d)
		if !ok {
			t.Fatalf("%s: no steps", f)
		}
		for _, s := range p.Steps {
			if d.Body[s.Start:s.End] != s.Text {
				t.Errorf("%s: %q is not where it says", s.ID, s.Text)
			}
			for _, c := range s.Conditions {
				if d.Body[c.Start:c.End] != c.Text {
					t.Errorf("%s: %q is not where it says", s.ID, c.Text)
				}
			}
		}
		procs = append(procs, p)
	}
	return NewBook(procs)
}

func TestStyles(t *testing.T) {
	b := pages(t)
	want := map[string][]string{
		"late-delivery":    {"1 Find Order", "2 Track Shipment", "3 ", "4 Carrier Inquiry", "5 "},
		"lost-parcel":      {"1 ", "2 Verify Address", "3 ", "4 Close Case"},
		"chargeback":       {"a ", "b ", "c Open Dispute", "d ", "e Add Note", "f "},
		"account-recovery": {"1 ", "2 Send Code", "3 ", "4 ", "5 Reset Login"},
		"umtausch":         {"1 ", "2 Bestellung öffnen", "3 Rücksendeetikett senden", "4 "},
		"opening-hours":    {"1 ", "2 Check Register", "3 "},
		"handbook":         {"1 Check Balance", "2 ", "3 "},
	}
	for id, steps := range want {
		p, ok := b.Procedure(id)
		if !ok {
			t.Errorf("%s is not there", id)
			continue
		}
		var got []string
		for _, s := range p.Steps {
			got = append(got, s.Label+" "+strings.Join(s.Actions, ","))
		}
		if d := cmp.Diff(steps, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", id, d)
		}
	}
}

func TestReferences(t *testing.T) {
	b := pages(t)
	got := map[string][]string{}
	for i, p := range b.procs {
		for j, s := range p.Steps {
			for k, r := range s.Refs {
				to := "end"
				switch r.Kind {
				case RefStep:
					to = p.Steps[r.Step].Label
				case RefProcedure:
					at, ok := b.leads[place{i, j, k}]
					if !ok {
						continue
					}
					to = b.procs[at].DocumentID
				}
				got[p.DocumentID] = append(got[p.DocumentID], fmt.Sprintf("%s→%s (%s)", s.Label, to, r.If))
			}
		}
	}
	want := map[string][]string{
		"late-delivery":    {"2→5 (If the parcel was returned to us)", "2→end (If the customer has waited less than 5 business days)", "4→lost-parcel (The carrier lost the parcel)"},
		"lost-parcel":      {"4→end ()"},
		"chargeback":       {"b→e (If the payment was made more than 120 days ago)"},
		"account-recovery": {"3→5 (If the customer lost the phone)"},
		"umtausch":         {"2→4 (Wenn der Kauf mehr als 30 Tage zurückliegt)", "4→end ()"},
		"circle-one":       {"2→circle-two ()"},
		"circle-two":       {"2→circle-one ()"},
		"handbook":         {"2→end (If the card has expired)"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestProblems(t *testing.T) {
	var got []string
	for _, p := range pages(t).Problems() {
		got = append(got, fmt.Sprintf("%s:%d: %s", p.DocumentID, p.Line, p.Text))
	}
	want := []string{
		"chargeback:11: there is no procedure “Closing a contact”",
		"chargeback:11: there is no procedure “Fraud desk”",
		"circle-two:4: this goes in a circle: “Circle one” leads back here",
		"late-delivery:31: there is no step 9 on this page",
		"opening-hours:5: there is no procedure “Lost keys”",
	}
	seen := map[string]bool{}
	for _, g := range got {
		seen[g] = true
	}
	for _, w := range want {
		if !seen[w] {
			t.Errorf("not told: %s", w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %q", got)
	}
	if p := company(t).Problems(); len(p) != 0 {
		t.Errorf("the sample company's procedures: %+v", p)
	}
}

// TestFollow plays what was said against the pages: x done, - skipped by a
// branch, ! impossible, * current.
func TestFollowPage(t *testing.T) {
	b := pages(t)
	tests := map[string]struct {
		page string
		said []string
		want string
		why  string // part of the reason on the first step that has one
	}{
		"a branch that the customer's words decide": {"late-delivery", []string{"c: I have been waiting for my parcel", "do: Find Order", "a: I can see the parcel was returned to us.", "do: Track Shipment"},
			"late-delivery: x1 x2 -3 -4 *5", "the parcel was returned to us"},
		"a branch that nobody spoke of": {"late-delivery", []string{"c: where is my parcel?", "do: Find Order", "do: Track Shipment"}, "late-delivery: x1 x2 *3 4 5", ""},
		"a question decides nothing":    {"late-delivery", []string{"c: where is it? was the parcel returned to you?", "do: Find Order", "do: Track Shipment"}, "late-delivery: x1 x2 *3 4 5", ""},
		"a table sends on to another page": {"late-delivery", []string{"c: where is my parcel?", "do: Find Order", "do: Track Shipment", "a: Did a neighbour take it?", "c: no", "do: Carrier Inquiry", "a: The carrier lost the parcel."},
			"lost-parcel: *1 2 3 4", "The carrier lost the parcel"},
		"stop here": {"late-delivery", []string{"c: I have only been waiting for 2 days", "do: Find Order", "do: Track Shipment"}, "late-delivery: x1 x2 -3 -4 -5", "waiting for 2 days"},
		"a length of time rules out nothing yet, the branch is not reached": {"chargeback", []string{"c: I paid 10 days ago and want to dispute it"}, "chargeback: *a b c d e f", ""},
		"a lettered branch": {"chargeback", []string{"c: The payment was made 6 months ago.", "a: And the last four digits of the card?", "c: 4419"}, "chargeback: xa xb -c -d *e f", "6 months ago"},
		"a fact that was refused": {"chargeback", []string{"c: I want to dispute a payment", "do: Open Dispute", "a: Could you send a photo of the receipt?", "c: No, I threw the receipt away."},
			"chargeback: xa xb xc !d *e f", "I threw the receipt away"},
		"a table of steps":      {"account-recovery", []string{"c: I lost the phone and cannot log in"}, "account-recovery: *1 2 3 4 5", ""},
		"a branch after a step": {"account-recovery", []string{"c: I have lost the phone.", "do: Send Code"}, "account-recovery: x1 x2 x3 -4 *5", "I have lost the phone"},
		"German":                {"umtausch", []string{"c: Ich habe die Jacke vor 3 Monaten gekauft.", "do: Bestellung öffnen"}, "umtausch: x1 x2 -3 *4", "vor 3 Monaten"},
		"a circle ends":         {"circle-one", []string{"c: hello", "do: Look Left", "do: Look Right"}, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := b.Procedure(tt.page)
			got, w := (Case{Book: b, Turns: talk(tt.said...)}).walk(p, false)
			line, why, current := got.DocumentID+":", "", false
			for i, s := range got.Steps {
				mark := map[assist.StepState]string{assist.StepDone: "x", assist.StepSkipped: "-", assist.StepImpossible: "!"}[w.states[i]]
				if w.states[i] == assist.StepTodo && !current {
					current, mark = true, "*"
				}
				line += " " + mark + s.Label
				if why == "" {
					why = w.why[i]
				}
			}
			if why == "" {
				why = w.reason
			}
			if tt.want != "" && line != tt.want || !strings.Contains(why, tt.why) {
				t.Errorf("got  %s\nwant %s\nwhy %q, want %q", line, tt.want, why, tt.why)
			}
		})
	}
}

// TestEvidence holds conditions against what was said.
func TestEvidence(t *testing.T) {
	tests := []struct {
		cond, said string
		lang       string
		want       int
	}{
		{"If it was delivered more than 90 days ago", "c: it was delivered 4 months ago", "en", 1},
		{"If it was delivered more than 90 days ago", "c: It arrived two weeks ago.", "en", -1},
		{"If it was delivered more than 90 days ago", "c: I bought it last month", "en", -1},
		{"If it was delivered more than 90 days ago", "c: Was it delivered 4 months ago?", "en", 0},
		{"If the item was bought within 30 days", "c: I bought it 8 weeks ago", "en", -1},
		{"unless the item was bought within 30 days", "c: I bought it 8 weeks ago", "en", 1},
		{"If the customer has lost the receipt", "c: I have lost my receipt", "en", 1},
		{"If the customer has the receipt", "c: hello there", "en", 0},
		{"If the batch is listed", "a: The batch is not listed.", "en", -1},
		{"If the batch is listed", "a: The batch is listed.", "en", 1},
		{"wenn der Kauf mehr als 30 Tage zurückliegt", "c: gekauft vor zwei Monaten", "de", 1},
		{"si la commande a été livrée il y a plus de 30 jours", "c: livrée il y a deux mois", "fr", 1},
		{"si el pedido llegó hace más de 30 días", "c: llegó hace dos meses", "es", 1},
		{"se o pedido chegou há mais de 30 dias", "c: chegou há dois meses", "pt", 1},
	}
	for _, tt := range tests {
		if got := evidenceOf(talk(tt.said), tt.lang).of(tt.cond); got.says != tt.want {
			t.Errorf("%q, said %q: %d, want %d (%q)", tt.cond, tt.said, got.says, tt.want, got.words)
		}
	}
}
