package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
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
// report them, so that the console is alive at once. A conversation whose agent
// is the person at the console is theirs from there on: recorded turns after a
// real reply are not played.
type demo struct {
	chat  *chat.Service
	chats []recording
	run   string // makes the conversation ids of this start unique
	speed float64
	log   *slog.Logger
}

// tool is who the demo's turns come from.
var tool = assist.Identity{Subject: "demo", Actor: assist.ActorSource, Name: "demo chats"}

// maxPause keeps a recorded pause from boring the audience.
const maxPause = 12 * time.Second

// play runs until every chat is played or ctx ends. The first chats arrive
// within seconds, the rest one by one.
func (d demo) play(ctx context.Context) {
	done := make(chan struct{})
	for i, r := range d.chats {
		go func() {
			defer func() { done <- struct{}{} }()
			if !pause(ctx, time.Duration(i)*1500*time.Millisecond) {
				return
			}
			if err := d.one(ctx, r); err != nil && ctx.Err() == nil {
				d.log.Warn("a demo chat stopped", "chat", r.ID, "err", err)
			}
		}()
	}
	for range d.chats {
		<-done
	}
}

func (d demo) one(ctx context.Context, r recording) error {
	id := d.run + "-" + r.ID
	last := int64(0)
	for _, t := range r.Turns {
		wait := time.Duration(float64(t.AtMS-last) / d.speed * float64(time.Millisecond))
		last = t.AtMS
		if !pause(ctx, min(wait, maxPause)) {
			return nil
		}
		taken, err := d.answeredByPerson(ctx, id)
		if err != nil || taken {
			return err
		}
		turn := assist.NewTurn{
			Conversation: id, ExternalID: fmt.Sprintf("%s-%d", id, t.Turn),
			Role: assist.Role(t.Role), Text: t.Text, Action: t.Action,
		}
		if t.Role == "customer" {
			turn.Name = r.Customer.Name
		}
		if t.Action != nil {
			turn.Role = assist.RoleSystem
		}
		if _, err := d.chat.AddTurn(ctx, tool, turn); err != nil {
			return fmt.Errorf("turn %d: %w", t.Turn, err)
		}
	}
	return nil
}

// answeredByPerson reports whether somebody took the chat at the console.
func (d demo) answeredByPerson(ctx context.Context, id string) (bool, error) {
	c, err := d.chat.Conversation(ctx, tool, id)
	if assist.CodeOf(err) == assist.NotFound {
		return false, nil
	}
	return c.Agent != "" || c.Status == assist.StatusClosed, err
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
