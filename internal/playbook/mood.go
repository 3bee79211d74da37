package playbook

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// Mood is why a customer needs more than the next step, each with the words that
// say so. It is for agents: customers are never told how they sound.
type Mood struct {
	Upset   []string // they are angry or let down, at us
	Again   []string // they write about this for the second time or more
	Broken  []string // we did not keep what we said
	Contact int      // which contact this is, as far as they say: 2, 3, …; 0 unknown
}

// Needed reports whether to recover before anything else.
func (m Mood) Needed() bool { return len(m.Upset)+len(m.Again)+len(m.Broken) > 0 }

// Why says it in one line for the agent, in the customer's own words.
func (m Mood) Why() string {
	var parts []string
	for _, p := range []struct {
		about string
		words []string
	}{{"upset", m.Upset}, {"not the first contact", m.Again}, {"we did not keep our word", m.Broken}} {
		if len(p.words) > 0 {
			parts = append(parts, p.about+": “"+p.words[0]+"”")
		}
	}
	return strings.Join(parts, " · ")
}

// moodTurns is how many of the customer's last turns still say how they feel.
// What they said of earlier contacts holds for the whole chat.
const moodTurns = 3

// The patterns read lower-case text.
var (
	angry = regexp.MustCompile(`\b(angry|furious|livid|upset|outraged|fuming|ridiculous|unacceptable|terrible|awful|horrible|appalling|disgrace\w*|worst|disappoint\w*|frustrat\w*|annoy(ed|ing)|fed up|sick of|had enough|disgust\w*|a joke|useless|incompetent|outrageous|scam\w*|ripp?(ed|ing) (me )?off|rip-?off|nightmare|wasting my time|never (again|buy\w*|order\w*|shop\w*)|pathetic|pissed|damn|lousy|let down|wtf|bullshit|lawyer|` +
		`wütend|sauer|verärgert|unverschämt\w*|frechheit|enttäusch\w*|unfassbar|katastrophe|saftladen|reicht('s| es)? mir|` +
		`furieu\w*|suis (?:très |vraiment )?énerv\S*|inadmissible|inacceptable|honteu\w*|scandaleu\w*|déçue?|ras le bol|en colère|` +
		`furios[oa]|indignad[oa]|inaceptable|vergüenza|decepcionad[oa]|hart[oa] de|enfadad[oa]|enojad[oa]|pésim[oa]|` +
		`furios[oa]|inaceitável|vergonha|decepcionad[oa]|absurdo|péssim[oa]|cansad[oa] de|raiva)\b`)
	sarcasm = regexp.MustCompile(`(\bthanks? (you )?(so much )?for (nothing|wasting|ruining|losing|breaking|ignoring)|\bthanks a lot for (nothing|ruining|losing)|^\W*(oh,? |well,? |wow,? |just )+(great|wonderful|brilliant|lovely|fantastic|perfect|super)\b|\b(great|nice|good|fantastic|amazing|excellent|brilliant) (job|work|service)\b.*\b(broke\w*|lost|late|wrong|never|still|again|weeks?|nobody|nothing|missing|damaged)\b|\bwell done\b.*\b(broke\w*|lost|late|wrong|never|still|again)\b|\b(love|enjoy)(ing)? (waiting|being ignored|talking to (bots|robots))\b|\bslow clap\b|\bwhat a (surprise|joke)\b|^\W*(well,? )?so much for\b|\bsuper service\b.*\b(kaputt|wieder|nicht)\b|\bna toll\b|\bbravo\b.*\b(perdu|cassé|encore)\b|\bmerci pour rien\b|\bdanke für nichts\b|\bgracias por nada\b|\bobrigad[oa] por nada\b|\bqu[eé] (bien|bonito|maravilla|alegría|maravilha|bom|legal|lindo|ótimo)\b.*\b(otra vez|de nuevo|rot[oa]|tarde|perdid\w*|nunca|de novo|quebr\w*|atras\w*|errad\w*|cassée?|encore)\b|\bsuper\b.*\b(encore (cassé|perdu|en retard))|\bwie schön\b.*\b(wieder|kaputt|zu spät)\b)`)
	calm    = regexp.MustCompile(`\b(not|isn't|aren't|wasn't|never|no longer|nicht|kein\w*|pas|não|no)( estoy| estou| fiquei| me siento)? (at all |really |so |that |even |angry or |com |muy |tan |tão |mesmo )?$`)
	others  = regexp.MustCompile(`\b(my|our|the|his|her) (neighbou?r\w*|boss|wife|husband|partner|mother|mom|mum|father|dad|son|daughter|kids?|child\w*|friend\w*|ex|landlord|dog|cat|cats|brother|sister|colleague|coworker|roommate|airline|hotel|bank|weather|traffic|government|postman|other (shop|store|company))\b|\b(mein|meine) (nachbar\w*|chef\w*|frau|mann|freund\w*|mutter|vater)\b|\b(mon|ma) (voisin\w*|patron\w*|mari|femme|ami\w*)\b|\b(meu|minha) (vizinh[oa]|chefe|marido|esposa|mulher|amig[oa]|mãe|pai|irmã\S*|filh[oa])\b|\bmi (vecin[oa]|jef[ea]|marido|mujer|herman[oa])\b`)
	us      = regexp.MustCompile(`\b(you|your|you're|you've|you guys|this (company|shop|store|service|is)|customer service|support|sie|ihr|ihre\w*|vous|votre|vos|usted\w*|vocês?)\b`)
	again   = regexp.MustCompile(`(\b(second|third|fourth|fifth|sixth|2nd|3rd|4th|5th|\d+th) (message|email|e-mail|chat|call|contact|request|attempt|ticket)\b|\b(second|third|fourth|fifth|2nd|3rd|4th|\d+th|umpteenth) time (that )?(i|i'm|i am|i've|i have|we|we've|having)\b.{0,12}?\b(writ\w*|wrote|contact\w*|ask\w*|call\w*|messag\w*|chat\w*|tell\w*|told|explain\w*|complain\w*|reach\w*|had to)|\balready (wrote|written|told|asked|contacted|called|explained|emailed|chatted|reported)|\b(contacted|wrote|written to|called|emailed|messaged|asked|told) (you|support|you guys|customer service) (before|twice|already|again|last week|yesterday|several|many|three|two|four)|\bno(body| one) (has )?(ever )?(answered|replied|responded|got back|helped|called)|\bkeep (asking|writing|calling|explaining)|\b(twice|three times|four times|(second|third|fourth|2nd|3rd|4th|\d+th) time) (already|now|in a row)\b|\bnever (heard|got) (a |an |any )?(back|answer|reply|response)|\b(following|follow) up on my (last|previous|earlier)|` +
		`\bzum (zweiten|dritten|vierten|fünften|x-ten) mal|\bschon (mehrmals|zweimal|dreimal)|\bniemand (hat )?(geantwortet|antwortet|meldet)|\bbereits (geschrieben|angerufen)|` +
		`\b(deuxième|troisième|quatrième) (fois|message|mail)|\bpersonne (ne |n')?(m')?(a )?répond|\bdéjà (écrit|contacté|appelé)|` +
		`\b(segunda|tercera|cuarta|terceira|quarta) (vez|mensaje|mensagem)|\bnadie (me )?(ha )?(respond|contest)\w*|\bninguém (me )?respond\w*|\bya (les )?(escribí|llamé)|\bjá (escrevi|liguei))`)
	broken = regexp.MustCompile(`(\b(you|your (colleague|team|agent|support|website|site|company)|they|support|the agent|someone) (guys )?(said|told (me|us)|promised|guaranteed|assured (me|us)|swore|confirmed)\b.{0,60}\b(would|will|by|within|today|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|days?|weeks?|hours?)\b|\b(was|were|been|i'm|got) (told|promised|assured|guaranteed)\b|\b(broken|broke|empty|false) (your )?promises?\b|\bshould have (been (here|delivered|refunded|sent|shipped|credited)|arrived|come|shipped)\b|\b(was|were) (supposed|meant) to (arrive|be (here|delivered|refunded|sent)|come|call|hear|get)|\bpromised (refund|delivery|call|date|reply)|` +
		`\bversprochen|\bhätte(n)? .{0,30}(ankommen|kommen|da sein|geliefert) |\bzugesagt|` +
		`\b(vous (m')?(aviez|avez) (promis|dit que|assuré)|promis)\b|\b(me )?(prometieron|dijeron que)|\bprometid[oa]|\bprometeram|\b(disseram que))`)
	number = regexp.MustCompile(`\b(second|2nd|zweiten|deuxième|segunda|twice)\b|\b(third|3rd|dritten|troisième|tercera|terceira|three times|fourth|4th|fifth|5th|sixth|umpteenth|vierten|fünften|quatrième|cuarta|quarta|\d+th)\b`)
)

