package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/llm/openai"
)

// TestQuestionsBecomeVectorsWithoutSecrets: what a vector is made of leaves the house
// as what a model is told does, by the present model and by an earlier one.
func TestQuestionsBecomeVectorsWithoutSecrets(t *testing.T) {
	sent := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sent <- string(body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1,0]}]}`)
	}))
	defer server.Close()
	a := &App{cfg: Config{Embedder: Endpoint{BaseURL: server.URL + "/v1", Model: "m"}}, log: slog.New(slog.DiscardHandler)}
	var err error
	if a.embedder, err = openai.NewEmbedder(a.embedderConfig("m")); err != nil {
		t.Fatal(err)
	}
	if a.watched, err = newWatched(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, e := range []interface{ Name() string }{a.embedderPort(), a.earlierEmbedder("m")} {
		port, ok := e.(privateEmbedder)
		if !ok {
			t.Fatalf("%T hides nothing", e)
		}
		if _, err := port.Embed(t.Context(), []string{"my card is 4111 1111 1111 1111, is it refunded?"}); err != nil {
			t.Fatal(err)
		}
		if body := <-sent; strings.Contains(body, "4111 1111") || !strings.Contains(body, "is it refunded") {
			t.Errorf("sent: %s", body)
		}
	}
}
