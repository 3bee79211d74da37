package retrieve

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// How what was learned counts. A passage's score is the share of the question
// that its words carry, plus trust × the share that the questions carry which it
// answered before, raised to LearnedPower, which makes light of chance overlaps.
// Trust grows with the evidence n: LearnedTrust·n/(n+LearnedHalf). Measured on
// ten sets together; evals/quality.txt has what each gains.
const (
	LearnedTrust = 0.7
	LearnedHalf  = 6.0
	LearnedPower = 1.25

	// LearnedK is the k1 of the learned vectors' BM25, whose b is 1: a word that
	// every third question says must not look like one that every question says.
	LearnedK = 10.0
)

// Learned is what the evidence of a passage and the share of the question that
// its learned words carry add to its score.
func Learned(evidence, share float64) float64 {
	if evidence <= 0 || share <= 0 {
		return 0
	}
	return LearnedTrust * evidence / (evidence + LearnedHalf) * math.Pow(share, LearnedPower)
}

// Learner keeps what replies teach.
type Learner interface {
	// Learn stores lessons, all or none, and says how many were new: the same
	// conversation and seq count once. Passages that are gone are left out.
	Learn(ctx context.Context, lessons []Lesson) (added int, err error)
	// Forget takes back everything learned from a conversation.
	Forget(ctx context.Context, conversation string) error
}

// Lesson is one answered question and the passages the answer stood on.
type Lesson struct {
	Conversation string
	Seq          int64 // of the reply
	At           time.Time
	Terms        []assist.Term // of the question, without what could name a person
	Grounds      []Ground

	// Doubtful are those of Terms that may be names: a Learner keeps them only
	// where the documents themselves use the word.
	Doubtful map[string]bool
}

// Ground is a passage that an answer stood on.
type Ground struct {
	Passage string
	Weight  float64 // how sure that is, above 0 to 1
}

const (
	lessonTerms  = 64  // heaviest terms of a question that are learned
	lessonWeight = 6.0 // sum of weights up to which a question counts in full
)

// NewLesson makes a lesson of the transcript as it was before the reply with the
// given seq. Names, numbers and addresses are left out. A long transcript says
// less by each of its words.
func NewLesson(conversation string, seq int64, turns []assist.Turn, grounds []Ground) Lesson {
	q := Listen(turns)
	if len(q.Terms) == 0 {
		q = plainQuestion(q)
	}
	private := privateTerms(turns, q.Language)
	l := Lesson{Conversation: conversation, Seq: seq, Grounds: grounds, Doubtful: doubtfulTerms(turns, q.Language)}
	for _, t := range q.Terms {
		if t.Weight > 0 && !private[t.Text] && !strings.ContainsFunc(t.Text, unicode.IsDigit) {
			l.Terms = append(l.Terms, t)
		}
	}
	slices.SortStableFunc(l.Terms, func(a, b assist.Term) int { return cmp.Compare(b.Weight, a.Weight) })
	l.Terms = l.Terms[:min(len(l.Terms), lessonTerms)]
	sum := 0.0
	for _, t := range l.Terms {
		sum += t.Weight
	}
	if sum > lessonWeight {
		for i := range l.Terms {
			l.Terms[i].Weight *= math.Sqrt(lessonWeight / sum)
		}
	}
	if n := len(turns); n > 0 {
		l.At = turns[n-1].At
	}
	return l
}

// privateTerms are the terms that may say who somebody is: the names of those
// who speak, what follows "my name is", what a customer answered when asked who
// they are, e-mail addresses, links and whatever has a digit in it.
func privateTerms(turns []assist.Turn, language string) map[string]bool {
	private := map[string]bool{}
	hide := func(text string) {
		for _, t := range lex.Terms(text, language) {
			private[t] = true
		}
	}
	asked := ""
	for i, t := range turns {
		hide(t.Name)
		for word := range strings.FieldsSeq(t.Text) {
			if strings.ContainsAny(word, "@0123456789") || strings.Contains(word, "://") || strings.HasPrefix(word, "www.") {
				hide(word)
			}
		}
		if t.Action != nil {
			for _, v := range t.Action.Values {
				hide(v)
			}
			continue
		}
		if t.Role != assist.RoleCustomer {
			asked = t.Text
			continue
		}
		for _, name := range introduced(t.Text) {
			hide(name)
		}
		if judge(t.Text, asked, i > 0) == identifies {
			for _, span := range lex.Words(t.Text) {
				if w := strings.ToLower(span.In(t.Text)); !ordinary(w) {
					hide(w)
				}
			}
		}
	}
	return private
}

// shortAnswer is the number of words up to which a customer's turn may be nothing
// but a name.
const shortAnswer = 4

// doubtfulTerms are words that look like names wherever they stand: written with a
// capital, or said by a customer in an answer of hardly more than a name.
func doubtfulTerms(turns []assist.Turn, language string) map[string]bool {
	doubtful := map[string]bool{}
	for i, t := range turns {
		words := lex.Words(t.Text)
		short := i > 0 && t.Role == assist.RoleCustomer && len(words) <= shortAnswer
		for _, span := range words {
			word := span.In(t.Text)
			first, _ := utf8.DecodeRuneInString(word)
			if unicode.IsUpper(first) || short {
				for _, term := range lex.Terms(word, language) {
					doubtful[term] = true
				}
			}
		}
	}
	return doubtful
}

// ordinary reports whether a word of an answer to "who are you" is no name.
func ordinary(word string) bool {
	_, courtesy := phrases[word]
	return courtesy || fillers[word] || identityWords[word] || boilerplate[word]
}

// introduced gives the up to three words that follow each "my name is".
func introduced(text string) []string {
	lower := strings.ToLower(text)
	var names []string
	for _, lead := range introductions {
		_, rest, ok := strings.Cut(lower, lead)
		for i := 0; ok && i < 3; i++ {
			var word string
			word, rest, _ = strings.Cut(strings.TrimSpace(rest), " ")
			name := strings.TrimFunc(word, unicode.IsPunct)
			if name == "" || ordinary(name) {
				break
			}
			names = append(names, name)
			if name != word {
				break // a comma or a point ends the name
			}
		}
	}
	return names
}
