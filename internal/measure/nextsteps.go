package measure

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/playbook"
)

// StepsInput names the files of a measurement of next steps.
type StepsInput struct {
	Policies           string // folder of Markdown procedures
	Conversations      string // JSONL
	Points             string // JSONL: after sees_turns turns, what the agent did
	LearnConversations string // optional, with LearnPoints: what to learn from first
	LearnPoints        string
}

// StepsResult is what was measured. A point is one moment at which an agent did
// something in another system; AllPoints counts the moments of saying and ending
// too.
type StepsResult struct {
	Points         int      `json:"points"`
	PolicyAccuracy float64  `json:"policy_accuracy"` // of the points whose procedure is known
	Hit1           float64  `json:"hit@1"`
	Hit3           float64  `json:"hit@3"`
	AllPoints      int      `json:"all_points"`
	KindAccuracy   float64  `json:"kind_accuracy"` // press, say or end, over all points
	KindPress      float64  `json:"kind_press"`    // share of each kind that was seen as such
	KindSay        float64  `json:"kind_say"`
	KindEnd        float64  `json:"kind_end"`
	Learned        int      `json:"learned_conversations"`
	P50            float64  `json:"p50_ms"`
	P95            float64  `json:"p95_ms"`
	Missed         []string `json:"-"`
}

type stepPoint struct {
	ID           string `json:"_id"`
	Conversation string `json:"conversation"`
	Sees         int    `json:"sees_turns"`
	Policy       string `json:"policy"`
	Target       struct {
		Step   string   `json:"step"`
		Accept []string `json:"accept"`
	} `json:"target"`
}

// move is what the agent did, in the playbook's words.
func (p stepPoint) move() playbook.Move {
	switch p.Target.Step {
	case "end_conversation":
		return playbook.MoveEnd
	case "take_action", "query":
		return playbook.MovePress
	}
	return playbook.MoveSay
}

type pastChat struct {
	turns  []assist.Turn
	policy string
}

// NextSteps measures how often the steps that Aside would offer are what the
// agent did.
func NextSteps(in StepsInput) (out StepsResult, err error) {
	book, err := readBook(in.Policies)
	if err != nil {
		return out, err
	}
	weights := playbook.NewWeights()
	if in.LearnConversations != "" {
		chats, err := readChats(in.LearnConversations, false)
		if err != nil {
			return out, err
		}
		if err := labelChats(chats, in.LearnPoints); err != nil {
			return out, err
		}
		out.Learned = weights.Learn(book, pasts(book, chats)).Conversations
	}
	chats, err := readChats(in.Conversations, false)
	if err != nil {
		return out, err
	}
	points, err := stepLines[stepPoint](in.Points, false)
	if err != nil {
		return out, err
	}
	m := stepMeter{kinds: map[playbook.Move]*share{playbook.MovePress: {}, playbook.MoveSay: {}, playbook.MoveEnd: {}}}
	for _, p := range points {
		c, ok := chats[p.Conversation]
		if !ok || p.Sees > len(c.turns) {
			return out, fmt.Errorf("point %s: conversation %q with %d turns is not in %s", p.ID, p.Conversation, p.Sees, in.Conversations)
		}
		if p.Policy == "" {
			p.Policy = c.policy
		}
		began := time.Now()
		f := weights.Forecast(book, c.turns[:p.Sees], playbook.Clues{})
		m.took = append(m.took, float64(time.Since(began).Microseconds())/1000)
		m.point(p, f)
	}
	return m.result(out), nil
}

type share struct{ n, good int }

func (s *share) add(ok bool) {
	s.n++
	if ok {
		s.good++
	}
}

func (s share) of() float64 {
	if s.n == 0 {
		return 0
	}
	return float64(s.good) / float64(s.n)
}

type stepMeter struct {
	policy, one, three, kind share
	kinds                    map[playbook.Move]*share
	took                     []float64
	missed                   []string
}

func (m *stepMeter) point(p stepPoint, f playbook.Forecast) {
	m.kind.add(f.Move() == p.move())
	m.kinds[p.move()].add(f.Move() == p.move())
	if len(p.Target.Accept) == 0 {
		return
	}
	if p.Policy != "" {
		m.policy.add(len(f.Procedures) > 0 && sameLabel(f.Procedures[0].DocumentID, p.Policy))
	}
	at := slices.IndexFunc(f.Buttons, func(b playbook.Press) bool {
		return slices.ContainsFunc(p.Target.Accept, func(a string) bool { return playbook.Same(a, b.Name) })
	})
	m.one.add(at == 0)
	m.three.add(at >= 0 && at < 3)
	if at != 0 {
		line := p.ID + " " + p.Policy + " want " + strings.Join(p.Target.Accept, "/") + ", got"
		for i, b := range f.Buttons {
			if i < 3 {
				line += fmt.Sprintf(" %s(%.2f %s)", b.Name, b.Share, b.DocumentID)
			}
		}
		m.missed = append(m.missed, line)
	}
}

