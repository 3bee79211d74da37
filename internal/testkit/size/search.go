package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/load"
)

// measure measures searches in the knowledge of a size, and the server's memory, and
// prints them under a name.
func (b *bench) measure(ctx context.Context, size, name string) error {
	slow := postgres.Pool{Conns: 2, Timeout: 2 * time.Minute} // a search that reads everything takes its time
	db, err := postgres.Open(ctx, postgres.Config{URL: b.URL, Schema: b.Schema(size), Search: slow, Public: slow})
	if err != nil {
		return err
	}
	defer db.Stop()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	info, err := db.Info(ctx)
	if err != nil {
		return err
	}
	questions, err := heard(b.data, b.questions/2)
	if err != nil {
		return err
	}
	past := time.Now().Add(-time.Hour)
	inside, public := assist.AudienceInternal, assist.AudiencePublic
	for _, s := range []struct {
		what  string
		scope retrieve.Scope
		few   int // questions, of filters
	}{
		{"agent", retrieve.Scope{Audience: inside}, 1},
		{"customer", retrieve.Scope{Audience: public}, 1},
		{"agent, a large collection", retrieve.Scope{Audience: inside, Collections: []string{"doc2dial"}}, 4},
		{"customer, a small collection", retrieve.Scope{Audience: public, Collections: []string{"abcd"}}, 4},
		{"customer, a language", retrieve.Scope{Audience: public, Language: "en"}, 4},
		{"agent, as of an hour ago", retrieve.Scope{Audience: inside, At: past}, 4},
	} {
		s.scope.K = 10
		if err := b.search(ctx, db, name, s.what, s.scope, pick(questions, s.few), info.Passages); err != nil {
			return err
		}
	}
	if err := b.dense(ctx, db, name, info.Passages); err != nil {
		return err
	}
	return b.resident(ctx, size, name, info.Passages)
}

// heard gives the questions of real chats, half of them of either set.
func heard(data string, each int) (questions []assist.Question, err error) {
	for _, set := range []string{"abcd", "doc2dial"} {
		queries, err := measure.ReadQueries(filepath.Join(data, set, "queries-test.jsonl"))
		if err != nil {
			return nil, err
		}
		for i := range each {
			q := retrieve.Listen(queries[i*len(queries)/each].Turns())
			q.Quiet = ""
			questions = append(questions, q)
		}
	}
	return questions, nil
}

// pick gives one of so many.
func pick[T any](all []T, of int) (some []T) {
	for i := 0; i < len(all); i += of {
		some = append(some, all[i])
	}
	return some
}

// search times each question alone, and compares the first ten of some with those
// of a search that reads every passage.
func (b *bench) search(ctx context.Context, db *postgres.DB, size, what string, scope retrieve.Scope, questions []assist.Question, passages int) error {
	real := retrieve.New(db, nil, retrieve.Options{})
	exact := retrieve.New(db, nil, retrieve.Options{Budget: math.MaxInt32})
	find := func(r *retrieve.Retriever, q assist.Question) ([]assist.Hit, error) {
		res, err := r.Search(ctx, scope, q)
		return res.Hits, err
	}
	for _, q := range questions {
		if _, err := find(real, q); err != nil {
			return err
		}
	}
	before, err := b.CPU(ctx)
	if err != nil {
		return err
	}
	found := make([][]assist.Hit, len(questions))
	var took []float64
	mean := 0.0
	for i, q := range questions {
		began := time.Now()
		if found[i], err = find(real, q); err != nil {
			return err
		}
		ms := float64(time.Since(began).Microseconds()) / 1000
		took = append(took, ms)
		mean += ms / float64(len(questions))
	}
	after, err := b.CPU(ctx)
	if err != nil {
		return err
	}
	used := after.Minus(before)
	cpu := float64((used.Database + used.Here).Microseconds()) / 1000 / float64(len(questions))
	slices.Sort(took)
	p50, p95, most := took[len(took)/2], took[len(took)*95/100], took[len(took)-1]

	b.say("%s: %s: p50 %.1f, p95 %.1f, max %.1f ms; cpu %.1f ms; load %s; now comparing", size, what, p50, p95, most, cpu, loadAverage())

	every := 4
	if passages > 250_000 {
		every = 10 // each reads a gigabyte
	}
	same, compared, fewer := 0.0, 0, 0
	for i := 0; i < len(questions); i += every {
		best, err := find(exact, questions[i])
		if err != nil {
			return err
		}
		if len(found[i]) < len(best) {
			fewer++
		}
		if len(best) == 0 {
			continue
		}
		n := 0
		for _, h := range best {
			if slices.ContainsFunc(found[i], func(f assist.Hit) bool { return f.ID == h.ID }) {
				n++
			}
		}
		same += float64(n) / float64(len(best))
		compared++
	}
	if compared == 0 {
		same, compared = 1, 1 // there was nothing to find
	}
	same /= float64(compared)
	row := fmt.Sprintf("%-10s %-32s %5d %7.1f %7.1f %7.1f %7.1f %9.3f %6d", size, what, len(questions), p50, p95, most, cpu, same, fewer)
	fmt.Fprintln(&b.table, row)
	fmt.Fprintf(&b.lines, "BenchmarkSearchAtSize/passages=%s/who=%s %d %.0f ns/op %.2f p50-ms %.2f p95-ms %.2f cpu-ms %.4f same10\n",
		size, strings.NewReplacer(", ", "-", " ", "-").Replace(what), len(questions), mean*1e6, p50, p95, cpu, same)
	return nil
}

