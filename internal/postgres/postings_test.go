package postgres

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
)

type posting struct{ place, weight uint16 }

// pack makes a list as the database keeps it.
func pack(postings []posting) (raw []byte) {
	for _, p := range postings {
		raw = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(raw, p.place), p.weight)
	}
	return raw
}

func packPlaces(places ...uint16) (raw []byte) {
	for _, p := range places {
		raw = binary.BigEndian.AppendUint16(raw, p)
	}
	return raw
}

// The best rows are those of adding everything up at once, whatever the blocks
// hold, and nobody is told that these are all when they are not.
func TestAdder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		sums := map[int64]float32{}
		n := 1 + random.IntN(400)
		a := adder{n: n, top: make([]summed, 0, 2*n)}
		for block := range int64(4) {
			if random.IntN(4) == 0 {
				continue // a block without any of the terms
			}
			a.turn(block * blockRows)
			for range 1 + random.IntN(5) {
				places := []uint16{0, blockRows - 1}[:random.IntN(3)]
				for range random.IntN(1000) {
					places = append(places, uint16(random.IntN(blockRows)))
				}
				slices.Sort(places)
				weight := float32(1+random.IntN(8)) / 8
				var list []posting
				for _, p := range slices.Compact(places) {
					list = append(list, posting{p, uint16(1 + random.IntN(25_000))})
					sums[block*blockRows+int64(p)] += weight * float32(list[len(list)-1].weight)
				}
				a.add(pack(list), weight)
			}
		}
		got, whole := a.best()
		var all []float32
		for _, s := range sums {
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b float32) int { return cmp.Compare(b, a) })
		if len(got) != min(n, len(all)) || whole != (len(all) <= n) {
			t.Fatalf("round %d: %d rows of %d, want %d; all: %v", round, len(got), len(all), n, whole)
		}
		for i, row := range got {
			if sums[row] != all[i] {
				t.Fatalf("round %d: the %d. row has %g, want %g", round, i, sums[row], all[i])
			}
		}
	}
}

// A row counts when it is in a list of each filter and not past.
func TestAdderFilters(t *testing.T) {
	a := adder{n: 10, needs: 2}
	for _, first := range []int64{0, 5 * blockRows} {
		a.turn(first)
		a.exclude(packPlaces(4))
		a.include(packPlaces(1, 2, 3, 4))
		a.add(pack([]posting{{1, 10}, {2, 30}, {3, 20}, {4, 40}, {5, 50}}), 1)
		a.include(packPlaces(2, 3, 4, 5))
		a.exclude(packPlaces(3)[:1]) // half a place
		a.add([]byte{1, 2, 3}, 1)    // half a posting
	}
	rows, all := a.best()
	if want := []int64{2, 5*blockRows + 2, 3, 5*blockRows + 3}; !slices.Equal(rows, want) || !all {
		t.Errorf("got %v, all: %v; want %v", rows, all, want)
	}
}

func BenchmarkAdder(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	var lists [][]byte
	for range 10 { // 400,000 postings of a million rows, with those of every block
		var list []posting
		for p := random.IntN(50); p < blockRows; p += 1 + random.IntN(50) {
			list = append(list, posting{uint16(p), uint16(random.IntN(25_000))})
		}
		lists = append(lists, pack(list))
	}
	for b.Loop() {
		a := adder{n: reread, top: make([]summed, 0, 2*reread)}
		for block := range int64(30) {
			a.turn(block * blockRows)
			for _, l := range lists {
				a.add(l, 0.5)
			}
		}
		a.best()
	}
}
