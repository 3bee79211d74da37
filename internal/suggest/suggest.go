// Package suggest is the pipeline from a moment of a conversation to a
// suggestion: question → passages → steps → instant draft → model draft →
// checks. Live, replay, bot and eval all call the same Run.
package suggest
