package main

import (
	"bufio"
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestSlope(t *testing.T) {
	if s := slope([]float64{0, 1, 2, 3}, []float64{5, 7, 9, 11}); math.Abs(s-2) > 1e-9 {
		t.Errorf("slope %g, want 2", s)
	}
	if s := slope([]float64{1, 1}, []float64{2, 3}); s != 0 {
		t.Errorf("slope without time: %g", s)
	}
}

// TestRecordings holds that conversations never run out and have names of their
// own.
func TestRecordings(t *testing.T) {
	r, stop := recordings("", time.Now().Add(time.Hour))
	defer stop()
	seen := map[string]bool{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for range 500 {
		if !lines.Scan() {
			t.Fatalf("they ended after %d: %v", len(seen), lines.Err())
		}
		var c struct {
			ID string `json:"_id"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil || seen[c.ID] {
			t.Fatalf("%q again, or %v", c.ID, err)
		}
		seen[c.ID] = true
	}
}
