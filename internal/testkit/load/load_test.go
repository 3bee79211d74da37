package load

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSamples(t *testing.T) {
	var s Samples
	if s.P(.5) != 0 {
		t.Error("a percentile of nothing")
	}
	for i := range 100 {
		s.Add(time.Duration(100-i) * time.Millisecond)
	}
	for p, want := range map[float64]float64{0: 1, .5: 50, .95: 95, .99: 99, 1: 100} {
		if got := s.P(p); got != want {
			t.Errorf("p%g: %g, want %g", p, got, want)
		}
	}
}

// TestQuestions holds that there are some without the development data too.
func TestQuestions(t *testing.T) {
	texts, err := Questions("")
	if err != nil || len(texts) < 10 {
		t.Errorf("%d questions, %v", len(texts), err)
	}
}
