package eval

import (
	"math"
	"math/rand/v2"
	"slices"
)

// pair is one case under two settings: the difference of its scores, and the
// cluster it belongs to.
type pair struct {
	cluster string
	diff    float64
}

// interval is a mean difference with its 95 % interval.
type interval struct {
	Mean, Low, High float64
	SureHigh        float64 // the upper end at 99.7 %, for a claim made of many metrics at once
	SD              float64 // of the clusters' mean differences
	Clusters        int
}

const resamples = 2000

// bootstrap gives the mean difference and its 95 % interval: whole clusters are
// drawn, because cases of one conversation stand and fall together. The
// percentiles are widened for few clusters, as a t interval is, and half a flip
// each way is added (Agresti and Min, 2005): without, the interval of few flips is
// too short. With under two clusters nothing can be said and the interval is
// everything. The seed is fixed:
// the same pairs give the same interval.
func bootstrap(pairs []pair, draws int) interval {
	groups := map[string][]float64{}
	for _, p := range pairs {
		groups[p.cluster] = append(groups[p.cluster], p.diff)
	}
	type cluster struct{ sum, n float64 }
	var cs []cluster
	var total, n float64
	for _, k := range sortedKeys(groups) {
		var c cluster
		for _, d := range groups[k] {
			c.sum += d
			c.n++
		}
		total, n = total+c.sum, n+c.n
		cs = append(cs, c)
	}
	if len(cs) < 2 {
		return interval{Mean: total / max(n, 1), Low: -1, High: 1, SureHigh: 1, Clusters: len(cs)}
	}
	out := interval{Mean: total / n, Clusters: len(cs)}
	k := float64(len(cs))
	var ss float64
	for _, c := range cs {
		d := (c.sum - out.Mean*c.n) * k / n
		ss += d * d
	}
	out.SD = math.Sqrt(ss / (k - 1))
	if out.SD == 0 {
		out.Low, out.High, out.SureHigh = out.Mean, out.Mean, out.Mean // each differs by the same, or not at all
		return out
	}
	most, size := 0.0, n/k
	for _, c := range cs {
		most = max(most, math.Abs(c.sum/c.n))
	}
	cs = append(cs, cluster{most * size / math.Sqrt2, size}, cluster{-most * size / math.Sqrt2, size})
	k += 2
	rng := rand.New(rand.NewPCG(0x5eed, 7))
	means := make([]float64, draws)
	for i := range means {
		var sum, count float64
		for range cs {
			c := cs[rng.IntN(len(cs))]
			sum, count = sum+c.sum, count+c.n
		}
		means[i] = sum / count
	}
	slices.Sort(means)
	tail := func(z float64) float64 { return normalCDF(-tQuantile(z, k-1) * math.Sqrt(k/(k-1))) }
	out.Low, out.High = percentile(means, tail(1.959964)), percentile(means, 1-tail(1.959964))
	out.SureHigh = percentile(means, 1-tail(2.967738))
	return out
}

func percentile(sorted []float64, p float64) float64 {
	at := p * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// tQuantile is the point of Student's t that lies where z lies in the normal
// distribution, by the Cornish-Fisher expansion: within 0.02 for z = 1.96 from 5
// degrees of freedom on.
func tQuantile(z, df float64) float64 {
	z3, z5, z7 := z*z*z, math.Pow(z, 5), math.Pow(z, 7)
	return z + (z3+z)/(4*df) + (5*z5+16*z3+3*z)/(96*df*df) + (3*z7+19*z5+17*z3-15*z)/(384*df*df*df)
}

// mcNemar gives the exact two-sided p value of b cases that got worse against c
// that got better, were both equally likely.
func mcNemar(worse, better int) float64 {
	n := worse + better
	if n == 0 {
		return 1
	}
	var p float64
	for i := 0; i <= min(worse, better); i++ {
		p += math.Exp(logChoose(n, i) - float64(n)*math.Ln2)
	}
	return min(1, 2*p)
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// needed says how many clusters show a difference of this size, four times in
// five.
func needed(sd, size float64) int {
	if size == 0 || sd == 0 {
		return 0
	}
	return int(math.Ceil(math.Pow((1.96+0.84)*sd/size, 2)))
}
