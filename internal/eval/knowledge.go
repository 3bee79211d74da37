package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
)

// Knowledge is the documents of a run, searched by the production retriever.
type Knowledge struct {
	Version string // hash of all documents

	docs  []assist.Document
	index retrieve.Index
	opt   retrieve.Options
	*retrieve.Retriever
	authority playbook.Authority
	bot       bot.Settings

	mu      sync.Mutex
	book    *playbook.Book
	bookOf  string                // the day that book holds on
	planted map[string]*Knowledge // with one more document, by its text
}

// ReadKnowledge reads the folder dir of fsys as `aside ingest` would. A file that
// cannot be read is an error: a suite must not pass because a page was missing.
func ReadKnowledge(ctx context.Context, fsys fs.FS, dir string, opt retrieve.Options) (*Knowledge, error) {
	tmp, err := os.MkdirTemp("", "aside-eval")
	if err != nil {
		return nil, fmt.Errorf("read knowledge: %w", err)
	}
	defer os.RemoveAll(tmp)
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read knowledge %s: %w", dir, err)
	}
	root := filepath.Join(tmp, "knowledge")
	if err := os.CopyFS(root, sub); err != nil {
		return nil, fmt.Errorf("read knowledge %s: %w", dir, err)
	}
	store := &memory{docs: map[string]assist.Document{}}
	report, err := ingest.Run(ctx, ingest.Options{}, store, []string{root}, nil)
	if err != nil {
		return nil, fmt.Errorf("read knowledge %s: %w", dir, err)
	}
	if len(report.Failed) > 0 {
		return nil, fmt.Errorf("read knowledge %s: %s: %s", dir, filepath.Base(report.Failed[0].Path), report.Failed[0].Error)
	}
	var docs []assist.Document
	for _, id := range sortedKeys(store.docs) {
		d := store.docs[id]
		// The copy's time and place say nothing, and differ every time.
		d.UpdatedAt = time.Time{}
		sum := sha256.Sum256([]byte(d.Body))
		d.Revision = hex.EncodeToString(sum[:8])
		docs = append(docs, d)
	}
	k := newKnowledge(docs, opt)
	if k.authority, err = readAuthority(fsys, dir); err != nil {
		return nil, err
	}
	k.bot, err = readBot(fsys, dir)
	return k, err
}

func newKnowledge(docs []assist.Document, opt retrieve.Options) *Knowledge {
	h := sha256.New()
	for _, d := range docs {
		fmt.Fprintln(h, d.ID, d.Audience, d.Kind, d.ValidFrom, d.ValidTo, len(d.Body), d.Body)
	}
	var x retrieve.Index = struct{ retrieve.Index }{memindex.New(docs)} // nothing was learned, and nobody samples
	return &Knowledge{
		Version: hex.EncodeToString(h.Sum(nil))[:12], docs: docs, index: x, opt: opt,
		Retriever: retrieve.New(x, nil, opt), planted: map[string]*Knowledge{},
		bot: bot.Settings{Mode: bot.Answer, Limits: bot.DefaultLimits},
	}
}

// Document implements suggest.Knowledge.
func (k *Knowledge) Document(ctx context.Context, scope retrieve.Scope, id string) (*assist.Document, error) {
	return k.index.Document(ctx, scope, id)
}

// with gives the knowledge with one more document, a Markdown text named
// "planted".
func (k *Knowledge) with(ctx context.Context, text string) (*Knowledge, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.planted[text]; ok {
		return p, nil
	}
	d, err := ingest.Parse(ctx, "planted", "text/markdown", []byte(text), ingest.Options{})
	if err != nil {
		return nil, fmt.Errorf("vars.document: %w", err)
	}
	p := newKnowledge(append(slices.Clone(k.docs), d), k.opt)
	p.authority, p.bot = k.authority, k.bot
	k.planted[text] = p
	return p, nil
}

// internal gives every internal passage, as if all had been hit.
func (k *Knowledge) internal() []assist.Hit {
	return slices.DeleteFunc(k.all(), func(h assist.Hit) bool { return h.Audience == assist.AudiencePublic })
}

// all gives every passage as a hit.
func (k *Knowledge) all() (hits []assist.Hit) {
	for i := range k.docs {
		for _, p := range k.docs[i].Passages {
			hits = append(hits, memindex.Hit(&k.docs[i], p))
		}
	}
	return hits
}

// memory is the store that ingest fills.
type memory struct{ docs map[string]assist.Document }

func (m *memory) PutDocuments(_ context.Context, docs []assist.Document) ([]assist.Change, error) {
	for _, d := range docs {
		m.docs[d.ID] = d
	}
	return slices.Repeat([]assist.Change{assist.Added}, len(docs)), nil
}

func (m *memory) RemoveDocuments(context.Context, string, []string) ([]string, error) {
	return nil, nil
}

func (m *memory) Revisions(context.Context) (map[string]string, error) {
	return map[string]string{}, nil
}

// documentOf gives the id of a step's document.
func documentOf(stepID string) string { return stepID[:max(strings.LastIndexByte(stepID, '/'), 0)] }
