// Package measure measures: each file holds one measurement, named after it. A
// measurement reads its data, drives the same code as the live service through
// small ports, and gives a report whose JSON keys are part of the protocol.
package measure

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/retrieve"
)

// Query is a line of a queries file: what a customer wrote, and what was said
// before it.
type Query struct {
	ID         string `json:"_id"`
	Text       string `json:"text"`
	History    []Said `json:"history"`
	Answerable *bool  `json:"answerable"` // nil: not said, or not a question for the knowledge
}

// Said is a turn before the question.
type Said struct {
	Role string `json:"role"` // customer, agent or action
	Text string `json:"text"`
}

// Turns gives the transcript that ends in the question.
func (q Query) Turns() []assist.Turn {
	turns := make([]assist.Turn, 0, len(q.History)+1)
	for _, h := range q.History {
		role := assist.Role(h.Role)
		if !role.Valid() {
			role = assist.RoleSystem // an action in another system
		}
		turns = append(turns, assist.Turn{Seq: int64(len(turns)) + 1, Role: role, Text: h.Text})
	}
	return append(turns, assist.Turn{Seq: int64(len(turns)) + 1, Role: assist.RoleCustomer, Text: q.Text})
}

// Qrels says which corpus ids answer a query, by query id.
type Qrels map[string]map[string]bool

// ReadQueries reads a queries file in BEIR's shape.
func ReadQueries(file string) ([]Query, error) {
	var queries []Query
	err := readLines(file, func(n int, q Query) error {
		if q.ID == "" {
			return errors.New(`it has no "_id"`)
		}
		queries = append(queries, q)
		return nil
	})
	return queries, err
}

// ReadQrels reads query id, corpus id and score, parted by tabs, below a header.
// A score of 0 means that the passage does not answer.
func ReadQrels(file string) (Qrels, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	right := Qrels{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		f := strings.Split(strings.TrimSpace(line), "\t")
		switch {
		case len(f) == 1 && f[0] == "" || n == 1 && f[len(f)-1] == "score":
			continue
		case len(f) != 3:
			return nil, fmt.Errorf("%s: line %d must be query-id, corpus-id and score, parted by tabs", file, n)
		case f[2] == "0":
			continue
		}
		if right[f[0]] == nil {
			right[f[0]] = map[string]bool{}
		}
		right[f[0]][f[1]] = true
	}
	return right, nil
}

// ReadCorpus reads a corpus file in BEIR's shape: each line is a document of one
// passage, with the line's id.
func ReadCorpus(file string) ([]assist.Document, error) {
	var docs []assist.Document
	err := readLines(file, func(n int, p struct {
		ID       string `json:"_id"`
		Title    string `json:"title"`
		Text     string `json:"text"`
		Metadata struct {
			Document string `json:"document"`
		} `json:"metadata"`
	}) error {
		if p.ID == "" {
			return errors.New(`it has no "_id"`)
		}
		docs = append(docs, corpusDocument(p.ID, p.Metadata.Document, p.Title, p.Text))
		return nil
	})
	if err == nil && len(docs) == 0 {
		err = fmt.Errorf("%s has no passages", file)
	}
	return docs, err
}

func corpusDocument(id, page, title, text string) assist.Document {
	language := lex.Language(title + "\n" + text)
	return assist.Document{
		ID: id, Title: title, Kind: assist.KindFAQ, Audience: assist.AudienceInternal, Language: language,
		Source: "corpus", Path: page, Revision: "1", Body: text,
		Passages: []assist.Passage{{ID: id, DocumentID: id, Text: text, End: len(text), Terms: retrieve.PassageTerms(title, "", text, language)}},
	}
}

const maxLine = 32 << 20 // bytes

// readLines reads a file of JSON lines; n counts from 1.
func readLines[T any](file string, each func(n int, v T) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var v T
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			return fmt.Errorf("%s:%d: this is not the JSON that is expected here: %w", file, n, err)
		}
		if err := each(n, v); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
