package playbook

import (
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// kindWords say what a step asks of the agent by how its main clause begins or
// what it contains, first match wins. A step that has to be asked for first is
// "ask", also when a button follows.
var kindWords = []struct {
	kind  assist.StepKind
	start []string
	holds []string
}{
	{assist.StepHandOff,
		[]string{"transfer", "escalate", "hand over", "hand off", "hand the", "forward the chat", "forward the customer",
			"übergeben sie", "leiten sie", "eskalieren", "transférez", "transmettez", "transfiera", "pase el chat", "escale", "transfira", "encaminhe"},
		[]string{"ask your lead", "ask a lead", "ask your manager", "ask your supervisor", "ask a supervisor", "to a supervisor", "to your manager", "to a manager"}},
	{assist.StepAsk,
		[]string{"ask ", "get the customer", "get their", "get full name", "get the full name", "get name", "get the name", "get the account", "get the order",
			"get the current", "request ", "collect ", "find out ", "get ",
			"fragen sie", "erfragen", "bitten sie", "demandez", "demander", "pida", "pedir", "pregunte", "solicite", "peça o", "peça a", "pergunte"},
		nil},
	{assist.StepSay,
		[]string{"tell ", "inform ", "explain ", "apologi", "thank ", "say ", "reassure ", "remind ", "communicate ", "communication", "acknowledge ", "advise ",
			"sagen sie", "erklären sie", "teilen sie", "informieren sie", "entschuldigen", "danken sie", "dites", "expliquez", "informez", "excusez", "remerciez",
			"diga", "explique", "informe", "agradezca", "discúlpese", "agradeça", "peça desculpa", "comunique"},
		[]string{" know that", "let them know", "let the customer know", "let the user know", "let her know", "let him know"}},
	{assist.StepOffer,
		[]string{"offer ", "propose ", "suggest ", "give the customer ", "give them ", "bieten sie", "offrez", "proposez", "ofrezca", "ofereça"},
		nil},
}

func kindOf(text string) assist.StepKind {
	clause := mainClause(text)
	for _, k := range kindWords {
		for _, w := range k.start {
			if strings.HasPrefix(clause, w) {
				return k.kind
			}
		}
		for _, w := range k.holds {
			if strings.Contains(clause, w) {
				return k.kind
			}
		}
	}
	return assist.StepDo
}

// mainClause gives the lower-case words that say what to do: without the marks
// in front ("(interaction) **[Update Order]**") and without a leading condition
// ("If the card was declined, …").
func mainClause(text string) string {
	s := strings.ToLower(Plain(text))
	for _, w := range []string{"first", "then", "next", "finally", "now", "please", "also"} {
		s = strings.TrimLeft(strings.TrimPrefix(s, w+" "), ", ")
		s = strings.TrimLeft(strings.TrimPrefix(s, w+","), ", ")
	}
	for _, w := range []string{"if ", "when ", "once ", "since ", "for ", "in case ", "before ", "after ", "to ", "as ", "wenn ", "falls ", "si ", "se ", "caso "} {
		if !strings.HasPrefix(s, w) {
			continue
		}
		if i := strings.Index(s, ", "); i > 0 {
			s = strings.TrimPrefix(s[i+2:], "then ")
		}
		break
	}
	return s
}

// Plain is a step's text to read: without emphasis, without a leading
// "(interaction)" and without the button named in front of its own sentence.
func Plain(text string) string {
	s := strings.NewReplacer("**", "", "__", "", "`", "").Replace(text)
	s = strings.Join(strings.Fields(s), " ")
	if strings.HasPrefix(s, "(") {
		if i := strings.IndexByte(s, ')'); i > 0 && i < 24 {
			s = strings.TrimSpace(s[i+1:])
		}
	}
	if strings.HasPrefix(s, "[") {
		if i := strings.IndexByte(s, ']'); i > 0 && i+1 < len(s) {
			if rest := strings.TrimLeft(s[i+1:], " :—–-."); rest != "" && s[i+1] != '(' && s[i+1] != '[' {
				s = rest
			}
		}
	}
	return s
}