// Each match of again and broken holds one of these.
var (
	againHints = []string{"time", "message", "mail", "chat", "call", "contact", "request", "attempt", "ticket", "already", "asked", "told", "wrote", "written",
		"nobody", "no one", "keep ", "twice", "heard", "got back", "got a", "up on my", "mal", "niemand", "bereits", "fois", "personne", "déjà", "vez", "mensa", "nadie", "ninguém", "ya ", "já ", "got an"}
	brokenHints = []string{"said", "told", "promis", "guarant", "assur", "swore", "confirm", "should have", "suppos", "meant", "verspr", "hätte", "zugesagt", "dit", "promet", "dijeron", "disseram"}
)

// Feel reads the customer's turns. It sees words, not hearts: what it finds is
// shown to the agent, who decides.
func Feel(turns []assist.Turn) Mood {
	var m Mood
	left := moodTurns
	for i := len(turns) - 1; i >= 0; i-- {
		t := turns[i]
		if t.Role != assist.RoleCustomer {
			continue
		}
		text := strings.ReplaceAll(t.Text, "’", "'")
		if len(text) > 4000 {
			text = strings.ToValidUTF8(text[:4000], "")
		}
		for _, span := range lex.Sentences(text) {
			s := span.In(text)
			low := strings.ToLower(s)
			elsewhere := others.MatchString(low) && !us.MatchString(low)
			if left > 0 && !elsewhere {
				if w := upsetWords(s, low); w != "" {
					m.Upset = append(m.Upset, w)
				}
			}
			if w := find(again, againHints, low); w != "" && !elsewhere {
				m.Again = append(m.Again, clean(w))
				m.Contact = max(m.Contact, 2)
				for _, g := range number.FindAllStringSubmatch(w, -1) {
					if g[2] != "" {
						m.Contact = 3
					}
				}
			}
			if w := find(broken, brokenHints, low); w != "" && !elsewhere {
				m.Broken = append(m.Broken, clean(w))
			}
		}
		left--
	}
	return m
}

