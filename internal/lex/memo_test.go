package lex_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/lex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemo(t *testing.T) {
	m := lex.NewMemo[int, int](4)
	made := 0
	of := func(key int) int { return m.Of(key, func() int { made++; return key * key }) }
	for range 3 {
		if of(1) != 1 || of(2) != 4 {
			t.Error("the wrong value")
		}
	}
	if made != 2 {
		t.Errorf("made %d values of 2", made)
	}
	for i := range 100 {
		of(i + 3)
		of(1)
	}
	if made != 102 {
		t.Errorf("made %d values: what is asked for all the time was dropped, or what is not was kept", made)
	}
	if of(2); made != 103 {
		t.Error("what came long ago was kept")
	}
	var none lex.Memo[int, int]
	if none.Of(3, func() int { return 9 }) != 9 {
		t.Error("the zero memo")
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				if k := i % 7; m.Of(k, func() int { return k * k }) != k*k {
					t.Error("the wrong value")
				}
			}
		})
	}
	all.Wait()
}
