package retrieve

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// Why a question is quiet: there is nothing to look up.
const (
	QuietEmpty    = "nothing said yet"
	QuietGreeting = "greeting"
	QuietThanks   = "thanks"
	QuietGoodbye  = "goodbye"
	QuietOK       = "acknowledgement"
	QuietWait     = "asks to wait"
	QuietIdentity = "says who they are"
	QuietDone     = "needs nothing more"
)

// listening are the weights of what was said. The values were measured on
// several sets of real dialogues; see measure_test.go.
type listening struct {
	customer float64 // an earlier turn of the customer's, at age 0
	agent    float64 // an agent's or bot's turn, at age 0
	asked    float64 // the agent's question to which the last turn is only an answer
	decay    float64 // per turn of age
	opening  float64 // the customer's first need, however old it is: what the chat is about
	before   float64 // share that is left of what was said before the topic changed
	most     float64 // of one term, however often it was said
}

var listens = listening{customer: 0.5, agent: 0.6, asked: 0.8, decay: 0.75, opening: 0.1, before: 0.15, most: 2}

// maxListened is how many turns back Listen looks, besides the first need: older
// ones weigh nothing.
const maxListened = 30

// longTurn is the number of terms from which on an agent's turn is an answer
// being explained, of which each word says less about what comes next.
const longTurn = 5

// Listen makes the question of a transcript, oldest turn first: what the customer
// needs now, with the words that were said on the way, the older the lighter.
// The customer's last messages in a row are one turn. A message that only
// greets, thanks or agrees is quiet; one that only answers what the agent asked
// ("yes", a name, an order number) leaves the need that was open in its place.
// A quiet question still has the terms of what is open, for whoever asks all the
// same. These are rules, never a model: the same transcript is always the same question.
func Listen(turns []assist.Turn) assist.Question { return listen(turns, listens) }

func listen(turns []assist.Turn, weights listening) assist.Question {
	said := gather(turns)
	q := assist.Question{Language: lex.Language(customerText(said))}
	if len(said) == 0 {
		q.Quiet = QuietEmpty
		return q
	}
	last := len(said) - 1
	if said[last].role != assist.RoleCustomer {
		// The agent spoke last: the question is still the one before.
		for last > 0 && said[last].role != assist.RoleCustomer {
			last--
		}
		if said[last].role != assist.RoleCustomer {
			q.Quiet = QuietEmpty
			return q
		}
	}
	asked := ""
	if last > 0 {
		asked = said[last-1].text
	}
	need := last
	kind := judge(said[last].text, asked, last > 0)
	switch kind {
	case says:
	case answers, identifies:
		need = openNeed(said, last)
		switch {
		case need < 0 && kind == identifies:
			q.Text, q.Quiet = said[last].text, QuietIdentity
			return q
		case need < 0:
			need = last
		}
	default:
		q.Text, q.Quiet = said[last].text, quiets[kind]
		if need = openNeed(said, last); need < 0 {
			return q
		}
	}
	if q.Quiet == "" {
		q.Text = said[need].text
	}

	names := map[string]bool{}
	for i, s := range said {
		if i > 1 && (s.name == said[i-1].name || s.name == said[i-2].name) {
			continue // two take turns
		}
		for _, n := range lex.Terms(s.name, q.Language) {
			names[n] = true
		}
	}
	topic := topicStart(said, need)
	opening := firstNeed(said, topic)
	bag := terms{weight: map[string]float64{}, most: weights.most}
	own := terms{weight: map[string]float64{}, most: weights.most}
	before := map[string]bool{}
	for i := len(said) - 1; i >= 0; i-- {
		if len(said)-i > maxListened && i != opening {
			continue
		}
		age := float64(max(last-i, 0))
		w := 0.0
		switch {
		case i == need || i == last && kind == answers:
			w = 1
		case i == last:
			continue // names and numbers find nothing
		case said[i].role == assist.RoleCustomer:
			w = weights.customer * math.Pow(weights.decay, age)
		case i == last-1 && kind == answers:
			w = weights.asked
		default:
			w = weights.agent * math.Pow(weights.decay, age)
		}
		if i == opening {
			w = max(w, weights.opening)
		}
		if i < topic {
			w *= weights.before
		}
		heard := hear(said[i].text, q.Language, i == need)
		if said[i].role != assist.RoleCustomer && len(heard) > longTurn {
			w *= math.Sqrt(float64(longTurn) / float64(len(heard)))
		}
		for _, t := range heard {
			if names[t] {
				continue
			}
			bag.add(t, w)
			if i == need {
				own.add(t, w)
			} else {
				before[t] = true
			}
		}
	}
	q.Terms = bag.list()
	if need == last && standsAlone(own, before) && !pointsBack(q.Text) {
		q.Own = own.list()
	}
	return q
}

