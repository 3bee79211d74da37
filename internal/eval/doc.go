// Package eval says whether a change made answers better or worse. It reads
// suites (YAML that a promptfoo user can read at once), runs their cases through
// the same suggest.Run as production, grades what came out, compares two runs
// with their uncertainty, and holds a run against a committed baseline.
//
//	suite.go, reader.go, table.go   the file formats; anything unknown fails at load, with file and line
//	assert.go, own.go, judge.go     what can be asserted
//	knowledge.go                    the knowledge of a run: read here, searched by retrieve/memindex
//	guide.go                        its procedures and the agent's limits
//	provider.go, cassette.go        who writes: nobody, a server, a recording, a script
//	run.go, cause.go                running the cases, three outcomes, and why a case failed
//	stats.go, compare.go, gate.go   paired comparison and the gate
//	outcomes.go                     what agents made of the drafts of each prompt
//	harvest.go, scrub.go            agents' edits as candidate cases, without what says who somebody is
//	simulate.go                     whole conversations with a scripted or played customer
//	report*.go, junit.go            terminal, JSON, JUnit, benchstat lines, one HTML page
//
// Promises. A case passes, fails or errs: a model, server or judge that did not
// answer is an error, never a fail and never a pass. Values are put into prompts
// once and never read as templates. Nothing is called but the configured model.
// Run writes each result to disk as soon as it is there and waits for all it
// started before it returns. Without a model the same files give the same result,
// byte for byte, but for measured times.
package eval
