package retrieve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/llm"
)

// Options tune a Retriever. The zero value is what was measured to work.
type Options struct {
	Budget       int           // candidate passages that may be looked at, about; 0: 10,000
	EmbedTimeout time.Duration // how long a search waits for the question's vector; 0: 150 ms
	DenseWeight  float64       // of vectors beside words, above 0 to below 1; 0: 0.5
	PerDocument  int           // most hits of one document; 0: 3
	WeakBelow    float64       // evidence under which a result is weak, 0..1; 0: DefaultWeakBelow, negative: never
	CacheSize    int           // question vectors kept, per model; 0: 512

	// Earlier gives the embedder of a model that the knowledge still has all
	// vectors of, while those of the current one are being made; nil where there
	// is none. Without it such questions are searched by words alone.
	Earlier func(model string) llm.Embedder
}

// The shipped thresholds of the evidence.
const (
	// DefaultWeakBelow is the evidence that a result must have to be put before an
	// agent as an answer. It is low on purpose: silence on a question that the
	// knowledge answers costs more than a weak passage that an agent can see is
	// weak. TestWeak prints what each threshold keeps and stops on real questions.
	DefaultWeakBelow = 0.08

	// DefaultAnswerFrom is the evidence from which a bot may answer a customer with
	// nobody watching. Of the questions without an answer of three sets at most one in
	// twenty gets one, before and after learning; of the others 0.42 do (banking77:
	// pages much alike, strangers' questions near them), 0.50 (hint3-sofmattress) and
	// 0.73 (clinc150), and 0.46, 0.50 and 0.81 after learning. Questions that lie nearer to the pages than those of well-parted
	// sets do get through more often: "aside eval abstention --write" finds the
	// threshold of a company's own.
	DefaultAnswerFrom = 0.8
)

func (o Options) withDefaults() Options {
	o.Budget = cmp.Or(o.Budget, 10_000)
	o.EmbedTimeout = cmp.Or(o.EmbedTimeout, 150*time.Millisecond)
	o.DenseWeight = cmp.Or(o.DenseWeight, 0.5)
	o.PerDocument = cmp.Or(o.PerDocument, 3)
	o.WeakBelow = cmp.Or(o.WeakBelow, DefaultWeakBelow)
	o.CacheSize = cmp.Or(o.CacheSize, 512)
	return o
}

// Retriever finds the passages that answer a question. Its methods may be called
// side by side.
type Retriever struct {
	index    Index
	embedder llm.Embedder
	opt      Options

	mu     sync.Mutex
	askers map[string]*asker // by model
	serves string            // the model that the knowledge had all vectors of, last time

	pages    pages      // that were read last
	partings [2]parting // of what customers see, and of everything
}

// New makes a Retriever. The embedder may be nil: words alone then find.
func New(index Index, embedder llm.Embedder, opt Options) *Retriever {
	opt = opt.withDefaults()
	r := &Retriever{index: index, embedder: embedder, opt: opt, askers: map[string]*asker{}, pages: newPages()}
	if embedder != nil {
		r.serves = embedder.Name()
		r.askers[r.serves] = newAsker(embedder, opt)
	}
	return r
}

// Result is what a search found.
type Result struct {
	Hits             []assist.Hit  // best first
	Searched         []assist.Term // what was looked for, also when nothing was found
	KnowledgeVersion int64
	Dense            string  // the embedding model that took part; "" if it did not
	DenseOff         string  // why a configured one did not, for the log and the doctor; "" otherwise
	Share            float64 // of the question, that the best passage carries, 0..1; 0 where Scope.Unjudged
	Evidence         float64 // how sure it is that the passages answer, 0..1; 0 where Scope.Unjudged
	Weak             bool    // too little evidence to answer from: abstain
	TookMS           float64
	Near             *Near // what was found by vector, for another search; nil: nothing was
}

