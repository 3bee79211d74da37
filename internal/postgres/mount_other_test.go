//go:build !linux

package postgres_test

import "errors"

func mountTmpfs(string, string) error { return errors.New("only on Linux") }

func unmountTmpfs(string) error { return nil }
