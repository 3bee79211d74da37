package playbook

import (
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

// TestWordings holds every language to every sentence, with its blanks.
func TestWordings(t *testing.T) {
	en := wordings["en"]
	blanks := func(s string) int { return strings.Count(s, "%") }
	texts := func(w wording) []string {
		out := []string{w.ownPromise, w.ownAgain, w.own, w.fix, w.offer, w.lead, w.followUp, w.listen, w.askTheir, w.tooMuch, w.tooMuchUsed,
			w.notYours, w.notAGesture, w.yourLimit, w.moreThan, w.over, w.date, w.question, w.or}
		for _, p := range []Period{PeriodOrder, PeriodQuarter, PeriodYear} {
			out = append(out, w.periods[p])
		}
		for _, f := range facts {
			out = append(out, w.facts[f.id][0], w.facts[f.id][1])
		}
		return append(append(out, w.days[:]...), w.months[:]...)
	}
	want := texts(en)
	for language, w := range wordings {
		for i, s := range texts(w) {
			if s == "" || blanks(s) != blanks(want[i]) {
				t.Errorf("%s: %q stands for %q", language, s, want[i])
			}
		}
	}
}

func TestQuestionIn(t *testing.T) {
	tests := []struct{ language, step, want string }{
		{"de", "Fragen Sie nach der Bestellnummer.", "Könnten Sie mir bitte Ihre Bestellnummer schicken?"},
		{"fr", "Demandez le numéro de commande ou l'adresse e-mail.", "Pourriez-vous me donner votre adresse e-mail ou votre numéro de commande, s'il vous plaît ?"},
		{"es", "Pida el número de pedido.", "¿Podría darme su número de pedido, por favor?"},
		{"pt", "Peça o número do pedido.", "Poderia me dar o número do seu pedido, por favor?"},
		{"de", "Ask for the name or the order number.", "Könnten Sie mir bitte Ihre Bestellnummer oder Ihren Namen schicken?"},
		{"de", "Fragen Sie, was passiert ist.", ""},
		{"en", "Ask for the order number.", "Could you give me your order number, please?"},
		{"nl", "Vraag het ordernummer.", ""},
	}
	for _, tt := range tests {
		s := assist.NextStep{Kind: kindOf(tt.step), Text: tt.step}
		if got := QuestionIn(s, tt.language); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.language, tt.step, got, tt.want)
		}
	}
}

// TestRecoveryInFiveLanguages lets down a customer in each language.
func TestRecoveryInFiveLanguages(t *testing.T) {
	for language, said := range map[string]string{
		"en": "c: You promised a refund by Monday, this is unacceptable.", "de": "c: Mir wurde die Erstattung bis Montag versprochen, das ist eine Frechheit.",
		"fr": "c: Vous m'aviez promis un remboursement, c'est inadmissible.", "es": "c: Me prometieron el reembolso, es una vergüenza.",
		"pt": "c: Vocês prometeram o reembolso, isso é inaceitável.",
	} {
		c := caseOf(t, "", said)
		c.Language = language
		a := NewWeights().Advise(c)
		w := wordings[language]
		if len(a.Steps) < 3 || a.Steps[0].Text != w.ownPromise {
			t.Errorf("%s: %+v", language, a.Steps)
			continue
		}
		if last := a.Steps[len(a.Steps)-1].Text; !strings.Contains(last, w.day(NextWorkday(c.Now, 2))) {
			t.Errorf("%s: a follow-up with a date: %q", language, last)
		}
		if r := c.Authority.Rule("", "store_credit", 900000, nil, c.Now, "o"); !strings.Contains(r.Why(language), w.periods[PeriodQuarter]) {
			t.Errorf("%s: %q", language, r.Why(language))
		}
	}
}