// Search finds the passages for a question within a scope. It fails only when
// the index does; without an embedding in time the words answer alone. A quiet
// question finds nothing and asks nobody.
func (r *Retriever) Search(ctx context.Context, scope Scope, q assist.Question) (Result, error) {
	began := time.Now()
	if q.Quiet != "" {
		return Result{}, nil
	}
	if len(q.Terms) == 0 {
		q = plainQuestion(q)
	}
	if scope.K <= 0 {
		scope.K = 8
	}
	wide := scope
	wide.K = max(4*scope.K, 40) // room for fusion and for the limit per document

	var res Result
	best := looked{question: q}
	var dense []assist.Hit
	var lexicon Lexicon
	known := make(chan struct{}) // closed when lexicon is there, or never will be
	group, gctx := errgroup.WithContext(ctx)
	group.Go(caught(func() (err error) {
		defer close(known)
		if lexicon, err = r.index.Lexicon(gctx, wide, texts(q.Terms)); err != nil {
			return fmt.Errorf("read the lexicon: %w", err)
		}
		return nil
	}))
	group.Go(caught(func() (err error) {
		<-known
		if lexicon.Terms == nil {
			return nil
		}
		if best, err = r.look(gctx, wide, q, lexicon, scope.K); err != nil || scope.Unjudged || len(best.hits) == 0 {
			return err
		}
		if turned, ok, err := r.turned(gctx, wide, best, lexicon, scope.K); err != nil || ok {
			best = turned
			return err
		}
		best.evidence, err = r.sure(gctx, wide, best, lexicon)
		return err
	}))
	if r.embedder != nil {
		group.Go(caught(func() error {
			if scope.Near != nil {
				<-known
				var same bool
				if dense, same = scope.Near.same(wide, q.Text, lexicon); same {
					return nil
				}
			}
			dense, res.DenseOff = r.dense(gctx, wide, q, known, &lexicon)
			return nil
		}))
	}
	if err := group.Wait(); err != nil {
		return Result{}, err
	}
	q = best.question
	res.KnowledgeVersion, res.Searched = lexicon.Version, q.Terms
	if r.embedder != nil && res.DenseOff == "" {
		res.Dense = lexicon.DenseName
		if len(scope.Collections) == 0 && scope.Language == "" {
			res.Near = &Near{q.Text, res.Dense, lexicon.Version, wide.Audience, wide.At, wide.K, dense}
		}
	}
	hits := fuse(best.hits, dense, r.opt.DenseWeight)
	res.Hits = perDocument(hits, r.opt.PerDocument, scope.K)
	telling := best.words.idf(q)
	for i := range res.Hits {
		res.Hits[i].Quote = quote(r.pages.of(res.Hits[i], q.Language), telling)
	}
	if scope.Unjudged {
		res.Weak = len(res.Hits) == 0
		res.TookMS = float64(time.Since(began).Microseconds()) / 1000
		return res, nil
	}
	if len(best.hits) > 0 {
		res.Share = min(best.first.words/best.words.mass, 1)
		res.Evidence = best.evidence
	}
	bar := r.opt.WeakBelow
	if len(dense) > 0 && len(best.hits) > 0 && dense[0].ID == best.hits[0].ID {
		bar /= 2 // two searches that know nothing of each other agree
	}
	res.Weak = len(res.Hits) == 0 || res.Evidence < bar
	res.TookMS = float64(time.Since(began).Microseconds()) / 1000
	return res, nil
}

// looked is what words found for a question.
type looked struct {
	question assist.Question
	words    weighed
	hits     []assist.Hit
	first    read
	evidence float64 // where it was asked for
}

// look searches by words for at least k passages that the scope lets through, and
// reads the best of them.
func (r *Retriever) look(ctx context.Context, scope Scope, q assist.Question, lexicon Lexicon, k int) (l looked, err error) {
	l = looked{question: q, words: weigh(q.Terms, lexicon, r.opt.Budget)}
	if len(l.words.query.Candidates)+len(l.words.query.Learned.Candidates) == 0 {
		return l, nil
	}
	l.hits, err = r.index.Lexical(ctx, scope, l.words.query)
	if err == nil && len(l.hits) < k && scope.filters() && lexicon.Passages > r.opt.Budget {
		// What the budget left out may be all that the filter lets through.
		l.words = weigh(q.Terms, lexicon, math.MaxInt)
		l.words.query.Wide = l.words.query.Candidates
		l.hits, err = r.index.Lexical(ctx, scope, l.words.query)
	}
	if err != nil {
		return l, fmt.Errorf("search by words: %w", err)
	}
	if len(l.hits) > 0 {
		l.first = r.pages.reread(q, l.hits)
		r.pages.spread(q, l.hits, l.words.idf(q))
	}
	return l, nil
}

