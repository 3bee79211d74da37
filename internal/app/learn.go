package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
)

// LearnReport says what past chats taught.
type LearnReport struct {
	Conversations int `json:"conversations"`
	Questions     int `json:"questions"` // that an agent answered from a passage which could be told
	Steps         int `json:"steps"`     // of procedures, in the order that agents take them
	Skipped       int `json:"skipped"`   // lines that are no conversation; replies that tell nothing are not counted
}

// maxConversation is the longest line of a file of chats, in bytes.
const maxConversation = 16 << 20

// LearnFile reads past chats, one JSON object a line, and learns which passage
// each agent's reply stood on. A reply says that only by its words, so each guess
// counts by how sure it is, and one that is not sure does not count. Reading a
// file again adds nothing.
func LearnFile(ctx context.Context, db *postgres.DB, r *retrieve.Retriever, in io.Reader, warn func(line int, why string), progress func(conversations int)) (report LearnReport, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxConversation)
	var lessons []retrieve.Lesson
	flush := func() error {
		added, err := db.Learn(ctx, lessons)
		report.Questions += added
		lessons = lessons[:0]
		return err
	}
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		id, turns, err := pastChat(lines.Bytes())
		if err != nil {
			warn(n, err.Error())
			report.Skipped++
			continue
		}
		report.Conversations++
		if progress != nil && report.Conversations%20 == 0 {
			progress(report.Conversations)
		}
		found, err := lessonsOf(ctx, r, id, turns)
		if err != nil {
			return report, fmt.Errorf("line %d: %w", n, err)
		}
		if lessons = append(lessons, found...); len(lessons) >= 500 {
			if err := flush(); err != nil {
				return report, err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return report, fmt.Errorf("read the chats: %w", err)
	}
	return report, flush()
}

// lessonsOf guesses what each reply in a chat answered and stood on.
func lessonsOf(ctx context.Context, r *retrieve.Retriever, id string, turns []assist.Turn) ([]retrieve.Lesson, error) {
	var lessons []retrieve.Lesson
	for i, t := range turns {
		if t.Role != assist.RoleAgent {
			continue
		}
		grounds, err := r.Guess(ctx, turns[:i], t.Text)
		if err != nil {
			return nil, err
		}
		if len(grounds) > 0 {
			lessons = append(lessons, retrieve.NewLesson("import:"+id, t.Seq, withoutSecrets(turns[:i]), grounds))
		}
	}
	return lessons, nil
}

// pastChat reads a line of a conversations file.
func pastChat(line []byte) (id string, turns []assist.Turn, err error) {
	var c struct {
		ID    string `json:"_id"`
		Turns []struct {
			Role string `json:"role"`
			Text string `json:"text"`
		} `json:"turns"`
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return "", nil, fmt.Errorf("it is not a conversation in JSON: %w", err)
	}
	if c.ID == "" || assist.CheckText("_id", c.ID, 4*assist.MaxID) != nil {
		return "", nil, fmt.Errorf(`it has no "_id" of 1 to %d bytes`, 4*assist.MaxID)
	}
	for i, t := range c.Turns {
		role := assist.Role(t.Role)
		if t.Role == "action" {
			role = assist.RoleSystem
		}
		if !role.Valid() {
			return "", nil, fmt.Errorf("turn %d has role %q: it must be customer, agent or action", i+1, t.Role)
		}
		turns = append(turns, assist.Turn{Seq: int64(i) + 1, Role: role, Text: strings.ToValidUTF8(t.Text, "\uFFFD")})
	}
	if len(turns) == 0 {
		return "", nil, fmt.Errorf(`it has no "turns"`)
	}
	return c.ID, turns, nil
}
