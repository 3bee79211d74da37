// Package evals holds the sample company that ships with Aside: its knowledge,
// its authority limits and recorded chats, the evaluation suites and simulations that
// run on it, with baselines of the suites, and replies that people have judged. They feed the demo,
// aside eval and the tests. README.md describes the company and the file formats.
package evals

import "embed"

// Files holds the folders knowledge (documents and authority.yaml) and chats
// (JSON Lines, one conversation a line), with paths as they stand in this
// folder, such as "knowledge/policies/returns.md".
//
//go:embed all:knowledge chats suites simulations judge all:.baseline
var Files embed.FS