// sure says how sure it is that what was found answers the question.
func (r *Retriever) sure(ctx context.Context, scope Scope, l looked, lexicon Lexicon) (float64, error) {
	knowledge, err := r.parted(ctx, scope, lexicon)
	if err != nil {
		return 0, err
	}
	var memory Memory
	if recaller, ok := r.index.(Recaller); ok && lexicon.Learned > 0 {
		if memory, err = recaller.Recall(ctx, scope, l.first.hit.ID, l.words.ids()); err != nil {
			return 0, fmt.Errorf("recall what passage %s was asked: %w", l.first.hit.ID, err)
		}
	}
	return evidence(signs{
		amount: l.first.words / idf(lexicon.Passages, 1),
		like:   l.first.like,
		cover:  l.words.cover(l.question, r.pages.of(l.first.hit, l.question.Language), memory),
		named:  knowledge.named(l.question, l.first.hit),
		usual:  l.words.usual(l.question, lexicon, memory),
		habit:  habit(lexicon),
		alike:  r.pages.alike(l.first, l.question.Language),
		parted: knowledge.parted,
	}), nil
}

// A customer who turns to something else seldom says so. Then what was said before
// finds the old topic: the first passage has little of the new question, and another
// has nearly all of it. Chosen on half of the dialogues of seven sets. On the other
// half, before learning, no set of dialogues that go on lost; after learning dstc11,
// whose pages differ by a hotel's name, lost 0.002 of R@1. A higher turnedLeft hears
// more turns, and loses more of such questions.
const (
	turnedLeft = 0.3 // of its own best score a question must not have left in the first passage
	turnedHas  = 0.5 // share of the question that its own best passage must carry
	turnedSure = 0.4 // evidence by its own words alone
)

// turned searches by the question's own words alone, where it may have turned away
// from what was said before; false where it has not.
func (r *Retriever) turned(ctx context.Context, scope Scope, all looked, lexicon Lexicon, k int) (own looked, ok bool, err error) {
	q := all.question
	if len(q.Own) == 0 || all.words.cover(assist.Question{Terms: q.Own}, r.pages.of(all.hits[0], q.Language), Memory{}) >= turnedLeft {
		return all, false, nil
	}
	q.Terms = q.Own
	if own, err = r.look(ctx, scope, q, lexicon, k); err != nil || len(own.hits) == 0 || own.first.words < turnedHas*own.words.mass {
		return all, false, err
	}
	for _, h := range own.hits {
		if h.ID == all.hits[0].ID && h.Ranks.LexicalScore >= turnedLeft*own.hits[0].Ranks.LexicalScore {
			return all, false, nil
		}
	}
	if own.evidence, err = r.sure(ctx, scope, own, lexicon); err != nil || own.evidence < turnedSure {
		return all, false, err
	}
	return own, true, nil
}

// Prefetch makes and keeps the vector of a text that will probably be searched
// for, while its writer still types. It does nothing without an embedder, and a
// failure is not worth reporting: the search tries again.
func (r *Retriever) Prefetch(ctx context.Context, text string) {
	if a := r.asker(r.serving("")); a != nil && text != "" {
		_, _ = a.ask(ctx, text, prefetchTimeout)
	}
}

// dense searches by vector, and says why not where it could not. It asks the
// model that served last while the lexicon is being read, and another one only
// if that now serves.
func (r *Retriever) dense(ctx context.Context, scope Scope, q assist.Question, known <-chan struct{}, lexicon *Lexicon) ([]assist.Hit, string) {
	if q.Text == "" {
		return nil, "the question has no text"
	}
	model := r.serving("")
	vector, err := r.ask(ctx, model, q.Text)
	<-known
	if now := r.serving(lexicon.DenseName); now != model {
		model = now
		vector, err = r.ask(ctx, model, q.Text)
	}
	switch {
	case lexicon.DenseName == "" || errors.Is(err, errNoEmbedder):
		return nil, "the knowledge has no complete vectors of " + r.embedder.Name()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, "the embedding model was too slow"
	case err != nil:
		return nil, "the embedding model failed: " + err.Error()
	}
	hits, err := r.index.Dense(ctx, scope, model, vector)
	if err != nil {
		return nil, "the search by vector failed: " + err.Error()
	}
	return hits, ""
}

// serving notes the model that serves, if it is known, and gives it.
func (r *Retriever) serving(model string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if model != "" {
		r.serves = model
	}
	return r.serves
}

var errNoEmbedder = errors.New("there is no embedder of this model")

