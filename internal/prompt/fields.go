package prompt

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"go.yaml.in/yaml/v3"
)

// shape is what is known of a value in a template: a struct's fields, a list's
// items, or a plain value.
type shape struct {
	name   string
	fields map[string]*shape // of a struct
	item   *shape            // of a list
}

// declare reads the front matter's input and holds it against the Go type: each
// declared field must exist and be of the declared type.
func declare(file string, n *yaml.Node, typ reflect.Type) (*shape, error) {
	if n.Kind == 0 {
		return &shape{name: "the input", fields: map[string]*shape{}}, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: input must be fields with their types", file, n.Line)
	}
	s := &shape{name: typ.Name(), fields: map[string]*shape{}}
	var faults []error
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		field, ok := typ.FieldByName(key.Value)
		if !ok {
			faults = append(faults, fmt.Errorf("%s:%d: %s has no field %s", file, key.Line, typ.Name(), key.Value))
			continue
		}
		sub, err := declareField(file, key.Value, value, field.Type)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		s.fields[key.Value] = sub
	}
	return s, errors.Join(faults...)
}

func declareField(file, name string, n *yaml.Node, typ reflect.Type) (*shape, error) {
	switch {
	case n.Kind == yaml.ScalarNode && typ.Kind() != reflect.Slice:
		if n.Value != typ.Kind().String() {
			return nil, fmt.Errorf("%s:%d: %s is declared as %s, but it is %s", file, n.Line, name, n.Value, typ.Kind())
		}
		return &shape{name: name}, nil
	case n.Kind == yaml.SequenceNode && len(n.Content) == 1 && typ.Kind() == reflect.Slice:
		if n.Content[0].Kind == yaml.ScalarNode {
			item, err := declareField(file, name, n.Content[0], typ.Elem())
			return &shape{name: name, item: item}, err
		}
		item, err := declare(file, n.Content[0], typ.Elem())
		return &shape{name: name, item: item}, err
	}
	return nil, fmt.Errorf("%s:%d: %s does not have the declared type: it is %s", file, n.Line, name, typ)
}

// checkFields walks the templates and finds every field that is not declared,
// before any customer meets it.
func checkFields(t *template.Template, input *shape, paths map[string]string) error {
	c := fieldCheck{root: t, input: input, paths: paths}
	for _, part := range []string{"system", "user"} {
		c.tree(part, input)
	}
	slices.SortFunc(c.faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(slices.CompactFunc(c.faults, func(a, b error) bool { return a.Error() == b.Error() })...)
}

type fieldCheck struct {
	root   *template.Template
	input  *shape
	paths  map[string]string
	vars   []variable
	within []string
	faults []error
}

type variable struct {
	name  string
	shape *shape
}

var anything = &shape{name: "a value"}

func (c *fieldCheck) tree(name string, dot *shape) {
	t := c.root.Lookup(name)
	if t == nil || t.Tree == nil || slices.Contains(c.within, name) {
		return
	}
	saved := c.vars
	c.vars = []variable{{"$", dot}}
	c.within = append(c.within, name)
	c.list(t.Tree, t.Tree.Root, dot)
	c.within = c.within[:len(c.within)-1]
	c.vars = saved
}

func (c *fieldCheck) fault(tree *parse.Tree, n parse.Node, format string, args ...any) {
	where, _ := tree.ErrorContext(n)
	parts := strings.Split(where, ":")
	file, line := tree.ParseName, "?"
	if len(parts) >= 2 {
		file = parts[0]
		line = parts[1]
	}
	if p, ok := c.paths[file]; ok {
		file = p
	}
	c.faults = append(c.faults, fmt.Errorf("%s:%s: %s", file, line, fmt.Sprintf(format, args...)))
}

func (c *fieldCheck) list(tree *parse.Tree, l *parse.ListNode, dot *shape) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.ActionNode:
			c.pipe(tree, n.Pipe, dot)
		case *parse.IfNode:
			c.branch(tree, &n.BranchNode, dot, func(*shape) *shape { return dot })
		case *parse.WithNode:
			c.branch(tree, &n.BranchNode, dot, func(s *shape) *shape { return s })
		case *parse.RangeNode:
			c.branch(tree, &n.BranchNode, dot, func(s *shape) *shape {
				if s.item == nil {
					if s != anything {
						c.fault(tree, n, "%s is not a list", s.name)
					}
					return anything
				}
				return s.item
			})
		case *parse.TemplateNode:
			passed := anything
			if n.Pipe != nil {
				passed = c.pipe(tree, n.Pipe, dot)
			}
			if c.root.Lookup(n.Name) == nil {
				c.fault(tree, n, "there is no partial %q", n.Name)
				continue
			}
			c.tree(n.Name, passed)
		}
	}
}

