package libredesk

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// marks are connect.Marks in memory.
type marks struct {
	mu  sync.Mutex
	at  map[string]time.Time
	now func() time.Time
	err error
}

func newMarks(now func() time.Time) *marks { return &marks{at: map[string]time.Time{}, now: now} }

func (m *marks) Once(_ context.Context, tool, key string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return false, m.err
	}
	_, was := m.at[tool+key]
	if !was {
		m.at[tool+key] = m.now()
	}
	return !was, nil
}

func (m *marks) Mark(_ context.Context, tool, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at[tool+key] = m.now()
	return m.err
}

func (m *marks) Marked(_ context.Context, tool, key string) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[tool+key], m.err
}

// nowhere is a bus without watchers.
type nowhere struct{}

func (nowhere) Publish(string, assist.Event) {}

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// deliver posts a delivery as Libredesk would, and gives the status.
func deliver(h http.Handler, secret string, body []byte) int {
	r := httptest.NewRequest(http.MethodPost, "/v1/hooks/libredesk", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Libredesk-Webhook/v2.7.0")
	if secret != "" {
		r.Header.Set("X-Libredesk-Signature", signature(secret, body))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func writeJSON(t testing.TB, w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		t.Error(err)
	}
}

// unmarshal reads the message in a delivery, or a bare one.
func unmarshal(body []byte, m *message) bool {
	var e envelope
	if json.Unmarshal(body, &e) == nil && json.Unmarshal(e.Payload, m) == nil {
		return true
	}
	return json.Unmarshal(body, m) == nil
}