func (r *Retriever) ask(ctx context.Context, model, text string) ([]float32, error) {
	a := r.asker(model)
	if a == nil {
		return nil, errNoEmbedder
	}
	return a.ask(ctx, text, r.opt.EmbedTimeout)
}

// asker gives who asks a model, nil if nobody can.
func (r *Retriever) asker(model string) *asker {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, known := r.askers[model]
	if !known && model != "" {
		if r.opt.Earlier != nil {
			if e := r.opt.Earlier(model); e != nil {
				a = newAsker(e, r.opt)
			}
		}
		r.askers[model] = a // nil too: it is asked for once
	}
	return a
}

// plainQuestion fills the terms of a question that has only a text.
func plainQuestion(q assist.Question) assist.Question {
	if q.Language == "" {
		q.Language = lex.Language(q.Text)
	}
	bag := terms{weight: map[string]float64{}, most: listens.most}
	for _, t := range lex.Terms(q.Text, q.Language) {
		bag.add(t, 1)
	}
	q.Terms = bag.list()
	return q
}

func texts(terms []assist.Term) []string {
	out := make([]string, len(terms))
	for i, t := range terms {
		out[i] = t.Text
	}
	return out
}

// weighed is a question in the index's terms.
type weighed struct {
	query LexicalQuery
	n     int
	df    map[string]TermStat
	mass  float64 // what a passage of usual length with every term once would score
}

// weigh turns a question into the index's terms: idf times importance each. Any
// passage with one of the candidates is looked at; rare terms come first, until
// the passages they occur in use up the budget. The rarest is always among them.
func weigh(terms []assist.Term, l Lexicon, budget int) weighed {
	w := weighed{query: LexicalQuery{Weights: map[int32]float32{}}, n: l.Passages, df: l.Terms}
	learned := &w.query.Learned
	if l.Learned > 0 {
		learned.Weights, learned.Mass = map[int32]float32{}, 1
	}
	var words, asked []candidate
	for _, t := range terms {
		if t.Weight <= 0 {
			continue
		}
		stat, known := l.Terms[t.Text]
		w.mass += t.Weight * idf(l.Passages, max(stat.DF, 1)) // an unknown word says as much as the rarest known
		if l.Learned > 0 {
			weight := t.Weight * askedIDF(l.Questions, stat.Asked)
			learned.Mass += weight
			if stat.Asked > 0 {
				if _, twice := learned.Weights[stat.ID]; !twice {
					asked = append(asked, candidate{stat.ID, min(int(math.Ceil(stat.Asked)), l.Learned), weight})
				}
				learned.Weights[stat.ID] += float32(weight)
			}
		}
		if !known || stat.DF <= 0 {
			continue
		}
		weight := t.Weight * idf(l.Passages, stat.DF)
		if _, twice := w.query.Weights[stat.ID]; !twice {
			words = append(words, candidate{stat.ID, stat.DF, weight})
		}
		w.query.Weights[stat.ID] += float32(weight)
	}
	w.query.Mass = w.mass
	w.query.Candidates = telling(words, budget, l.Passages)
	if l.Passages > WideFrom {
		w.query.Wide = telling(words, WideBudget(l.Passages), l.Passages)
	}
	learned.Candidates = telling(asked, budget, l.Learned)
	return w
}

// WideFrom is how many passages may always be looked at one by one: no index needs
// to know where their terms stand.
const WideFrom = 1000

// WideBudget is how many passages the terms may bring of which an index need not
// read the passages themselves.
func WideBudget(passages int) int { return max(40_000, passages*3/5) }

// candidate is a term, about how many passages it brings, and how much it says.
type candidate struct {
	id     int32
	df     int
	weight float64
}

// telling gives the terms whose passages fit the budget, at least one: those
// first that say most for the passages they bring. By rareness alone a rare word
// of long ago uses up what the question itself needs: of real questions to
// 100,000 passages 0.96 of the best ten were then among 10,000 candidates, so 0.99.
// A term that brings too many is left out; ones after it may still fit.
func telling(candidates []candidate, budget, passages int) []int32 {
	worth := func(c candidate) float64 { return c.weight / math.Sqrt(float64(max(c.df, 1))) }
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Or(cmp.Compare(worth(b), worth(a)), cmp.Compare(a.id, b.id)) })
	if passages <= budget {
		budget = math.MaxInt // all of them fit, whatever their terms
	}
	var ids []int32
	for _, c := range candidates {
		if c.df <= budget || len(ids) == 0 {
			budget -= c.df
			ids = append(ids, c.id)
		}
	}
	return ids
}