// A message of so many words, less than that share of which were said before, may
// be about something else, whether it says so or not. Search finds out.
const (
	ownTerms = 4
	ownSaid  = 0.5
)

// standsAlone says whether a message may be searched for by its own words alone.
func standsAlone(own terms, before map[string]bool) bool {
	n := 0
	for _, t := range own.order {
		if before[t] {
			n++
		}
	}
	return len(before) > n && len(own.order) >= ownTerms && float64(n) < ownSaid*float64(len(own.order))
}

// topicStart is the last turn, up to the need, in which the customer turned to
// something else in so many words, without pointing back. 0 if the topic never
// changed. That the agent asked for more, or that no word is shared with what was
// said, tells nothing: most such questions are about the same product.
func topicStart(said []utterance, need int) int {
	for i := need; i > 0; i-- {
		if said[i].role == assist.RoleCustomer && turnsAway(said[i].text) && !pointsBack(said[i].text) && judge(said[i].text, said[i-1].text, true) == says {
			return i
		}
	}
	return 0
}

// firstNeed is the first turn from i on in which the customer really said
// something, -1 if there is none.
func firstNeed(said []utterance, i int) int {
	for ; i < len(said); i++ {
		if said[i].role == assist.RoleCustomer && judge(said[i].text, "", i > 0) == says {
			return i
		}
	}
	return -1
}

// hear gives the terms of a turn, without those of its courteous sentences
// unless all of it is to be heard.
func hear(text, language string, all bool) []string {
	var heard []string
	for _, span := range lex.Sentences(text) {
		if sentence := span.In(text); all || !courtesy(sentence) {
			heard = append(heard, lex.Terms(sentence, language)...)
		}
	}
	return heard
}

// utterance is one turn, or several in a row of one side.
type utterance struct {
	role assist.Role
	name string
	text string
}

// gather leaves out actions and notes, which are not speech, and joins what the
// customer wrote in a row. Courtesies in a burst are dropped when it says more.
func gather(turns []assist.Turn) []utterance {
	var said []utterance
	for _, t := range turns {
		if t.Role == assist.RoleSystem || t.Action != nil || strings.TrimSpace(t.Text) == "" {
			continue
		}
		if n := len(said); n > 0 && t.Role == assist.RoleCustomer && said[n-1].role == t.Role {
			switch prev := &said[n-1]; {
			case courtesy(t.Text) && !asks(t.Text):
			case courtesy(prev.text):
				prev.text = t.Text
			default:
				prev.text += "\n" + t.Text
			}
			continue
		}
		said = append(said, utterance{t.Role, t.Name, t.Text})
	}
	return said
}

