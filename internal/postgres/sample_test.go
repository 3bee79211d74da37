package postgres_test

import (
	"fmt"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestSample takes passages from everywhere, each once, and never an internal one
// for a customer.
func TestSample(t *testing.T) {
	db := testdb.Open(t)
	var docs []assist.Document
	for i := range 40 {
		audience := assist.AudiencePublic
		if i%4 == 0 {
			audience = assist.AudienceInternal
		}
		docs = append(docs, document(fmt.Sprintf("d%02d", i), audience, fmt.Sprintf("page %d says this", i), "and that"))
	}
	put(t, db, docs...)
	put(t, db, document("d01", assist.AudiencePublic, "page 1 says something else"))
	sample := func(x retrieve.Sampler, scope retrieve.Scope, n int) (ids map[string]bool) {
		t.Helper()
		hits, err := x.Sample(t.Context(), scope, n)
		if err != nil {
			t.Fatal(err)
		}
		ids = map[string]bool{}
		for _, h := range hits {
			if ids[h.ID] {
				t.Errorf("%s came twice", h.ID)
			}
			if scope.Audience != assist.AudienceInternal && h.Audience != assist.AudiencePublic {
				t.Errorf("%s is for agents only", h.ID)
			}
			if h.Title == "" || h.Text == "" {
				t.Errorf("%s has no title or text", h.ID)
			}
			ids[h.ID] = true
		}
		return ids
	}
	if got := len(sample(db, inside, 1000)); got != 79 {
		t.Errorf("%d passages of 79", got)
	}
	if got := len(sample(db, retrieve.Scope{}, 1000)); got != 59 {
		t.Errorf("%d public passages of 59", got)
	}
	if got := len(sample(db.Customers(), inside, 1000)); got != 59 {
		t.Errorf("the bot sees %d passages of 59", got)
	}
	some := sample(db, inside, 10)
	if len(some) < 8 || len(some) > 10 || fmt.Sprint(some) != fmt.Sprint(sample(db, inside, 10)) {
		t.Errorf("a sample of 10 has %v", some)
	}
	if got := sample(testdb.Open(t), inside, 10); len(got) != 0 {
		t.Errorf("an empty base has %v", got)
	}
}
