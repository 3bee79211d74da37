package retrieve

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// How sure a match is depends on the knowledge. Where pages are much alike, a
// question that none of them answers still looks like several; where they are well
// parted, a weaker match tells as much. So the knowledge is asked its own
// sentences, each with its own document left out: whatever is then found is wrong,
// and how strong it looks is what a wrong match looks like here.
const (
	partedPages     = 300 // passages of the sample, spread over all
	partedQuestions = 250 // sentences that are asked
	partedRead      = 8   // best passages that are read for each
	partedFewest    = 8   // passages; fewer say nothing
	partedStale     = time.Hour

	// Wrong matches look stronger the more pages there are to choose from: by half
	// the logarithm of their number, in halves and quarters of five sets.
	partedBySize = 0.5
	// The strength from which on pages are as alike as the densest set's, and below
	// which the most parted ones are no better.
	partedNone, partedFull = 1.8, 1.3
)

// Sampler is an Index that can show a part of itself. A Retriever that searches
// one knows how well its pages are parted; others it takes for dense.
type Sampler interface {
	// Sample gives up to n current passages that the scope's audience may see,
	// spread evenly over all of them, and the same ones until they change.
	Sample(ctx context.Context, scope Scope, n int) ([]assist.Hit, error)
}

// parting remembers how well what one audience sees is parted.
type parting struct {
	mu    sync.Mutex // held while it is measured
	now   sync.Mutex // guards what follows
	known bool
	measured
	version  int64
	passages int
	at       time.Time
}

// measured is what the sample says of the knowledge.
type measured struct {
	parted float64        // how well its pages are parted, 0..1
	df     map[string]int // in how many passages of the sample a term occurs
	n      int            // passages of the sample
}

// idf is what a term tells, by the sample.
func (m measured) idf(term string) float64 { return idf(m.n, max(m.df[term], 1)) }

// parted says how well the pages that the scope's audience sees are parted. It is
// measured at the first search, and again when a tenth of the passages came or
// went, or an hour after any change; meanwhile other searches take the old figure.
func (r *Retriever) parted(ctx context.Context, scope Scope, l Lexicon) (measured, error) {
	sampler, ok := r.index.(Sampler)
	if !ok {
		return measured{}, nil
	}
	p := &r.partings[0]
	if scope.Audience == assist.AudienceInternal {
		p = &r.partings[1]
	}
	value, known, fresh := p.read(l)
	if fresh {
		return value, nil
	}
	if !known {
		p.mu.Lock()
	} else if !p.mu.TryLock() {
		return value, nil
	}
	defer p.mu.Unlock()
	if value, _, fresh = p.read(l); fresh {
		return value, nil // another search measured it meanwhile
	}
	hits, err := sampler.Sample(ctx, Scope{Audience: scope.Audience}, partedPages)
	if err != nil {
		return measured{}, fmt.Errorf("read a sample of the knowledge: %w", err)
	}
	value = measure(hits)
	p.now.Lock()
	defer p.now.Unlock()
	p.known, p.measured, p.version, p.passages, p.at = true, value, l.Version, l.Passages, time.Now()
	return value, nil
}

func (p *parting) read(l Lexicon) (value measured, known, fresh bool) {
	p.now.Lock()
	defer p.now.Unlock()
	changed := 10*max(l.Passages-p.passages, p.passages-l.Passages) > p.passages
	return p.measured, p.known, p.known && !changed && (p.version == l.Version || time.Since(p.at) < partedStale)
}

// measure measures a sample. It is parted by 0 where pages are much alike, by 1
// where they are well parted.
func measure(hits []assist.Hit) measured {
	s := newSample(hits)
	m := measured{n: len(hits), df: make(map[string]int, len(s.terms))}
	for t, id := range s.terms {
		m.df[t] = len(s.postings[id])
	}
	if len(hits) >= partedFewest {
		m.parted = min(max((partedNone-s.wrongStrength())/(partedNone-partedFull), 0), 1)
	}
	return m
}

// wrongStrength is how strong wrong matches look in the mean, as if there were one
// page to choose from.
func (s *sample) wrongStrength() float64 {
	asked := s.questions()
	sum := 0.0
	for _, q := range asked {
		sum += s.wrong(q)
	}
	return sum/float64(len(asked)) - partedBySize*math.Log(float64(len(s.hits)))
}

// sample is a small index in memory.
type sample struct {
	hits      []assist.Hit
	languages []string
	norms     []float64
	terms     map[string]int32
	postings  [][]posting
	pages     pages
}

type posting struct {
	hit   int
	count float64
}

type sampleQuestion struct {
	hit  int
	text string
}

func newSample(hits []assist.Hit) *sample {
	s := &sample{hits: hits, terms: map[string]int32{}, pages: newPages()}
	total := 0.0
	for i, h := range hits {
		language := lex.Language(h.Title + "\n" + h.Text)
		s.languages = append(s.languages, language)
		length := 0.0
		for _, t := range PassageTerms(h.Title, h.Heading, h.Text, language) {
			id, known := s.terms[t.Text]
			if !known {
				id = int32(len(s.postings))
				s.terms[t.Text] = id
				s.postings = append(s.postings, nil)
			}
			s.postings[id] = append(s.postings[id], posting{i, t.Weight})
			length += t.Weight
		}
		s.norms = append(s.norms, length)
		total += length
	}
	for i, length := range s.norms {
		s.norms[i] = BM25K * (1 - BM25B + BM25B*length*float64(len(hits))/max(total, 1))
	}
	return s
}

// questions are titles and sentences, spread over the sample.
func (s *sample) questions() []sampleQuestion {
	var all []sampleQuestion
	for i, h := range s.hits {
		all = append(all, sampleQuestion{i, h.Title})
		text := h.Text[:min(len(h.Text), likeBytes)]
		for _, span := range lex.Sentences(text) {
			all = append(all, sampleQuestion{i, span.In(text)})
		}
	}
	if len(all) <= partedQuestions {
		return all
	}
	spread := make([]sampleQuestion, partedQuestions)
	for i := range spread {
		spread[i] = all[i*len(all)/partedQuestions]
	}
	return spread
}

// wrong is the strength of the best match outside of the question's own document.
func (s *sample) wrong(asked sampleQuestion) float64 {
	own := s.hits[asked.hit].DocumentID
	q := plainQuestion(assist.Question{Text: asked.text, Language: s.languages[asked.hit]})
	l := Lexicon{Passages: len(s.hits), Terms: make(map[string]TermStat, len(q.Terms))}
	for _, t := range q.Terms {
		if id, known := s.terms[t.Text]; known {
			l.Terms[t.Text] = TermStat{ID: id, DF: len(s.postings[id])}
		}
	}
	w := weigh(q.Terms, l, math.MaxInt)
	scores := make([]float64, len(s.hits))
	for id, weight := range w.query.Weights {
		for _, p := range s.postings[id] {
			if s.hits[p.hit].DocumentID != own {
				scores[p.hit] += float64(weight) * p.count * (BM25K + 1) / (p.count + s.norms[p.hit])
			}
		}
	}
	order := make([]int, 0, len(s.hits))
	for i, score := range scores {
		if score > 0 {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
	var found []assist.Hit
	for _, i := range order[:min(len(order), partedRead)] {
		h := s.hits[i]
		h.Ranks.LexicalScore = scores[i]
		found = append(found, h)
	}
	if len(found) == 0 {
		return 0
	}
	first := s.pages.reread(q, found)
	return max(strength(signs{amount: first.words / idf(l.Passages, 1), like: first.like, cover: w.cover(q, s.pages.of(first.hit, q.Language), Memory{})}), 0)
}
