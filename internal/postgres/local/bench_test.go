package local

import (
	"context"
	"testing"
)

func BenchmarkStart(b *testing.B) {
	requirePostgres(b)
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			c, err := Start(context.Background(), Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			stop(b, c)
			b.StartTimer()
		}
	})
	dir := b.TempDir()
	stop(b, start1(b, Options{Dir: dir}))
	b.Run("warm", func(b *testing.B) {
		for b.Loop() {
			c := start1(b, Options{Dir: dir})
			b.StopTimer()
			stop(b, c)
			b.StartTimer()
		}
	})
	first := start1(b, Options{Dir: dir})
	defer stop(b, first)
	b.Run("join", func(b *testing.B) {
		for b.Loop() {
			c := start1(b, Options{Dir: dir})
			b.StopTimer()
			stop(b, c)
			b.StartTimer()
		}
	})
}
