// Package ingest turns files, folders and pages into documents and passages.
package ingest

import (
	"context"

	"github.com/aside-project/aside/internal/assist"
)

// Store keeps documents. A document is visible whole or not at all.
type Store interface {
	// PutDocuments stores documents with their passages in one transaction,
	// a change per document. The same id is a new revision of the same document:
	// passages whose words did not change keep their id and what belongs to it.
	PutDocuments(ctx context.Context, docs []assist.Document) ([]assist.Change, error)
	// RemoveDocuments ends the validity of the source's documents that are not
	// among keep, and says which.
	RemoveDocuments(ctx context.Context, source string, keep []string) (removed []string, err error)
	// Revisions gives the current revision of every document, by id.
	Revisions(ctx context.Context) (map[string]string, error)
}
