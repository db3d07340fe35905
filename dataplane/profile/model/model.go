// Package model learns the models of scores from examples. The same examples in the same
// order give the same model.
package model

import (
	"math"
	"slices"
	"sort"
)

// Examples are persons of whom is known what came of them.
type Examples struct {
	Columns [][]float64 // of each feature, in the order of persons; NaN where a value is not known
	Came    []bool      // whether it came
}

// Count is how many it came for, and how many there are.
func (e Examples) Count() (came, all int) {
	for _, y := range e.Came {
		if y {
			came++
		}
	}
	return came, len(e.Came)
}

// Row writes a person's features.
func (e Examples) Row(i int, into []float64) {
	for f, column := range e.Columns {
		into[f] = column[i]
	}
}

// AUC is the area under the receiver operating characteristic: how likely somebody for whom it came has
// a higher score than somebody for whom it did not; equal scores count half. It is 0.5 when one of
// the kinds is missing.
func AUC(scores []float64, came []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return scores[order[a]] < scores[order[b]] })
	var ranks, yes float64
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && scores[order[j]] == scores[order[i]] {
			j++
		}
		for _, k := range order[i:j] {
			if came[k] {
				ranks += float64(i+j+1) / 2
				yes++
			}
		}
		i = j
	}
	no := float64(len(order)) - yes
	if yes == 0 || no == 0 {
		return 0.5
	}
	return (ranks - yes*(yes+1)/2) / (yes * no)
}

// groups is into how many groups Calibration divides persons.
const groups = 10

// Calibration is how far probabilities are from what came: the mean difference between both over
// ten groups of persons with alike probabilities. 0 is best.
func Calibration(probabilities []float64, came []bool) float64 {
	n := len(probabilities)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return probabilities[order[a]] < probabilities[order[b]] })
	sum := 0.0
	for g := range groups {
		said, was := 0.0, 0.0
		for _, i := range order[g*n/groups : (g+1)*n/groups] {
			said += probabilities[i]
			if came[i] {
				was++
			}
		}
		sum += math.Abs(said - was)
	}
	return sum / float64(max(n, 1))
}

// Fit of Logistic.
const (
	ridge     = 1.0 // on weights of features that were brought to one scale
	mostSteps = 30
	near      = 1e-8
	least     = 1e-15 // smaller weights say nothing
)

// Logistic finds the weights of features with which a logistic score is likeliest, by Newton's
// method with a ridge; a value that is not known counts as 0.
func Logistic(e Examples) (intercept float64, weights []float64) {
	d, n := len(e.Columns), len(e.Came)
	mean, scale := make([]float64, d), make([]float64, d)
	z := make([][]float64, d) // on one scale
	for f, column := range e.Columns {
		z[f] = make([]float64, n)
		for i, x := range column {
			if !math.IsNaN(x) {
				z[f][i] = x
			}
		}
		for _, x := range z[f] {
			mean[f] += x
		}
		mean[f] /= float64(max(n, 1))
		for _, x := range z[f] {
			scale[f] += (x - mean[f]) * (x - mean[f]) / float64(n)
		}
		if scale[f] = math.Sqrt(scale[f]); !(scale[f] > 1e-9*math.Abs(mean[f])) || math.IsInf(scale[f], 0) {
			scale[f] = 0 // it is the same for everybody
		}
		for i := range z[f] {
			if z[f][i] -= mean[f]; scale[f] > 0 {
				z[f][i] /= scale[f]
			} else {
				z[f][i] = 0
			}
		}
	}
	b := make([]float64, d+1) // the intercept last
	came, _ := e.Count()
	b[d] = odds(came, n)
	sum, p := make([]float64, n), make([]float64, n)
	x := make([]float64, d+1)
	for range mostSteps {
		for i := range sum {
			sum[i] = b[d]
		}
		for f, column := range z {
			for i, v := range column {
				sum[i] += b[f] * v
			}
		}
		gradient, h := make([]float64, d+1), make([][]float64, d+1)
		for f := range h {
			h[f] = make([]float64, f+1)
		}
		x[d] = 1
		for i := range sum {
			p[i] = 1 / (1 + math.Exp(-sum[i]))
			g, w := -p[i], p[i]*(1-p[i])
			if e.Came[i] {
				g++
			}
			for f := range z {
				x[f] = z[f][i]
			}
			for f, v := range x {
				gradient[f] += g * v
				v *= w
				for k := 0; k <= f; k++ {
					h[f][k] += v * x[k]
				}
			}
		}
		for f := range d {
			gradient[f] -= ridge * b[f]
			h[f][f] += ridge
		}
		h[d][d] += 1e-9
		step := solve(h, gradient)
		far := 0.0
		for f := range b {
			s := min(max(step[f], -4), 4) // a far step goes past where the curve is known
			b[f] += s
			far = max(far, math.Abs(s))
		}
		if far < near {
			break
		}
	}
	weights, intercept = make([]float64, d), b[d]
	for f := range d {
		if scale[f] > 0 {
			if w := b[f] / scale[f]; math.Abs(w) >= least {
				weights[f] = w
				intercept -= w * mean[f]
			}
		}
	}
	return intercept, weights
}

// odds is the logarithm of the odds of a share.
func odds(came, all int) float64 {
	return math.Log((float64(came) + 0.5) / (float64(all-came) + 0.5))
}

// solve solves h x = g for a positive h, of which the lower half is given, by Cholesky's method.
func solve(h [][]float64, g []float64) []float64 {
	x := slices.Clone(g)
	for i := range h {
		for j := 0; j <= i; j++ {
			s := h[i][j]
			for k := range j {
				s -= h[i][k] * h[j][k]
			}
			if i == j {
				h[i][i] = math.Sqrt(max(s, 1e-12))
			} else {
				h[i][j] = s / h[j][j]
			}
		}
	}
	for i := range x {
		for k := range i {
			x[i] -= h[i][k] * x[k]
		}
		x[i] /= h[i][i]
	}
	for i := len(x) - 1; i >= 0; i-- {
		for k := i + 1; k < len(x); k++ {
			x[i] -= h[k][i] * x[k]
		}
		x[i] /= h[i][i]
	}
	return x
}