func (m *stepMeter) result(out StepsResult) StepsResult {
	out.Points, out.AllPoints = m.one.n, m.kind.n
	out.PolicyAccuracy, out.Hit1, out.Hit3, out.KindAccuracy = m.policy.of(), m.one.of(), m.three.of(), m.kind.of()
	out.KindPress, out.KindSay, out.KindEnd = m.kinds[playbook.MovePress].of(), m.kinds[playbook.MoveSay].of(), m.kinds[playbook.MoveEnd].of()
	if n := len(m.took); n > 0 {
		slices.Sort(m.took)
		out.P50, out.P95 = m.took[n/2], m.took[n*95/100]
	}
	out.Missed = m.missed
	return out
}

// readBook reads a folder of procedures; a file's name without .md is the
// document's id.
func readBook(dir string) (*playbook.Book, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return nil, fmt.Errorf("look for policies in %s: %w", dir, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no Markdown files in %s", dir)
	}
	var procs []playbook.Procedure
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read policy: %w", err)
		}
		d := assist.Document{ID: strings.TrimSuffix(filepath.Base(f), ".md"), Body: string(body)}
		d.Title = d.ID
		for line := range strings.Lines(d.Body) {
			if title, ok := strings.CutPrefix(line, "# "); ok {
				d.Title = strings.TrimSpace(title)
				break
			}
		}
		if p, ok := playbook.Parse(d); ok {
			procs = append(procs, p)
		}
	}
	return playbook.NewBook(procs), nil
}

// sameLabel reports whether a document is the policy that a label means:
// "returns--size" and "returns/size" are the same.
func sameLabel(document, label string) bool { return playbook.Key(document) == playbook.Key(label) }

func readChats(file string, lenient bool) (map[string]pastChat, error) {
	type line struct {
		ID     string   `json:"_id"`
		Policy string   `json:"policy"`
		Tasks  []string `json:"tasks"`
		Turns  []struct {
			Role   string `json:"role"`
			Text   string `json:"text"`
			Action *struct {
				Name  string   `json:"name"`
				OneOf []string `json:"one_of"`
			} `json:"action"`
		} `json:"turns"`
	}
	lines, err := stepLines[line](file, lenient)
	if err != nil {
		return nil, err
	}
	out := map[string]pastChat{}
	for _, l := range lines {
		c := pastChat{policy: l.Policy}
		if c.policy == "" && len(l.Tasks) == 1 {
			c.policy = l.Tasks[0]
		}
		for i, t := range l.Turns {
			turn := assist.Turn{Seq: int64(i + 1), Role: assist.Role(t.Role), Text: t.Text}
			if t.Role == "action" {
				turn.Role = assist.RoleSystem
			}
			if t.Action != nil {
				name := t.Action.Name
				if name == "" {
					name = strings.Join(t.Action.OneOf, " or ") // one of them; nobody knows which
				}
				if name != "" {
					turn.Action = &assist.Action{Name: name}
				}
			}
			c.turns = append(c.turns, turn)
		}
		out[l.ID] = c
	}
	return out, nil
}

// labelChats takes the procedure of each conversation from its points.
func labelChats(chats map[string]pastChat, points string) error {
	if points == "" {
		return nil
	}
	lines, err := stepLines[stepPoint](points, false)
	if err != nil {
		return err
	}
	for _, p := range lines {
		if c, ok := chats[p.Conversation]; ok && p.Policy != "" {
			c.policy = p.Policy
			chats[p.Conversation] = c
		}
	}
	return nil
}

// ReadPast reads conversations to learn next steps from. The procedure of one
// that names none, or one that is not in the book, is left to be inferred. Lines
// that are no conversation are left out.
func ReadPast(book *playbook.Book, file string) ([]playbook.Past, error) {
	chats, err := readChats(file, true)
	if err != nil {
		return nil, err
	}
	return pasts(book, chats), nil
}

func pasts(book *playbook.Book, chats map[string]pastChat) []playbook.Past {
	documents := map[string]string{}
	for _, id := range book.Documents() {
		documents[playbook.Key(id)] = id
	}
	var ids []string
	for id := range chats {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var out []playbook.Past
	for _, id := range ids {
		c := chats[id]
		out = append(out, playbook.Past{Turns: c.turns, Procedure: documents[playbook.Key(c.policy)], Ended: true})
	}
	return out
}

// stepLines reads JSONL, one value a line, of at most 16 MiB. A line that does not
// read is an error, or is left out when lenient.
func stepLines[T any](file string, lenient bool) ([]T, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []T
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			if lenient {
				continue
			}
			return nil, fmt.Errorf("%s, line %d: %w", file, n, err)
		}
		out = append(out, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return out, nil
}
