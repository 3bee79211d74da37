package app

import (
	"context"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/web"
)

// Knowledge is documents and search for the HTTP handlers and the command line.
type Knowledge struct {
	db        *postgres.DB
	retriever *retrieve.Retriever
}

// NewKnowledge makes the knowledge over an open database.
func NewKnowledge(db *postgres.DB, r *retrieve.Retriever) *Knowledge {
	return &Knowledge{db: db, retriever: r}
}

// Put parses and stores one document.
func (k *Knowledge) Put(ctx context.Context, id, mediaType string, body []byte) (assist.Document, assist.Change, error) {
	doc, err := ingest.Parse(ctx, id, mediaType, body, ingest.Options{})
	if err != nil {
		return assist.Document{}, "", assist.Wrap(err, assist.Invalid, "the document cannot be read: %v", err)
	}
	changes, err := k.db.PutDocuments(ctx, []assist.Document{doc})
	if err != nil {
		return assist.Document{}, "", err
	}
	return doc, changes[0], nil
}

// Document gives a whole document that the audience may see.
func (k *Knowledge) Document(ctx context.Context, audience assist.Audience, id string) (assist.Document, error) {
	doc, err := k.db.Document(ctx, retrieve.Scope{Audience: audience}, id)
	if err != nil {
		return assist.Document{}, err
	}
	if doc == nil {
		return assist.Document{}, assist.Errorf(assist.NotFound, "there is no document %q", id)
	}
	return *doc, nil
}

// Delete ends a document.
func (k *Knowledge) Delete(ctx context.Context, id string) error {
	return k.db.DeleteDocument(ctx, id)
}

// Search finds passages for a text that stands alone, as one customer turn would.
func (k *Knowledge) Search(ctx context.Context, q web.SearchQuery) (web.SearchResult, error) {
	start := time.Now()
	scope := retrieve.Scope{Audience: q.Audience, K: q.K}
	if scope.K == 0 {
		scope.K = 10
	}
	if q.Collection != "" {
		scope.Collections = []string{q.Collection}
	}
	if q.At != "" {
		at, err := ParseDate(q.At)
		if err != nil {
			return web.SearchResult{}, err
		}
		scope.At = at
	}
	question := retrieve.Listen([]assist.Turn{{Seq: 1, Role: assist.RoleCustomer, Text: q.Text}})
	result, err := k.retriever.Search(ctx, scope, question)
	if err != nil {
		return web.SearchResult{}, err
	}
	out := web.SearchResult{Hits: make([]web.SearchHit, 0, len(result.Hits))}
	for _, h := range result.Hits {
		out.Hits = append(out.Hits, web.SearchHit{
			DocumentID: h.DocumentID, PassageID: h.ID, Title: h.Title, Heading: h.Heading,
			Audience: h.Audience, URL: h.URL, UpdatedAt: h.UpdatedAt, Score: h.Score, Quote: h.Quote, Text: h.Text,
		})
	}
	out.TookMS = float64(time.Since(start).Microseconds()) / 1000
	return out, nil
}

// suggestKnowledge is knowledge as suggestions see it.
type suggestKnowledge struct {
	*retrieve.Retriever
	db *postgres.DB
}

func (k suggestKnowledge) Document(ctx context.Context, scope retrieve.Scope, id string) (*assist.Document, error) {
	return k.db.Document(ctx, scope, id)
}

// ParseDate reads a day or an instant.
func ParseDate(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, assist.Errorf(assist.Invalid, "%q is not a date: write 2026-03-31 or 2026-03-31T12:00:00Z", s)
}