// resident is the memory of a server of its own, before and after it searched.
func (b *bench) resident(ctx context.Context, size, name string, passages int) (err error) {
	texts, err := load.Questions(b.data)
	if err != nil {
		return err
	}
	server, err := b.Serve(ctx, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	idle, _, err := server.Memory()
	if err != nil {
		return err
	}
	token, err := b.Token(assist.Identity{Actor: assist.ActorAgent, Subject: "size"})
	if err != nil {
		return err
	}
	const searches = 500
	for i := range searches {
		audience := []assist.Audience{assist.AudienceInternal, assist.AudiencePublic}[i%2]
		if err := ask(ctx, server.URL, token, texts[i%len(texts)], audience); err != nil {
			return err
		}
	}
	now, peak, err := server.Memory()
	if err != nil {
		return err
	}
	fmt.Fprintf(&b.memory, "%-8s the server of %d passages takes %.0f MB at its start, %.0f after %d searches, %.0f at most\n", name, passages, idle, now, searches, peak)
	fmt.Fprintf(&b.lines, "BenchmarkServerAtSize/passages=%s 1 0 ns/op %.1f rss-MB %.1f peak-MB\n", name, now, peak)
	return nil
}

func ask(ctx context.Context, url, token, text string, audience assist.Audience) error {
	body, err := json.Marshal(map[string]string{"text": text, "audience": string(audience)})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", url+"/v1/search", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Hits  []json.RawMessage `json:"hits"`
		Error json.RawMessage   `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("search: %s %s", resp.Status, answer.Error)
	}
	return nil
}

// dense measures how much of the truly nearest the index of vectors finds.
func (b *bench) dense(ctx context.Context, db *postgres.DB, size string, passages int) error {
	const model, questions = "words", 100
	if passages > b.vectors {
		fmt.Fprintf(&b.memory, "%-8s vectors were not measured: --vectors %d does it\n", size, passages)
		return nil
	}
	b.say("%s: making vectors", size)
	began := time.Now()
	if _, err := ingest.EmbedMissing(ctx, words{}, vectorStore{db}); err != nil {
		return err
	}
	took := time.Since(began)
	for _, audience := range []assist.Audience{assist.AudienceInternal, assist.AudiencePublic} {
		recall, err := db.DenseRecall(ctx, retrieve.Scope{Audience: audience, K: 10}, model, questions)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b.memory, "%-8s searches by vector find %.3f of the ten nearest of all (%s; %d questions; vectors and index made in %s)\n", size, recall,
			audience, questions, took.Round(time.Second))
		fmt.Fprintf(&b.lines, "BenchmarkDenseAtSize/passages=%s/audience=%s %d 0 ns/op %.4f recall10\n", size, audience, questions, recall)
	}
	return nil
}

// words embeds a text as the sum of a random direction of each of its terms: near
// are texts with terms in common.
type words struct{}

const dimension = 96

func (words) Name() string { return "words" }

func (words) Embed(_ context.Context, texts []string) (vectors [][]float32, err error) {
	for _, text := range texts {
		v := make([]float32, dimension)
		v[0] = 1e-3 // a text without terms has a direction, too
		for _, t := range lex.Terms(text, "en") {
			h := uint64(14695981039346656037)
			for _, c := range []byte(t) {
				h = (h ^ uint64(c)) * 1099511628211
			}
			random := rand.New(rand.NewPCG(h, 1))
			for i := range v {
				v[i] += float32(random.NormFloat64())
			}
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// vectorStore takes the dimension from the vectors.
type vectorStore struct{ *postgres.DB }

func (s vectorStore) PutVectors(ctx context.Context, model string, ids []string, vectors [][]float32) error {
	return s.DB.PutVectors(ctx, model, len(vectors[0]), ids, vectors)
}
