package eval

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"

	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
)

// Labelled is a reply that people have judged: a line of a calibration file.
type Labelled struct {
	Criterion    string `json:"criterion"`
	Conversation string `json:"conversation"`
	Reply        string `json:"reply"`
	Pass         *bool  `json:"pass"` // what people say
}

// ReadLabelled reads a calibration file, JSON Lines.
func ReadLabelled(fsys fs.FS, name string) ([]Labelled, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read labels: %w", err)
	}
	var out []Labelled
	sc := bufio.NewScanner(bytes.NewReader(raw))
	sc.Buffer(nil, 4<<20)
	for line := 1; sc.Scan(); line++ {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		var l Labelled
		d := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		if l.Criterion == "" || l.Reply == "" || l.Pass == nil {
			return nil, fmt.Errorf("%s:%d: criterion, reply and pass are needed", name, line)
		}
		out = append(out, l)
	}
	if len(out) == 0 && sc.Err() == nil {
		return nil, fmt.Errorf("%s holds no labelled replies", name)
	}
	return out, sc.Err()
}

// KappaBar is the agreement with people, beyond chance, below which a judge may
// report but should not gate.
const KappaBar = 0.6

// Calibration is how well a judge agrees with people.
type Calibration struct {
	Judge       string  `json:"judge"`
	Prompt      string  `json:"prompt"` // how it was asked
	Version     string  `json:"prompt_version"`
	Cases       int     `json:"cases"`
	Errors      int     `json:"errors"` // not judged, and not counted below
	Agreement   float64 `json:"agreement"`
	Kappa       float64 `json:"kappa"`
	FalsePasses int     `json:"false_passes"`
	FalseFails  int     `json:"false_fails"`
	LengthBias  float64 `json:"length_bias"` // characters: how much longer wrongly passed replies are than wrongly failed ones; 0 if either is missing
	MayGate     bool    `json:"may_gate"`
}

// Calibrate asks a judge, in the words of a prompt "judge" or a variant of it, about
// replies that people have judged.
func Calibrate(ctx context.Context, judge llm.ChatModel, p *prompt.Prompt, labels []Labelled) (Calibration, error) {
	c := Calibration{Judge: judge.Name(), Prompt: p.Name, Version: p.Version, Cases: len(labels)}
	var both, yesJudge, yesPeople, n float64
	var long, short []float64
	var last error
	for _, l := range labels {
		turns, err := parseConversation(l.Conversation, "")
		if l.Conversation != "" && err != nil {
			return c, fmt.Errorf("a labelled conversation: %w", err)
		}
		v, err := judgeReply(ctx, judge, p, l.Criterion, turns, l.Reply)
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		if err != nil {
			c.Errors++
			last = err
			continue
		}
		n++
		yesJudge += truth(*v.Pass)
		yesPeople += truth(*l.Pass)
		both += truth(*v.Pass == *l.Pass)
		switch {
		case *v.Pass && !*l.Pass:
			c.FalsePasses++
			long = append(long, float64(len([]rune(l.Reply))))
		case !*v.Pass && *l.Pass:
			c.FalseFails++
			short = append(short, float64(len([]rune(l.Reply))))
		}
	}
	if n == 0 {
		return c, fmt.Errorf("judge %s answered none of %d cases: %w", c.Judge, c.Cases, last)
	}
	c.Agreement = round(both / n)
	chance := yesJudge/n*yesPeople/n + (1-yesJudge/n)*(1-yesPeople/n)
	if chance < 1 {
		c.Kappa = round((both/n - chance) / (1 - chance))
	}
	if len(long) > 0 && len(short) > 0 {
		c.LengthBias = round(mean(long) - mean(short))
	}
	c.MayGate = c.Kappa >= KappaBar && float64(c.Errors) <= 0.02*float64(c.Cases)
	return c, nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// WriteCalibration writes a calibration for a terminal.
func WriteCalibration(w io.Writer, c Calibration) {
	fmt.Fprintf(w, "judge %s asked with %s %s: %d cases, %d not judged\nagreement %.2f, kappa %.2f (1 = as people, 0 = as chance)\n%d wrongly passed, %d wrongly failed\n",
		c.Judge, c.Prompt, c.Version, c.Cases, c.Errors, c.Agreement, c.Kappa, c.FalsePasses, c.FalseFails)
	if c.LengthBias != 0 {
		fmt.Fprintf(w, "what it wrongly passes is %.0f characters longer than what it wrongly fails\n", c.LengthBias)
	}
	if c.MayGate {
		fmt.Fprintln(w, "It may gate.")
	} else {
		fmt.Fprintf(w, "It may report, not gate: the bar is kappa %.1f and at most 2 %% not judged.\n", KappaBar)
	}
}
