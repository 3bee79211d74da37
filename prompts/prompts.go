// Package prompts holds the prompts as files: what the model is told, in words a
// support lead can read and change. Package prompt parses, checks and renders
// them; the hash of the files is kept with every suggestion.
//
// name.md is a prompt, name@variant.md another wording of it to compare, and a
// file whose front matter says "partial: true" is a piece that prompts include
// with {{template "name" .}}.
package prompts

import "embed"

// Files are all prompts.
//
//go:embed *.md
var Files embed.FS
