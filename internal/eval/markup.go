package eval

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// isXML: the whole answer is one well-formed document, with the required elements
// ("root.child") where the value names some.
func isXML(a *Assertion, t string) Grade {
	if err := xmlHolds(t, requiredElements(a)); err != nil {
		return failed("%v", err)
	}
	return passed("it is XML")
}

// containsXML: some part of the answer is.
func containsXML(a *Assertion, t string) Grade {
	var last error = errors.New("there is no XML in it")
	for i := 0; i < len(t); i++ {
		if t[i] != '<' {
			continue
		}
		name := xmlName.FindStringSubmatch(t[i:])
		if name == nil {
			continue
		}
		for _, end := range []string{"</" + name[1] + ">", "/>"} {
			if j := strings.LastIndex(t[i:], end); j >= 0 {
				if last = xmlHolds(t[i:i+j+len(end)], requiredElements(a)); last == nil {
					return passed("%q", clip(t[i:i+j+len(end)], 60))
				}
			}
		}
	}
	return failed("%v", last)
}

var xmlName = regexp.MustCompile(`^<([A-Za-z_][\w.-]*)`)

func requiredElements(a *Assertion) []string {
	var v struct{ RequiredElements []string }
	if a.Schema != "" && json.Unmarshal([]byte(a.Schema), &v) == nil {
		return v.RequiredElements
	}
	return nil
}

func needElements(a *Assertion) error {
	if a.Schema == "" && a.value() == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(a.Schema))
	d.DisallowUnknownFields()
	var v struct {
		RequiredElements []string `json:"requiredElements"`
	}
	if err := d.Decode(&v); err != nil || len(v.RequiredElements) == 0 {
		return errors.New("its value must be {requiredElements: [root.child, …]}")
	}
	return nil
}

func xmlHolds(t string, required []string) error {
	d := xml.NewDecoder(strings.NewReader(strings.TrimSpace(t)))
	var path, seen []string
	roots := 0
	for {
		tok, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("it is not XML: %w", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if len(path) == 0 {
				roots++
			}
			path = append(path, tok.Name.Local)
			seen = append(seen, strings.Join(path, "."))
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if len(path) == 0 && strings.TrimSpace(string(tok)) != "" {
				return errors.New("it is not XML: text stands outside the element")
			}
		}
	}
	if roots != 1 {
		return fmt.Errorf("it is not XML: it has %d root elements", roots)
	}
	for _, want := range required {
		if !slices.Contains(seen, want) {
			return fmt.Errorf("the element %s is missing", want)
		}
	}
	return nil
}

var (
	htmlSigns = []*regexp.Regexp{
		regexp.MustCompile(`(?i)<([a-z][a-z0-9]*)\b[^>]*>`), regexp.MustCompile(`(?i)</[a-z][a-z0-9]*\s*>`), regexp.MustCompile(`(?i)<[a-z][a-z0-9]*\b[^>]*/>`),
		regexp.MustCompile(`(?i)&(?:[a-z]{2,8}|#\d{1,6});`), regexp.MustCompile(`(?i)<[a-z][^>]*\s[a-z-]+=["'][^"']*["']`), regexp.MustCompile(`<!--`), regexp.MustCompile(`(?i)<!doctype`),
	}
	htmlTag  = regexp.MustCompile(`(?is)<!--.*?-->|<!doctype[^>]*>|<(/?)([a-z][a-z0-9-]*)\b[^>]*?(/?)>`)
	voidTags = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)

// containsHTML: at least two signs of markup stand in the answer.
func containsHTML(_ *Assertion, t string) Grade {
	n := 0
	for _, re := range htmlSigns {
		if re.MatchString(t) {
			n++
		}
	}
	return passIf(n >= 2, "%d signs of HTML", n)
}

// isHTML: the whole answer is elements, each of them closed.
func isHTML(_ *Assertion, t string) Grade {
	t = strings.TrimSpace(t)
	if strings.HasPrefix(t, "<?xml") {
		return failed("it is XML")
	}
	var open []string
	at, tags := 0, 0
	for _, m := range htmlTag.FindAllStringSubmatchIndex(t, -1) {
		if len(open) == 0 && strings.TrimSpace(t[at:m[0]]) != "" {
			return failed("text stands outside the elements: %q", clip(t[at:m[0]], 40))
		}
		at = m[1]
		if m[4] < 0 { // a comment or the document's type
			continue
		}
		name := strings.ToLower(t[m[4]:m[5]])
		tags++
		switch {
		case m[2] < m[3]: // </name>
			if len(open) == 0 || open[len(open)-1] != name {
				return failed("</%s> closes nothing", name)
			}
			open = open[:len(open)-1]
		case m[6] == m[7] && !slices.Contains(voidTags, name):
			open = append(open, name)
		}
	}
	switch {
	case tags == 0:
		return failed("there are no elements in it")
	case len(open) > 0:
		return failed("<%s> is not closed", open[len(open)-1])
	case strings.TrimSpace(t[at:]) != "":
		return failed("text stands outside the elements: %q", clip(t[at:], 40))
	}
	return passed("it is HTML")
}
