package postgres

import "gonum.org/v1/gonum/blas/gonum"

// dot is the inner product of two vectors of one length: gonum's, which has the
// processor multiply four numbers at a time here.
func dot(a, b []float32) float32 { return gonum.Implementation{}.Sdot(len(a), a, 1, b, 1) }