// find is a pattern's first match in a text that holds one of its hints: looking
// for plain words first is many times faster.
func find(pattern *regexp.Regexp, hints []string, low string) string {
	if !slices.ContainsFunc(hints, func(h string) bool { return strings.Contains(low, h) }) {
		return ""
	}
	return pattern.FindString(low)
}

// upsetWords gives the words of a sentence that sound angry, "" when none do.
// low is the sentence in lower case.
func upsetWords(s, low string) string {
	if sarcasm.MatchString(low) {
		return clean(s)
	}
	for _, at := range angry.FindAllStringIndex(low, -1) {
		if calm.MatchString(low[:at[0]]) && !strings.HasPrefix(low[at[0]:], "never") {
			continue
		}
		return low[at[0]:at[1]]
	}
	if shouts(s) {
		return clean(s)
	}
	return ""
}

// shouts reports whether a sentence is written in capitals, as more than an
// order's number or an abbreviation.
func shouts(s string) bool {
	loud, all := 0, 0
	for _, w := range lex.Words(s) {
		word := w.In(s)
		letters, upper := 0, 0
		for _, r := range word {
			if unicode.IsLetter(r) {
				letters++
				if unicode.IsUpper(r) {
					upper++
				}
			} else if unicode.IsDigit(r) {
				letters = -100
			}
		}
		if letters < 2 {
			continue
		}
		all++
		if letters == upper {
			loud++
		}
	}
	return loud >= 4 && loud*3 >= all*2
}

func clean(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 90 {
		s = string(r[:90]) + "…"
	}
	return strings.Trim(s, " .,!")
}
