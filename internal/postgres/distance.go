package postgres

// maxDistance is up to where edit distances are exact. Beyond it a reply is a
// new text, whatever the number; the work stays at about 8,000 × 1,000 steps.
const maxDistance = 1000

// editDistance is the Levenshtein distance of two texts in characters: exact up
// to maxDistance, then the length of the longer text without what both begin and
// end with.
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && len(y) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x) > len(y) {
		x, y = y, x
	}
	if len(x) == 0 {
		return len(y)
	}
	// Most edits are small: try narrow bands first.
	for band := 32; band < maxDistance; band *= 4 {
		if d := banded(x, y, band); d <= band {
			return d
		}
	}
	if d := banded(x, y, maxDistance); d <= maxDistance {
		return d
	}
	return len(y)
}

// banded is the distance of x to the longer y if it is at most band, else some
// number above band: cells further than band from the diagonal cost more.
func banded(x, y []rune, band int) int {
	if len(y)-len(x) > band {
		return band + 1
	}
	row := make([]int, len(y)+1) // row[j]: distance of x[:i] to y[:j]
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(x); i++ {
		from, to := max(1, i-band), min(len(y), i+band)
		diagonal := row[from-1]
		if from == 1 {
			row[0] = i
		} else {
			row[from-1] = band + 1
		}
		for j := from; j <= to; j++ {
			above := row[j]
			if j == i+band {
				above = band + 1 // outside the band in the row before
			}
			cost := diagonal
			if x[i-1] != y[j-1] {
				cost = 1 + min(diagonal, above, row[j-1])
			}
			diagonal, row[j] = row[j], cost
		}
	}
	return row[len(y)]
}
