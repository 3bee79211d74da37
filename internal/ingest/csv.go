package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

const csvColumns = "question, answer, audience, url, title, id, language"

// parseCSV reads pairs of question and answer: each row is a document. One bad
// row fails the file, for half of a table is not visible either.
func parseCSV(ctx context.Context, f file, text string) ([]assist.Document, []string, error) {
	r := csvReader(text)
	header, err := r.Read()
	if err != nil {
		return nil, nil, csvError(err)
	}
	var warnings []string
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(strings.Split(csvColumns, ", "), header[i]) {
			warnings = append(warnings, fmt.Sprintf("the column %q is not known and was left out; known are %s", name, csvColumns))
		}
	}
	for _, name := range []string{"question", "answer"} {
		if !slices.Contains(header, name) {
			return nil, warnings, fmt.Errorf("the first row must name the columns question and answer; it names %s", clip(strings.Join(header, ", ")))
		}
	}
	var docs []assist.Document
	rows := map[string]int{}
	byID := map[string]*assist.Document{}
	for {
		if ctx.Err() != nil {
			return nil, warnings, context.Cause(ctx)
		}
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, warnings, csvError(err)
		}
		line, _ := r.FieldPos(0)
		if strings.TrimSpace(strings.Join(record, "")) == "" {
			continue
		}
		d, err := row(ctx, header, record)
		if err != nil {
			return nil, warnings, fmt.Errorf("row on line %d: %w", line, err)
		}
		if d.ID == "" {
			sum := sha256.Sum256([]byte(d.Title + "\x00" + d.Passages[0].Heading))
			d.ID = f.id + "/" + hex.EncodeToString(sum[:4])
			if other := byID[d.ID]; other != nil && other.Title != d.Title { // two hashes begin alike
				d.ID = f.id + "/" + hex.EncodeToString(sum[:])
			}
		}
		if other, twice := rows[d.ID]; twice {
			return nil, warnings, fmt.Errorf("row on line %d: the same question or id is already on line %d", line, other)
		}
		rows[d.ID] = line
		byID[d.ID] = &d
		docs = append(docs, d)
	}
	if len(docs) == 0 {
		return nil, warnings, errors.New("there is no row below the names of the columns")
	}
	return docs, warnings, nil
}

func csvReader(text string) *csv.Reader {
	r := csv.NewReader(strings.NewReader(text))
	if first, _, _ := strings.Cut(text, "\n"); strings.Count(first, ";") > strings.Count(first, ",") {
		r.Comma = ';' // as spreadsheets write it where the comma is the decimal mark
	}
	r.TrimLeadingSpace = true
	return r
}

// row makes a document of one question and its answer.
func row(ctx context.Context, header, record []string) (assist.Document, error) {
	d := assist.Document{Kind: assist.KindFAQ}
	var question, answer string
	for i, name := range header {
		v := strings.TrimSpace(record[i])
		switch {
		case name == "question":
			question = strings.Join(strings.Fields(v), " ")
		case name == "answer":
			answer = v
		case v != "" && strings.Contains(csvColumns, name) && name != "":
			if err := set(&d, name, v); err != nil {
				return d, err
			}
		}
	}
	if question == "" {
		return d, errors.New("the question is empty")
	}
	if answer == "" {
		return d, errors.New("the answer is empty")
	}
	if err := markdownDocument(ctx, &d, answer); err != nil {
		return d, err
	}
	if len(d.Passages) == 0 {
		return d, errors.New("there is no text in the answer")
	}
	if d.Title == "" {
		d.Title = question
		return d, nil
	}
	for i := range d.Passages {
		d.Passages[i].Heading = strings.TrimSuffix(question+headingMark+d.Passages[i].Heading, headingMark)
	}
	return d, nil
}

// hasColumn reports whether a table's header names the column.
func hasColumn(text, name string) bool {
	header, err := csvReader(text).Read()
	return err != nil || slices.ContainsFunc(header, func(h string) bool { return strings.EqualFold(strings.TrimSpace(h), name) })
}

// csvError says what is wrong with a table in words for its owner.
func csvError(err error) error {
	pe, ok := errors.AsType[*csv.ParseError](err)
	switch {
	case !ok:
		return err
	case errors.Is(pe.Err, csv.ErrFieldCount):
		return fmt.Errorf("row on line %d has not as many columns as the first row: put quotes around text with commas", pe.StartLine)
	case errors.Is(pe.Err, csv.ErrQuote), errors.Is(pe.Err, csv.ErrBareQuote):
		return fmt.Errorf("row on line %d has a stray quote: write a quote inside text twice", pe.StartLine)
	}
	return fmt.Errorf("row on line %d: %w", pe.StartLine, pe.Err)
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
