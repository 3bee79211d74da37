package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
)

// recording is one recorded chat of evals/chats.
type recording struct {
	ID       string `json:"_id"`
	Title    string `json:"title"`
	Customer struct {
		Name string `json:"name"`
	} `json:"customer"`
	Turns []struct {
		Turn   int            `json:"turn"`
		AtMS   int64          `json:"at_ms"`
		Role   string         `json:"role"`
		Text   string         `json:"text"`
		Action *assist.Action `json:"action"`
	} `json:"turns"`
}

// readRecordings reads every *.jsonl of a folder.
func readRecordings(files fs.FS, dir string) ([]recording, error) {
	names, err := fs.Glob(files, path.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	var all []recording
	for _, name := range names {
		f, err := files.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			if strings.TrimSpace(lines.Text()) == "" {
				continue
			}
			var r recording
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				return nil, fmt.Errorf("%s line %d: %w", name, n, err)
			}
			all = append(all, r)
		}
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return all, nil
}

// demo plays recorded customers into the running server as a chat tool would
// report them, so that the console is alive at once. What was said before the
// customer's last words is told quickly, those come at human pace: the person at
// the console sees them arrive. Chats that an agent had begun are that person's.
type demo struct {
	chat  *chat.Service
	chats []recording
	run   string // makes the conversation ids of this start unique
	log   *slog.Logger
}

var (
	// tool is who the demo's turns come from.
	tool = assist.Identity{Subject: "demo", Actor: assist.ActorSource, Name: "demo chats"}
	// developer is who sits at the console while developing.
	developer = assist.Identity{Subject: "maya", Actor: assist.ActorAgent, Name: "Maya R."}
)

const (
	betweenChats = 4 * time.Second
	afterHistory = 1500 * time.Millisecond // from the history to the customer's last words
	longestPause = 6 * time.Second         // between those
)

// demoPrefix begins the ids of all demo conversations.
const demoPrefix = "demo-"

// clear closes what an earlier start has left in the queue.
func (d demo) clear(ctx context.Context) error {
	queue, err := d.chat.Queue(ctx, developer)
	if err != nil {
		return err
	}
	for _, c := range queue {
		if strings.HasPrefix(c.ID, demoPrefix) {
			if _, err := d.chat.Close(ctx, developer, c.ID, "demo ended"); err != nil {
				return err
			}
		}
	}
	return nil
}

// play runs until every chat is played or ctx ends.
func (d demo) play(ctx context.Context) {
	var playing sync.WaitGroup
	defer playing.Wait()
	for i, r := range d.chats {
		if i > 0 && !pause(ctx, betweenChats) {
			return
		}
		playing.Go(func() {
			if err := d.one(ctx, r); err != nil && ctx.Err() == nil {
				d.log.Warn("a demo chat stopped", "chat", r.ID, "err", err)
			}
		})
	}
}

func (d demo) one(ctx context.Context, r recording) error {
	id, live := d.run+"-"+r.ID, r.lastWords()
	taken := false
	for i, t := range r.Turns {
		at := time.Now().Add(-time.Duration(r.Turns[live].AtMS-t.AtMS) * time.Millisecond) // history lies in the past
		if i >= live {
			wait := afterHistory
			if i > live {
				wait = min(time.Duration(t.AtMS-r.Turns[i-1].AtMS)*time.Millisecond, longestPause)
			}
			if !pause(ctx, wait) {
				return nil
			}
			at = time.Now()
			if answered, err := d.answeredByPerson(ctx, id); err != nil || answered {
				return err
			}
		}
		turn := assist.NewTurn{
			Conversation: id, ExternalID: fmt.Sprintf("%s-%d", id, t.Turn),
			Role: assist.Role(t.Role), Text: t.Text, Action: t.Action, At: at,
		}
		switch {
		case t.Action != nil:
			turn.Role = assist.RoleSystem
		case turn.Role == assist.RoleCustomer:
			turn.Name = r.Customer.Name
		default:
			turn.Name = developer.Name
		}
		if turn.Role == assist.RoleAgent && !taken && i > 0 { // who answers has taken it
			if _, err := d.chat.TakeHandoff(ctx, developer, id); err != nil {
				return fmt.Errorf("take it: %w", err)
			}
			taken = true
		}
		if _, err := d.chat.AddTurn(ctx, tool, turn); err != nil {
			return fmt.Errorf("turn %d: %w", t.Turn, err)
		}
	}
	return nil
}

// lastWords is the first of the turns that the customer says last, in a row.
func (r recording) lastWords() int {
	i := len(r.Turns) - 1
	for i > 0 && r.Turns[i].Role == "customer" && r.Turns[i-1].Role == "customer" {
		i--
	}
	return i
}

// answeredByPerson reports whether somebody at the console replied or ended the
// chat: then its recording is over.
func (d demo) answeredByPerson(ctx context.Context, id string) (bool, error) {
	c, err := d.chat.Conversation(ctx, tool, id)
	if assist.CodeOf(err) == assist.NotFound {
		return false, nil
	}
	if err != nil || c.Status == assist.StatusClosed {
		return err == nil, err
	}
	turns, _, err := d.chat.Transcript(ctx, tool, id)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(turns, func(t assist.Turn) bool { return t.Author != tool.Subject }), nil
}

// pause waits and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
