// Package eval measures what Aside does against labelled data.
package eval
