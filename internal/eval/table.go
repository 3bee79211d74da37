package eval

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// testFiles reads the tests of a file or a pattern of files: YAML lists, JSONL,
// CSV.
func (r *reader) testFiles(n *yaml.Node, base draftCase) {
	pattern := path.Join(path.Dir(r.file), strings.TrimPrefix(n.Value, "file://"))
	names, err := fs.Glob(r.fsys, pattern)
	if err != nil || len(names) == 0 {
		r.fault(n, "tests: there is no file %s", n.Value)
		return
	}
	for _, name := range names {
		raw, err := fs.ReadFile(r.fsys, name)
		if err != nil {
			r.fault(n, "tests: %v", err)
			continue
		}
		r.within(name, func() {
			switch path.Ext(name) {
			case ".yaml", ".yml", ".json":
				if root := r.parse(name, raw); root != nil {
					r.tests(root, base)
				}
			case ".jsonl":
				r.jsonl(raw, base)
			case ".csv":
				r.csv(raw, base)
			default:
				r.fault(n, "tests: %s: only .yaml, .json, .jsonl and .csv are read", n.Value)
			}
		})
	}
}

// jsonl reads one test a line: JSON is YAML, so the same words and faults hold.
func (r *reader) jsonl(raw []byte, base draftCase) {
	for i, line := range bytes.Split(raw, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(line, &doc); err != nil || len(doc.Content) == 0 {
			r.fault(&yaml.Node{Line: i + 1}, "this line is not a JSON object")
			continue
		}
		setLine(doc.Content[0], i+1)
		r.add(doc.Content[0], r.test(doc.Content[0], base))
	}
}

func setLine(n *yaml.Node, line int) {
	n.Line = line
	for _, c := range n.Content {
		setLine(c, line)
	}
}

// csv reads a table: every column is a variable, except those that begin with
// two underscores.
func (r *reader) csv(raw []byte, base draftCase) {
	at := func(line int) *yaml.Node { return &yaml.Node{Line: line} }
	rd := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\uFEFF"))))
	var rows [][]string
	var lines []int // a cell may hold several
	for {
		row, err := rd.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			r.fault(at(1), "%v", err)
			return
		}
		line, _ := rd.FieldPos(0)
		rows, lines = append(rows, row), append(lines, line)
	}
	if len(rows) < 2 {
		r.fault(at(1), "the table has no rows below its header")
		return
	}
	header := rows[0]
	for i, row := range rows[1:] {
		line := lines[i+1]
		n := at(line)
		c := base
		c.Line, c.File = line, r.file
		c.vars, c.Asserts, c.Metadata = slices.Clone(base.vars), slices.Clone(base.Asserts), map[string]string{}
		var metric string
		expected := map[string]string{}
		thresholds := map[string]*float64{}
		for j, name := range header {
			name, cell := strings.TrimSpace(name), row[j]
			switch {
			case !strings.HasPrefix(name, "__"):
				c.vars = append(c.vars, variable{name, []string{cell}, line})
			case expectColumn.MatchString(name):
				if strings.TrimSpace(cell) != "" {
					expected[name] = cell
				}
			case name == "__prefix":
				c.Prefix = cell
			case name == "__suffix":
				c.Suffix = cell
			case thresholdColumn.MatchString(name):
				if cell != "" {
					thresholds[thresholdColumn.FindStringSubmatch(name)[1]] = r.number(&yaml.Node{Kind: yaml.ScalarNode, Line: line, Value: cell}, name)
				}
			case name == "__description":
				c.Description = cell
			case name == "__metric":
				metric = cell
			case name == "__threshold":
				if cell != "" {
					c.Threshold = r.number(&yaml.Node{Kind: yaml.ScalarNode, Line: line, Value: cell}, name)
				}
			case name == "__providerOutput":
				if cell != "" {
					c.Fixed = &cell
				}
			case strings.HasPrefix(name, "__metadata:"):
				c.Metadata[strings.TrimSuffix(strings.TrimPrefix(name, "__metadata:"), "[]")] = cell
			default:
				if i == 0 {
					r.fault(at(1), "the column %q is not supported", name)
				}
			}
		}
		for _, name := range header {
			cell, ok := expected[strings.TrimSpace(name)]
			if !ok {
				continue
			}
			a := r.expected(n, cell)
			a.Metric = metric
			if t := cmp.Or(thresholds[strings.TrimSpace(name)], thresholds["__expected"]); t != nil {
				a.Threshold = t
			}
			c.Asserts = append(c.Asserts, a)
		}
		r.add(n, c)
	}
}

var (
	thresholdColumn = regexp.MustCompile(`^__config:(__expected\d*):threshold$`)

	expectColumn = regexp.MustCompile(`^__expected\d*$`)
	expectKind   = regexp.MustCompile(`^((?:not-)?[a-z]+(?:-[a-z]+)*)(?:\(([0-9.]+)\))?:(.*)$`)
)

// cellThresholds are promptfoo's for cells that name none, which are not those of
// suites.
var cellThresholds = map[string]float64{"similar": 0.8, "answer-relevance": 0.75, "context-recall": 0.75, "context-relevance": 0.75, "context-faithfulness": 0.75}

// expected reads a cell: "icontains: x", "cites: returns", "abstains"; a cell
// without a kind is what the answer must equal. A kind that does not exist is a
// fault, not a text to equal.
func (r *reader) expected(n *yaml.Node, cell string) Assertion {
	cell = strings.TrimSpace(cell)
	a := Assertion{Weight: 1, File: r.file, Line: n.Line, Type: "equals", Values: []string{cell}}
	if _, ok := kinds()[strings.TrimPrefix(cell, "not-")]; ok {
		a.Type, a.Values = cell, nil
	} else if m := expectKind.FindStringSubmatch(cell); m != nil {
		a.Type, a.Values = m[1], []string{strings.TrimSpace(m[3])}
		if m[2] != "" {
			f, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				r.fault(n, "%s: %v", cell, err)
			}
			a.Threshold = &f
		}
		if strings.Contains(a.Type, "-a") && strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(a.Type, "not-"), "i"), "contains-") {
			a.Values = nil
			for _, v := range strings.Split(m[3], ",") {
				a.Values = append(a.Values, strings.TrimSpace(v))
			}
		}
	}
	if threshold, ok := cellThresholds[strings.TrimPrefix(a.Type, "not-")]; ok && a.Threshold == nil {
		a.Threshold = &threshold
	}
	r.check(n, &a)
	return a
}
