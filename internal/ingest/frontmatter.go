package ingest

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/aside-project/aside/internal/assist"
)

const (
	frontKeys = "id, title, audience, kind, valid_from, valid_to, collection, language, url"
	maxFront  = 64 << 10 // bytes
)

// frontMatter reads the YAML block that may begin a text and gives the body
// after it. Unknown keys are warnings, for other tools have theirs; bad values
// are errors, for a typo must not publish an internal page.
func frontMatter(text string) (d assist.Document, body string, warnings []string, err error) {
	first, rest, _ := strings.Cut(text, "\n")
	if strings.TrimRight(first, " \t") != "---" {
		return d, text, nil, nil
	}
	front, body, ok := cutFront(rest)
	if !ok {
		return d, "", nil, errors.New("the front matter opened on line 1 is never closed: end it with a line ---")
	}
	if len(front) > maxFront {
		return d, "", nil, fmt.Errorf("the front matter is larger than %d KB", maxFront>>10)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte("\n"+front), &doc); err != nil { // the \n stands for line 1
		line, cause := brokenLine(front), strings.TrimPrefix(err.Error(), "yaml: ")
		return d, "", nil, fmt.Errorf("line %d: the front matter is not valid: %s", line, strings.TrimSpace(yamlLine.ReplaceAllString(cause, "")))
	}
	if len(doc.Content) == 0 {
		return d, body, nil, nil
	}
	m := doc.Content[0]
	if m.Kind != yaml.MappingNode {
		return d, "", nil, errors.New("line 2: the front matter must be lines of key: value")
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		key, value := m.Content[i], m.Content[i+1]
		if seen[key.Value] {
			return d, "", nil, fmt.Errorf("line %d: %s is given twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		known, err := setField(&d, key.Value, value)
		if err != nil {
			return d, "", nil, fmt.Errorf("line %d: %w", value.Line, err)
		}
		if !known {
			warnings = append(warnings, fmt.Sprintf("line %d: the key %q is not known and was left out; known are %s", key.Line, key.Value, frontKeys))
		}
	}
	if d.ValidFrom != nil && d.ValidTo != nil && !d.ValidFrom.Before(*d.ValidTo) {
		return d, "", nil, errors.New("valid_to must be after valid_from")
	}
	return d, body, warnings, nil
}

// brokenLine is the line of the file from which on the front matter does not
// parse. The parser's own line numbers are those of where the block began.
func brokenLine(front string) int {
	all := strings.SplitAfter(front, "\n")
	for n := min(len(all), 100); n > 0; n-- {
		var doc yaml.Node
		if yaml.Unmarshal([]byte(strings.Join(all[:n], "")), &doc) == nil {
			return n + 2
		}
	}
	return 2
}

// cutFront parts the front matter from the body at a line --- or ....
func cutFront(rest string) (front, body string, ok bool) {
	for at := 0; at < len(rest); {
		line, after, _ := strings.Cut(rest[at:], "\n")
		if l := strings.TrimRight(line, " \t"); l == "---" || l == "..." {
			return rest[:at], after, true
		}
		at += len(line) + 1
	}
	return "", "", false
}

// setField sets one field of a document from its text in front matter.
func setField(d *assist.Document, key string, value *yaml.Node) (known bool, err error) {
	if !strings.Contains(" "+strings.ReplaceAll(frontKeys, ",", "")+" ", " "+key+" ") {
		return false, nil
	}
	if value.Kind != yaml.ScalarNode {
		return true, fmt.Errorf("%s must be a single value", key)
	}
	v := strings.TrimSpace(value.Value)
	if v == "" || value.Tag == "!!null" {
		return true, nil
	}
	return true, set(d, key, v)
}

// set sets a field from words: of front matter or of a table's column.
func set(d *assist.Document, key, v string) (err error) {
	switch key {
	case "id":
		d.ID = v
	case "title":
		d.Title = v
	case "collection":
		d.Collection = v
	case "audience":
		if d.Audience = assist.Audience(v); !d.Audience.Valid() {
			return fmt.Errorf("audience must be public or internal, not %q", v)
		}
	case "kind":
		if d.Kind = assist.Kind(v); !d.Kind.Valid() {
			return fmt.Errorf("kind must be policy, product, faq or procedure, not %q", v)
		}
	case "language":
		tag, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(v, "_", "-")), "-")
		if !languageTag.MatchString(tag) {
			return fmt.Errorf("language must be a tag such as en or de, not %q", v)
		}
		d.Language = tag
	case "url":
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("url must begin with https:// or http://, not %q", v)
		}
		d.URL = v
	case "valid_from":
		d.ValidFrom, err = date(key, v)
	case "valid_to":
		d.ValidTo, err = date(key, v)
	}
	return err
}

func date(key, v string) (*time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, v); err == nil {
			return &t, nil
		}
	}
	return nil, fmt.Errorf("%s must be a date such as 2026-03-31, not %q", key, v)
}

var (
	yamlLine    = regexp.MustCompile(`line \d+: `)
	languageTag = regexp.MustCompile(`^[a-z]{2,3}$`)
	idLine      = regexp.MustCompile(`(?m)^id:[ \t]*["']?([^"'\n]+?)["']?[ \t]*$`)
)

// claimedID is the id that a file's front matter seems to give, even where it is
// broken: what was ingested under it must not be taken for gone.
func claimedID(text string) string {
	if !strings.HasPrefix(text, "---") {
		return ""
	}
	if m := idLine.FindStringSubmatch(text[:min(len(text), maxFront)]); m != nil {
		return m[1]
	}
	return ""
}