func askedIDF(questions, asked float64) float64 {
	return math.Log(1 + max(questions-asked+0.5, 0)/(asked+0.5))
}

func idf(n, df int) float64 {
	return math.Log(1 + (float64(n-df)+0.5)/(float64(df)+0.5))
}

// idf gives what each term of the question says, by idf alone for those of its
// text and by idf and importance for what was said before.
func (w weighed) idf(q assist.Question) map[string]float64 {
	m := make(map[string]float64, len(q.Terms))
	for _, t := range q.Terms {
		m[t.Text] = min(t.Weight, 1) * idf(w.n, w.df[t.Text].DF)
	}
	return m
}

// share is the part of the question that the best passage carries, 0..1: its score
// against what a passage with every word of the question would score. Unknown
// words count as the rarest: a question about something else has many of them.
func share(lexical []assist.Hit, mass float64) float64 {
	if len(lexical) == 0 || mass <= 0 {
		return 0
	}
	return min(lexical[0].Ranks.LexicalScore/mass, 1)
}

// signs are what tells a question with an answer from one without.
type signs struct {
	amount float64 // what the best passage carries of the question, in words as telling as the rarest
	like   float64 // how alike its best sentence is to the question, 0..1
	cover  float64 // share of the question's words that it has, or was asked with before, 0..1
	named  float64 // share of its title that the question has, 0..1
	usual  float64 // how much more usual the question is among those that it answered before than among all; 0: not, or not known
	habit  float64 // how much questions have taught this knowledge already, 0..1
	alike  float64 // how alike that sentence is to another of the same passage, 0..1
	parted float64 // how well the pages of the knowledge are parted, 0..1
}

// The evidence is the logistic function of the signs. The weights were fitted on
// eight sets, before and after learning, for one threshold that lets few wrong
// answers through in each. More of a sign is more evidence, but for two: what was
// learned also raises the scores of questions without an answer, which habit takes
// back, the less the better the pages are parted; and a page that says the same
// many times over is like many questions. A question that is usual among those the
// page answered, or says what its title says, is surer. Margins to the next passages,
// absolute or in units of their spread, the share of the nearest sentences that are
// the first passage's, and its odds among the first twenty by naive Bayes tell which
// page is right, but hardly whether one is. The nearest learned questions, letter by
// letter, would tell both, but their letters are not kept.
const (
	sureAmount = 1.15
	sureLike   = 5.1
	sureCover  = 1.5
	sureAlike  = 0.9
	sureNamed  = 0.8
	sureUsual  = 0.22
	sureHabit  = 2.87
	sureParted = 1.72
	sureTaught = 1.73
	sureMiddle = 4.28
)

// strength is how strong a match looks by itself.
func strength(s signs) float64 {
	if s.amount <= 0 {
		return 0
	}
	return sureAmount*math.Log(s.amount+0.2) + sureLike*math.Log(1+likeGain*s.like) + sureCover*s.cover
}

func evidence(s signs) float64 {
	if s.amount <= 0 {
		return 0
	}
	z := strength(s) - sureAlike*s.alike + sureNamed*s.named + sureUsual*s.usual - sureHabit*s.habit + (sureParted+sureTaught*s.habit)*s.parted
	return 1 / (1 + math.Exp(sureMiddle-z))
}

// habit grows with the questions learned per passage, as their trust does.
func habit(l Lexicon) float64 {
	if l.Passages == 0 {
		return 0
	}
	each := l.Questions / float64(l.Passages)
	return each / (each + LearnedHalf)
}

// ids are those of the question's terms that the index knows.
func (w weighed) ids() []int32 {
	ids := make([]int32, 0, len(w.df))
	for _, stat := range w.df {
		ids = append(ids, stat.ID)
	}
	slices.Sort(ids)
	return ids
}

// cover is the share of the question's weight that a passage has in its words,
// or that it was asked with.
func (w weighed) cover(q assist.Question, p *page, m Memory) float64 {
	has := p.has()
	var covered, all float64
	for _, t := range q.Terms {
		if t.Weight <= 0 {
			continue
		}
		stat, known := w.df[t.Text]
		weight := t.Weight * idf(w.n, max(stat.DF, 1))
		all += weight
		if has[t.Text] || known && m.Asked[stat.ID] > 0 {
			covered += weight
		}
	}
	if all <= 0 {
		return 0
	}
	return covered / all
}