func customerText(said []utterance) string {
	var b strings.Builder
	for i := len(said) - 1; i >= 0 && b.Len() < 2000; i-- {
		if said[i].role == assist.RoleCustomer {
			b.WriteString(said[i].text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// openNeed is the last thing before turn i that the customer really said, -1 if
// there is none.
func openNeed(said []utterance, i int) int {
	for i--; i >= 0; i-- {
		if said[i].role != assist.RoleCustomer {
			continue
		}
		asked := ""
		if i > 0 {
			asked = said[i-1].text
		}
		if judge(said[i].text, asked, i > 0) == says {
			return i
		}
	}
	return -1
}

// terms adds up weights, in the order in which terms were first met.
type terms struct {
	weight map[string]float64
	order  []string
	most   float64
}

func (b *terms) add(t string, w float64) {
	old, known := b.weight[t]
	if !known {
		b.order = append(b.order, t)
	}
	b.weight[t] = min(old+w, b.most)
}

func (b *terms) list() []assist.Term {
	list := make([]assist.Term, 0, len(b.order))
	for _, t := range b.order {
		list = append(list, assist.Term{Text: t, Weight: math.Round(b.weight[t]*1000) / 1000})
	}
	return list
}

// speech is what a customer's turn does.
type speech int

const (
	says       speech = iota // something to find an answer to
	answers                  // a bare yes, no or such to the agent's question
	identifies               // a name, number or address
	greets
	thanks
	leaves
	agrees
	waits
	done
)

var quiets = map[speech]string{greets: QuietGreeting, thanks: QuietThanks, leaves: QuietGoodbye,
	agrees: QuietOK, waits: QuietWait, done: QuietDone}

// judge says what a customer's turn does, given what the agent said before it.
func judge(text, asked string, afterAgent bool) speech {
	var met [done + 1]int
	var plain, rest, odd int // stop words, other words, words that look like names or ids
	requests := identityAsked(asked)
	left := text
	if len(text) <= longSaying && !strings.Contains(text, "?") {
		left = strings.ReplaceAll(text, "’", "'")
		for _, s := range sayings {
			for s.said.MatchString(left) { // two that stand side by side share the space between
				met[s.kind]++
				left = s.said.ReplaceAllString(left, " ")
			}
		}
	}
	for _, w := range strings.FieldsFunc(strings.ToLower(left), func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
		if strings.ContainsRune(w, '@') {
			met[identifies]++
			odd++
			continue
		}
		for _, s := range lex.Words(w) {
			word := strings.ReplaceAll(s.In(w), "’", "'")
			if _, known := phrases[word]; !known {
				word = unstretched(word)
			}
			switch kind, known := phrases[word]; {
			case known:
				met[kind]++
			case strings.ContainsAny(word, "0123456789"):
				met[identifies]++
				odd++
			case identityWords[word]:
				plain++
				met[identifies]++
			case fillers[word]:
				plain++
			default:
				rest++
			}
		}
	}
	question := strings.Contains(text, "?")
	total := rest + odd + plain
	for _, n := range met {
		total += n
	}
	switch {
	case total == 0 && question:
		return answers
	case total == 0:
		return agrees // only marks, an emoji
	case question && (rest > 0 || met[identifies] > 0):
		return says
	case rest == 0 && odd == 0 && met[identifies] == 0 && asks(text):
		return answers // or asks, where nothing is open
	case rest == 0 && odd == 0 && met[identifies] == 0 && total <= 25:
		return courteous(met, plain, asked, afterAgent, refuses(text))
	case afterAgent && !question && rest+odd <= 3 && refuses(text) && anythingElse(asked) && !problem(text):
		return done
	case requests && rest <= 4 && rest+odd <= 10 && !problem(text):
		return identifies
	case afterAgent && rest == 0 && odd > 0:
		return identifies
	case introduces(text) && rest+odd <= 3:
		return identifies
	}
	return says
}

// longSaying is the length in bytes from which on a turn is not only courteous.
const longSaying = 160

// refuses reports whether a turn begins with a no.
func refuses(text string) bool {
	words := lex.Words(text)
	return len(words) > 0 && slices.Contains([]string{"no", "nope", "nah", "nein", "non", "não"}, strings.ToLower(words[0].In(text)))
}

// unstretched is a word without the letters it was drawn out by: "hiii" is "hi".
func unstretched(word string) string {
	var out []rune
	runes := []rune(word)
	for i := 0; i < len(runes); {
		j := i
		for j < len(runes) && runes[j] == runes[i] {
			j++
		}
		if n := j - i; n > 2 && unicode.IsLetter(runes[i]) {
			out = append(out, runes[i])
		} else {
			out = append(out, runes[i:j]...)
		}
		i = j
	}
	return string(out)
}

// courteous names a turn made of nothing but courtesies and small words.
func courteous(met [done + 1]int, plain int, asked string, afterAgent, refuses bool) speech {
	askedMore := afterAgent && anythingElse(asked)
	open := afterAgent && strings.ContainsRune(asked, '?') && !askedMore
	bare := met[greets]+met[thanks]+met[leaves]+met[agrees]+met[waits]+met[done] == 0
	switch {
	case met[done] > 0 && (!open || met[answers] == 0 || refuses):
		return done // but "yes, that's it" is an answer
	case askedMore && (met[answers] > 0 || bare):
		return done
	case met[waits] > 0:
		return waits
	case open && (met[answers] > 0 || bare || met[agrees] > 0):
		return answers
	case met[thanks] > 0:
		return thanks
	case met[leaves] > 0:
		return leaves
	case met[greets] > 0:
		return greets
	case bare && plain > 0:
		return answers // "why not", "and then": it hangs on what was said
	}
	return agrees
}

// asksLeast is how many words a question of small words alone must have.
const asksLeast = 4

// asks reports whether a text has a question of small words only, none of them a
// courtesy: "Does it do anything else?" after a greeting is no small talk. Shorter
// ones ("is it?") hang on what was said.
func asks(text string) bool {
	for _, span := range lex.Sentences(text) {
		sentence := span.In(text)
		if !strings.HasSuffix(strings.TrimRight(sentence, " !"), "?") {
			continue
		}
		words := lex.Words(sentence)
		polite := slices.ContainsFunc(words, func(s lex.Span) bool {
			_, known := phrases[strings.ToLower(s.In(sentence))]
			return known
		})
		if len(words) >= asksLeast && !polite {
			return true
		}
	}
	return false
}

// courtesy reports whether a sentence only greets, thanks, agrees or offers help:
// no search should see its words.
func courtesy(sentence string) bool {
	for _, s := range lex.Words(strings.ToLower(sentence)) {
		w := strings.ReplaceAll(s.In(strings.ToLower(sentence)), "’", "'")
		if _, known := phrases[w]; !known && !fillers[w] && !boilerplate[w] {
			return false
		}
	}
	return true
}
