package local

import (
	"context"
	"testing"
)

func BenchmarkStart(b *testing.B) {
	requirePostgres(b)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			c, err := Start(context.Background(), Options{Dir: tempDir(b)})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			stop(b, c)
			b.StartTimer()
		}
	})
	dir := tempDir(b)
	stop(b, open(b, Options{Dir: dir}))
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			c := open(b, Options{Dir: dir})
			b.StopTimer()
			stop(b, c)
			b.StartTimer()
		}
	})
	first := open(b, Options{Dir: dir})
	defer stop(b, first)
	b.Run("join", func(b *testing.B) {
		for b.Loop() {
			c := open(b, Options{Dir: dir})
			b.StopTimer()
			stop(b, c)
			b.StartTimer()
		}
	})
}