// untitled is what a passage without a title counts as named: as much as the
// usual right one.
const untitled = 0.5

// named is the share of the title that the question has, by what its words tell. A
// page on "activate my card" is hardly meant where nobody speaks of activating.
func (m measured) named(q assist.Question, h assist.Hit) float64 {
	said := make(map[string]bool, len(q.Terms))
	for _, t := range q.Terms {
		said[t.Text] = t.Weight > 0
	}
	title := lex.Terms(h.Title, q.Language)
	slices.Sort(title)
	title = slices.Compact(title)
	if len(title) == 0 {
		return untitled
	}
	var named, all float64
	for _, t := range title {
		telling := m.idf(t)
		all += telling
		if said[t] {
			named += telling
		}
	}
	return named / all
}

// A passage is taken to have answered usualFew questions more than it did, with
// each word as often as all have it. No question is more usual than usualMost.
const (
	usualFew  = 2.0
	usualMost = 12.0
)

// usual says how much likelier the question's words are among the questions that
// the passage answered than among all that were learned, as the logarithm, and the
// less the fewer it answered. Never below 0: a strange question has lost by other signs already.
func (w weighed) usual(q assist.Question, l Lexicon, m Memory) float64 {
	if m.Evidence <= 0 {
		return 0
	}
	sum := 0.0
	for _, t := range q.Terms {
		if t.Weight <= 0 {
			continue
		}
		stat := w.df[t.Text]
		everywhere := (stat.Asked + 0.3) / (l.Questions + 1)
		here := (m.Asked[stat.ID] + usualFew*everywhere) / (m.Evidence + usualFew)
		sum += t.Weight * math.Log(here/everywhere)
	}
	return min(max(sum, 0), usualMost) * m.Evidence / (m.Evidence + LearnedHalf)
}

// fuse merges two rankings of any scales: each score becomes its place between
// the floor and the best of its own ranking, and the two are added by weight. A
// single ranking keeps its order.
//
// The hits stay where they are, with their scores.
func fuse(lexical, dense []assist.Hit, denseWeight float64) []*assist.Hit {
	lexicalWeight := 1 - denseWeight
	if len(dense) == 0 {
		lexicalWeight = 1
	} else if len(lexical) == 0 {
		denseWeight = 1
	}
	at := make(map[string]*assist.Hit, len(lexical))
	hits := make([]*assist.Hit, 0, len(lexical)+len(dense))
	for i := range lexical {
		h := &lexical[i]
		h.Score = lexicalWeight * place(h.Ranks.LexicalScore, 0, lexical[0].Ranks.LexicalScore)
		at[h.ID] = h
		hits = append(hits, h)
	}
	floor := 0.0
	if n := len(dense); n > 1 {
		floor = dense[n-1].Ranks.DenseScore // cosines huddle together far above zero
	}
	for i := range dense {
		h := &dense[i]
		score := denseWeight * place(h.Ranks.DenseScore, floor, dense[0].Ranks.DenseScore)
		if both := at[h.ID]; both != nil {
			both.Score += score
			both.Ranks.Dense, both.Ranks.DenseScore = h.Ranks.Dense, h.Ranks.DenseScore
			continue
		}
		h.Score = score
		hits = append(hits, h)
	}
	slices.SortStableFunc(hits, func(a, b *assist.Hit) int { return cmp.Compare(b.Score, a.Score) })
	return hits
}

// place is where s stands between floor and best, 0..1.
func place(s, floor, best float64) float64 {
	if best <= floor {
		return 1
	}
	return (s - floor) / (best - floor)
}

// perDocument keeps the best k hits, at most limit of one document.
func perDocument(hits []*assist.Hit, limit, k int) []assist.Hit {
	if len(hits) == 0 {
		return nil
	}
	seen := make(map[string]int, len(hits))
	kept := make([]assist.Hit, 0, min(k, len(hits)))
	for _, h := range hits {
		if seen[h.DocumentID]++; seen[h.DocumentID] > limit {
			continue
		}
		if kept = append(kept, *h); len(kept) == k {
			break
		}
	}
	return kept
}

// caught makes a panic an error: nobody else recovers what runs beside the caller,
// and what runs here reads what customers and documents say.
func caught(do func() error) func() error {
	return func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("retrieval panicked: %v\n%s", p, debug.Stack())
			}
		}()
		return do()
	}
}