func (c *fieldCheck) branch(tree *parse.Tree, b *parse.BranchNode, dot *shape, inner func(*shape) *shape) {
	depth := len(c.vars)
	s := c.pipe(tree, b.Pipe, dot)
	in := inner(s)
	if b.NodeType == parse.NodeRange && len(b.Pipe.Decl) > 0 {
		c.vars[len(c.vars)-1].shape = in // the value; the key before it is plain
	}
	c.list(tree, b.List, in)
	c.vars = c.vars[:depth]
	c.list(tree, b.ElseList, dot)
}

func (c *fieldCheck) pipe(tree *parse.Tree, p *parse.PipeNode, dot *shape) *shape {
	result := anything
	for _, cmd := range p.Cmds {
		result = c.command(tree, cmd, dot)
	}
	for _, v := range p.Decl {
		c.vars = append(c.vars, variable{v.Ident[0], result})
	}
	return result
}

func (c *fieldCheck) command(tree *parse.Tree, cmd *parse.CommandNode, dot *shape) *shape {
	first := c.operand(tree, cmd.Args[0], dot)
	for _, a := range cmd.Args[1:] {
		c.operand(tree, a, dot)
	}
	if len(cmd.Args) > 1 {
		return anything
	}
	return first
}

func (c *fieldCheck) operand(tree *parse.Tree, n parse.Node, dot *shape) *shape {
	switch n := n.(type) {
	case *parse.DotNode:
		return dot
	case *parse.FieldNode:
		return c.walk(tree, n, dot, n.Ident)
	case *parse.VariableNode:
		for i := len(c.vars) - 1; i >= 0; i-- {
			if c.vars[i].name == n.Ident[0] {
				return c.walk(tree, n, c.vars[i].shape, n.Ident[1:])
			}
		}
		return anything
	case *parse.ChainNode:
		return c.walk(tree, n, c.operand(tree, n.Node, dot), n.Field)
	case *parse.PipeNode:
		return c.pipe(tree, n, dot)
	}
	return anything
}

func (c *fieldCheck) walk(tree *parse.Tree, n parse.Node, s *shape, names []string) *shape {
	for _, name := range names {
		if s == anything {
			return anything
		}
		next, ok := s.fields[name]
		if !ok {
			c.fault(tree, n, "%s is not an input: %s", name, known(s))
			return anything
		}
		s = next
	}
	return s
}

func known(s *shape) string {
	if len(s.fields) == 0 {
		return s.name + " has no fields"
	}
	var names []string
	for n := range s.fields {
		names = append(names, n)
	}
	slices.Sort(names)
	return s.name + " has " + strings.Join(names, ", ")
}

// included lists the templates that a template includes, directly or not.
func included(t *template.Template, from string) []string {
	var names []string
	var walk func(*parse.ListNode)
	var visit func(string)
	seen := map[string]bool{}
	visit = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		names = append(names, name)
		if u := t.Lookup(name); u != nil && u.Tree != nil {
			walk(u.Tree.Root)
		}
	}
	walk = func(l *parse.ListNode) {
		if l == nil {
			return
		}
		for _, n := range l.Nodes {
			switch n := n.(type) {
			case *parse.TemplateNode:
				visit(n.Name)
			case *parse.IfNode:
				walk(n.List)
				walk(n.ElseList)
			case *parse.RangeNode:
				walk(n.List)
				walk(n.ElseList)
			case *parse.WithNode:
				walk(n.List)
				walk(n.ElseList)
			}
		}
	}
	visit(from)
	visit("system")
	visit("user")
	return names
}

// trimFront takes away the empty lines that stand for the front matter.
func trimFront(t *template.Template) {
	if t.Tree == nil || t.Tree.Root == nil || len(t.Tree.Root.Nodes) == 0 {
		return
	}
	if text, ok := t.Tree.Root.Nodes[0].(*parse.TextNode); ok {
		text.Text = []byte(strings.TrimLeft(string(text.Text), "\n"))
	}
	if text, ok := t.Tree.Root.Nodes[len(t.Tree.Root.Nodes)-1].(*parse.TextNode); ok {
		text.Text = []byte(strings.TrimRight(string(text.Text), "\n"))
	}
}
