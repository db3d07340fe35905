package model

import (
	"math"
	"slices"
	"sort"

	"weir/shared/workspace/profiles/scores"
)

// Fit of Boosted.
const (
	mostTrees = 200
	patience  = 20 // trees that bring nothing before it ends
	depth     = 4
	rate      = 0.08 // of a tree that is taken
	bins      = 64   // into which a feature's values are divided; the last one is of what is not known
	smooth    = 5.0  // on the values of leaves
	fewest    = 20   // persons of a leaf
	holdout   = 5    // one in so many persons is not learned from, and says when it ends
)

// Boosted grows trees, each on what those before it leave open (gradient boosting of the
// logistic loss, by histograms). Every fifth person is held out, and the trees end where they
// bring nothing for those.
func Boosted(e Examples) scores.Model {
	n, d := len(e.Came), len(e.Columns)
	g := &grower{bin: make([][]uint8, d), edges: make([][]float64, d), grad: make([]float64, n), hess: make([]float64, n)}
	for f, column := range e.Columns {
		g.edges[f] = edges(column)
		g.bin[f] = make([]uint8, n)
		for i, x := range column {
			g.bin[f][i] = place(g.edges[f], x)
		}
	}
	var learn, check []int
	for i := range n {
		if i%holdout == holdout-1 {
			check = append(check, i)
		} else {
			learn = append(learn, i)
		}
	}
	came := 0
	for _, i := range learn {
		if e.Came[i] {
			came++
		}
	}
	m := scores.Model{Features: make([]string, d), Base: odds(came, len(learn)), Probability: 1}
	sum, row := make([]float64, n), make([]float64, d)
	for i := range sum {
		sum[i] = m.Base
	}
	best, kept := loss(sum, e.Came, check), 0
	for len(m.Trees) < mostTrees && len(m.Trees)-kept < patience {
		for i, z := range sum {
			p := 1 / (1 + math.Exp(-z))
			if g.grad[i], g.hess[i] = -p, p*(1-p); e.Came[i] {
				g.grad[i]++
			}
		}
		t := g.tree(learn)
		m.Trees = append(m.Trees, t)
		for i := range sum {
			e.Row(i, row)
			sum[i] += value(t, row)
		}
		if now := loss(sum, e.Came, check); now < best-1e-9 {
			best, kept = now, len(m.Trees)
		}
	}
	m.Trees = m.Trees[:max(kept, 1)]
	return m
}

// loss is the mean logistic loss of persons.
func loss(sum []float64, came []bool, of []int) (all float64) {
	for _, i := range of {
		z := sum[i]
		if came[i] {
			z = -z
		}
		all += math.Log1p(math.Exp(min(z, 700)))
	}
	return all / float64(max(len(of), 1))
}

// value is what a tree says of a person.
func value(t scores.Tree, row []float64) float64 {
	n := t[0]
	for n.Feature >= 0 {
		x := row[n.Feature]
		if math.IsNaN(x) && n.Unknown || x <= n.Value {
			n = t[n.Left]
		} else {
			n = t[n.Right]
		}
	}
	return n.Value
}

// edges are the values at which the bins of a feature end, halfway to the next value.
func edges(column []float64) (all []float64) {
	known := slices.DeleteFunc(slices.Clone(column), math.IsNaN)
	slices.Sort(known)
	for k := 1; k < bins-1; k++ {
		at := k * len(known) / (bins - 1)
		if at == 0 {
			continue
		}
		next := sort.Search(len(known), func(i int) bool { return known[i] > known[at-1] })
		if next == len(known) {
			break
		}
		edge := known[at-1] + (known[next]-known[at-1])/2
		if math.Abs(edge) < scores.Least { // it would be taken for 0
			edge = 0
		}
		if len(all) == 0 || edge > all[len(all)-1] {
			all = append(all, edge)
		}
	}
	return all
}

// place is the bin of a value.
func place(edges []float64, x float64) uint8 {
	if math.IsNaN(x) {
		return bins - 1
	}
	return uint8(sort.SearchFloat64s(edges, x)) // the first edge that is not below it
}

type grower struct {
	bin        [][]uint8
	edges      [][]float64
	grad, hess []float64
}

// cut is how a node divides persons.
type cut struct {
	feature, bin int
	unknown      bool // what is not known goes left
	gain         float64
}

// tree grows one on persons.
func (g *grower) tree(of []int) (t scores.Tree) {
	var grow func(of []int, level int) int
	grow = func(of []int, level int) int {
		at := len(t)
		t = append(t, scores.Node{Feature: -1, Value: g.leaf(of)})
		if level == depth || len(of) < 2*fewest {
			return at
		}
		c := g.best(of)
		if c.gain <= 1e-6 {
			return at
		}
		var left, right []int
		for _, i := range of {
			if b := g.bin[c.feature][i]; int(b) <= c.bin || b == bins-1 && c.unknown {
				left = append(left, i)
			} else {
				right = append(right, i)
			}
		}
		l := grow(left, level+1)
		r := grow(right, level+1)
		t[at] = scores.Node{Feature: c.feature, Value: g.edges[c.feature][c.bin], Unknown: c.unknown, Left: l, Right: r}
		return at
	}
	grow(of, 0)
	return t
}

// leaf is the value of a leaf of persons.
func (g *grower) leaf(of []int) float64 {
	var a, h float64
	for _, i := range of {
		a += g.grad[i]
		h += g.hess[i]
	}
	if v := rate * a / (h + smooth); math.Abs(v) > 1e-15 {
		return v
	}
	return 0
}

// best finds what divides persons best.
func (g *grower) best(of []int) (best cut) {
	type part struct {
		grad, hess float64
		n          int
	}
	worth := func(p part) float64 { return p.grad * p.grad / (p.hess + smooth) }
	for f, bin := range g.bin {
		if len(g.edges[f]) == 0 {
			continue
		}
		var all part
		var hist [bins]part
		for _, i := range of {
			h := &hist[bin[i]]
			h.grad += g.grad[i]
			h.hess += g.hess[i]
			h.n++
		}
		for _, h := range hist {
			all = part{all.grad + h.grad, all.hess + h.hess, all.n + h.n}
		}
		none := hist[bins-1]
		var left part
		for b := range g.edges[f] {
			left = part{left.grad + hist[b].grad, left.hess + hist[b].hess, left.n + hist[b].n}
			for _, unknown := range []bool{false, true} {
				l := left
				if unknown {
					l = part{l.grad + none.grad, l.hess + none.hess, l.n + none.n}
				}
				r := part{all.grad - l.grad, all.hess - l.hess, all.n - l.n}
				if l.n < fewest || r.n < fewest || unknown && none.n == 0 {
					continue
				}
				if gain := worth(l) + worth(r) - worth(all); gain > best.gain {
					best = cut{f, b, unknown, gain}
				}
			}
		}
	}
	return best
}
