package postgres

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

// packed makes a list as the database does.
func packed(rows []uint32, weights []uint16) (raw []byte) {
	for i, r := range rows {
		raw = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32(raw, r), weights[i])
	}
	return raw
}

// The best rows are those of adding everything up at once, wherever the blocks
// begin and end.
func TestBest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		sums := map[int64]float32{}
		var lists []list
		for range 1 + random.IntN(6) {
			rows := []uint32{0, blockRows - 1, blockRows, 1<<31 - 1}[:random.IntN(5)]
			for range random.IntN(3000) {
				rows = append(rows, random.Uint32N(5*blockRows))
			}
			slices.Sort(rows)
			rows = slices.Compact(rows)
			weights := make([]uint16, len(rows))
			l := list{weight: float32(1+random.IntN(8)) / 8}
			for i, r := range rows {
				weights[i] = uint16(1 + random.IntN(25_000))
				sums[int64(r)] += l.weight * float32(weights[i])
			}
			l.raw = packed(rows, weights)
			lists = append(lists, l)
		}
		n := 1 + random.IntN(400)
		got := best(lists, n)
		var all []float32
		for _, s := range sums {
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b float32) int { return cmp.Compare(b, a) })
		if len(got) != min(n, len(all)) {
			t.Fatalf("round %d: %d rows of %d, want %d", round, len(got), len(all), n)
		}
		for i, row := range got {
			if sums[row] != all[i] {
				t.Fatalf("round %d: the %d. row has %g, want %g", round, i, sums[row], all[i])
			}
		}
	}
	if got := best([]list{{raw: []byte{1, 2, 3}}}, 5); len(got) != 0 {
		t.Errorf("half a posting gives %v", got)
	}
}

func BenchmarkBest(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var lists []list
	for range 10 { // 400,000 postings of a million rows
		var rows []uint32
		for r := random.Uint32N(50); r < 1_000_000; r += 1 + random.Uint32N(50) {
			rows = append(rows, r)
		}
		weights := make([]uint16, len(rows))
		for i := range weights {
			weights[i] = uint16(random.IntN(25_000))
		}
		lists = append(lists, list{packed(rows, weights), random.Float32()})
	}
	for b.Loop() {
		best(slices.Clone(lists), reread)
	}
}
