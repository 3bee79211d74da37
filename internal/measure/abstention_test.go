package measure

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

func TestCalibrationFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "threshold.json")
	r := AbstentionReport{Answerable: 40, Unanswerable: 30, Calibrated: AbstentionPoint{Threshold: 0.41, Answered: 0.7, RightPage: 0.9, WronglyAnswered: 0.04}}
	if err := WriteCalibration(file, r); err != nil {
		t.Fatal(err)
	}
	c, err := ReadCalibration(file)
	if d := cmp.Diff(Calibration{r.Calibrated, 40, 30}, c); d != "" || err != nil {
		t.Errorf("%v -want +got\n%s", err, d)
	}
	r.Unanswerable = 3
	if err := WriteCalibration(file, r); err == nil || !strings.Contains(err.Error(), "too few") {
		t.Errorf("three questions: %v", err)
	}
	dir := files(t, map[string]string{"a": "{", "b": `{"threshold": 7}`})
	for name, want := range map[string]string{"a": "not a calibrated threshold", "b": "the threshold is 7"} {
		if _, err := ReadCalibration(filepath.Join(dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
