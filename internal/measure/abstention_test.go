package measure

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/bot"
)

func TestCalibrate(t *testing.T) {
	var outcomes []abstention
	for n := range 100 { // answerable from 0.00 to 0.99, right in the upper half; the others up to 0.60
		e := float64(n) / 100
		outcomes = append(outcomes, abstention{answerable: true, evidence: e, right: n >= 50}, abstention{evidence: e * 0.6})
	}
	outcomes = append(outcomes, abstention{evidence: 0.99, quiet: true}) // small talk is never answered
	got := calibrate(outcomes, 0.05)
	want := AbstentionPoint{Threshold: 0.57, Answered: 0.43, RightPage: 1, WronglyAnswered: 0.0495}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if got := calibrate([]abstention{{evidence: 1}, {answerable: true, evidence: 0.5}}, 0.05); got.Threshold != 1 {
		t.Errorf("where nothing can be told apart the threshold is %v", got.Threshold)
	}
}

// TestCalibrationFile: what is written is what the bot then follows.
func TestCalibrationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), bot.ThresholdFile)
	r := AbstentionReport{Answerable: 40, Unanswerable: 30, Calibrated: AbstentionPoint{Threshold: 0.41, Answered: 0.7, RightPage: 0.9, WronglyAnswered: 0.04}}
	if err := WriteCalibration(file, r); err != nil {
		t.Fatal(err)
	}
	calibration, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string]float64{"mode: answer": 0.41, "mode: answer\nthreshold: 0.9\n": 0.9} {
		body, err := bot.WithThreshold([]byte(settings), calibration)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := bot.Parse(body); err != nil || s.AnswerFrom() != want || s.Mode != bot.Answer {
			t.Errorf("%q: %v %v, want %v", settings, s.AnswerFrom(), err, want)
		}
	}
	r.Unanswerable = 3
	if err := WriteCalibration(file, r); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("three questions: %v", err)
	}
	for _, broken := range []string{"{", `{"threshold": 7}`, `{}`} {
		if _, err := bot.WithThreshold([]byte("mode: answer"), []byte(broken)); err == nil || !strings.Contains(err.Error(), "write it anew") {
			t.Errorf("%s: %v", broken, err)
		}
	}
}
