package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

// heap takes bytes from everywhere.
type heap struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heap) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(p)
}

func (h *heap) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.String()
}

// TestNoTextIsObserved plays a conversation in which everybody says the same odd
// word, with a model that writes and one that fails, and looks for the word in
// the log at its most talkative, in the metrics and in the traces.
func TestNoTextIsObserved(t *testing.T) {
	const canary = "Quokkazipper"
	for _, mode := range []scripted.Mode{scripted.Answer, scripted.Cut, scripted.HTML} {
		t.Run(string(mode), func(t *testing.T) {
			var log, traces heap
			collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(&traces, r.Body); err != nil {
					t.Error(err)
				}
			}))
			t.Cleanup(collector.Close)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
			model := scripted.Start(t, scripted.Script{Behaviour: scripted.Behaviour{Mode: mode}})
			a, cfg := serverLogging(t, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), func(c *app.Config) {
				c.Model = app.Endpoint{BaseURL: model.URL, Model: "scripted"}
				c.Traces = true
			})
			const conversation = "conv-observed"
			agent, customer := connect(t, a, cfg, maya), connect(t, a, cfg, dana(conversation))
			agent.send("conversation.open", "a-1", conversation, object{"after": 0})
			customer.send("conversation.open", "c-1", conversation, object{"after": 0})
			customer.send("typing", "c-2", conversation, object{"text": "The zipper " + canary})
			customer.send("turn.add", "c-3", conversation, object{"role": "customer", "text": "My jacket's zipper broke, says " + canary + ". Do I get my money back?"})
			done := agent.next(func(f frame) bool { return f.Type == "suggestion.ready" || f.Type == "suggestion.failed" })
			id := field(t, done.Data, "id")
			agent.send("draft.check", "a-2", conversation, object{"text": canary + " gets $900.", "suggestion_id": id})
			agent.send("suggestion.request", "a-3", conversation, object{"instruction": "mention " + canary})
			agent.send("reply.send", "a-4", conversation, object{"text": "Yes, " + canary + ".", "suggestion_id": id})
			agent.send("suggestion.feedback", "a-5", conversation, object{"suggestion_id": id, "verdict": "good"})
			// What is refused must not be quoted either.
			customer.send("turn.add", "c-4", conversation, object{"role": "agent", "text": canary})
			customer.send("turn.add", "c-5", conversation+canary, object{"role": "customer", "text": canary})
			customer.send("reply.send", "c-6", conversation, object{"text": canary})
			customer.send("conversation.close", "c-7", conversation, object{"resolution": canary})
			agent.send("conversation.close", "a-6", conversation, object{"resolution": "solved"})
			resp, err := http.Get(a.URL() + "/metrics")
			if err != nil {
				t.Fatal(err)
			}
			metrics, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if err := a.Stop(context.Background()); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{"log": log.String(), "metrics": string(metrics), "traces": traces.String()} {
				if i := strings.Index(strings.ToLower(text), strings.ToLower(canary)); i >= 0 {
					t.Errorf("the %s hold what was said: …%q", name, text[max(0, i-200):min(len(text), i+100)])
				}
			}
			if strings.Contains(string(metrics), conversation) || strings.Contains(string(metrics), id) {
				t.Error("an id became a label")
			}
			for _, want := range []string{`aside_turns_total{role="customer"} 1`, `aside_turns_total{role="agent"} 1`, `aside_feedback_total{verdict="good"} 1`,
				`aside_sockets 2`, `aside_model_calls_total{for="agent"`, `aside_queue_limit{queue="suggestions"} 320`, `aside_database_connections_max{pool="turns"} 8`, `aside_store_seconds_count{op="add_turn"} 1`} {
				if !strings.Contains(string(metrics), want) {
					t.Errorf("the metrics lack %s", want)
				}
			}
			for _, want := range []string{conversation, id, "suggestion", "reply", "passages"} {
				if !strings.Contains(traces.String(), want) {
					t.Errorf("the traces lack %s", want)
				}
			}
		})
	}
}

// TestProfiles holds that profiles are served where asked, to this machine only.
func TestProfiles(t *testing.T) {
	a, _ := server(t, func(c *app.Config) { c.Debug = "127.0.0.1:0" })
	get := func(host string) int {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+a.DebugAddress()+"/debug/pprof/goroutine?debug=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if c := get(""); c != 200 {
		t.Errorf("profiles: %d", c)
	}
	if c := get("evil.example:6060"); c != 403 {
		t.Errorf("a foreign name for this machine: %d", c)
	}
	resp, err := http.Get(a.URL() + "/debug/pprof/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("profiles beside the console: %d", resp.StatusCode)
	}
	http.DefaultClient.CloseIdleConnections()
	for _, listen := range []string{":6060", "0.0.0.0:6060", "192.168.1.2:6060", "localhost.evil.example:1", "6060"} {
		c := app.Default()
		if c.Debug = listen; c.Validate() == nil {
			t.Errorf("profiles on %s are allowed", listen)
		}
	}
}

// field gives one word of a JSON object.
func field(t *testing.T, data json.RawMessage, name string) string {
	t.Helper()
	var o map[string]json.RawMessage
	var s string
	if err := json.Unmarshal(data, &o); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(o[name], &s); err != nil {
		t.Fatalf("%s of %.200s: %v", name, data, err)
	}
	return s
}
