package libredesk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
)

// stuck is a conversation service in which nothing ever comes to an end: the model
// hangs, the database hangs.
type stuck struct{ connect.Chats }

func (stuck) Receive(ctx context.Context, _ assist.Identity, _ assist.NewTurn) (assist.Turn, bool, error) {
	<-ctx.Done()
	return assist.Turn{}, false, ctx.Err()
}

func (stuck) Conversation(ctx context.Context, _ assist.Identity, _ string) (assist.Conversation, error) {
	<-ctx.Done()
	return assist.Conversation{}, ctx.Err()
}

// BenchmarkHookWhileAllHangs measures the answer to a delivery while nothing behind
// it moves; p99-ms is the figure that counts (50 at most). Deliveries beyond the
// inbox's limit are refused with 503, as fast.
func BenchmarkHookWhileAllHangs(b *testing.B) {
	c, err := New(Config{URL: "http://127.0.0.1:1", WebhookSecret: "s"}, Options{Chats: stuck{}, Marks: newMarks(time.Now), Logger: quiet(), Limit: 2000})
	if err != nil {
		b.Fatal(err)
	}
	c.Start()
	b.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := c.Stop(ctx); err != nil {
			b.Error(err)
		}
	})
	body := func(n int) []byte {
		payload, err := json.Marshal(map[string]any{"id": n + 1, "uuid": fmt.Sprintf("m-%d", n), "conversation_uuid": fmt.Sprintf("c-%d", n%200), "type": "incoming",
			"status": "received", "sender_type": "contact", "sender_id": 9, "text_content": "Can I have my money back for the tent?", "created_at": "2026-03-01T12:00:00Z"})
		if err != nil {
			b.Fatal(err)
		}
		out, err := json.Marshal(envelope{Event: "message.created", Payload: payload, Timestamp: time.Now().UTC()})
		if err != nil {
			b.Fatal(err)
		}
		return out
	}
	var took []time.Duration
	taken, refused := 0, 0
	for n := 0; b.Loop(); n++ {
		delivery := body(n)
		began := time.Now()
		switch code := deliver(c, "s", delivery); code {
		case http.StatusAccepted:
			taken++
		case http.StatusServiceUnavailable:
			refused++
		default:
			b.Fatalf("answered with %d", code)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(float64(refused)/float64(taken+refused), "refused")
}
