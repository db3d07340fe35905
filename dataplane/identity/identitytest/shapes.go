// Package identitytest is what identity is held to: graphs of all shapes, a population
// whose identifiers have known owners, and a score of what was made of it.
package identitytest

import (
	"math"
	"math/rand/v2"
)

// Shape is a graph of the nodes 0 to N-1.
type Shape struct {
	Name  string
	N     int
	Edges [][2]int
}

// Shapes are graphs of about n nodes, each in order and with its nodes shuffled.
func Shapes(r *rand.Rand, n int) (all []Shape) {
	for _, s := range []struct {
		name string
		draw func(edge func(a, b int))
	}{
		{"path", func(edge func(a, b int)) {
			for i := 1; i < n; i++ {
				edge(i-1, i)
			}
		}},
		{"zigzag, with least nodes everywhere", func(edge func(a, b int)) {
			for lo, hi, last := 1, n-1, 0; lo <= hi; {
				edge(last, hi)
				if last, hi = hi, hi-1; lo <= hi {
					edge(last, lo)
					last, lo = lo, lo+1
				}
			}
		}},
		{"path of reversed bits", func(edge func(a, b int)) {
			bits, last := 0, -1
			for 1<<bits < n {
				bits++
			}
			for i := range 1 << bits {
				x := 0
				for j := range bits {
					x |= i >> j & 1 << (bits - 1 - j)
				}
				if x >= n {
					continue
				}
				if last >= 0 {
					edge(last, x)
				}
				last = x
			}
		}},
		{"star with its centre last", func(edge func(a, b int)) {
			for i := range n - 1 {
				edge(i, n-1)
			}
		}},
		{"cycle", func(edge func(a, b int)) {
			for i := range n {
				edge(i, (i+1)%n)
			}
		}},
		{"binary tree", func(edge func(a, b int)) {
			for i := 1; i < n; i++ {
				edge(i, (i-1)/2)
			}
		}},
		{"grid", func(edge func(a, b int)) {
			w := int(math.Sqrt(float64(n)))
			for i := range w * w {
				if i%w != w-1 {
					edge(i, i+1)
				}
				if i/w != w-1 {
					edge(i, i+w)
				}
			}
		}},
		{"two crowds and a bridge", func(edge func(a, b int)) {
			k := min(n/2, 40)
			for i := range k {
				for j := i + 1; j < k; j++ {
					edge(i, j)
					edge(n-1-i, n-1-j)
				}
			}
			for i := k; i <= n-k; i++ {
				edge(i-1, i)
			}
		}},
		{"stars of stars", func(edge func(a, b int)) {
			f := max(2, int(math.Cbrt(float64(n))))
			for i := range n - 1 {
				edge(i, min(n-1, n-1-(n-1-i)/f))
			}
		}},
		{"cycles of 3 to 50", func(edge func(a, b int)) {
			for i := 0; i < n; {
				k := min(3+r.IntN(48), n-i)
				for j := range k {
					edge(i+j, i+(j+1)%k)
				}
				i += k
			}
		}},
		{"random of mean degree 1", func(edge func(a, b int)) {
			for range n / 2 {
				edge(r.IntN(n), r.IntN(n))
			}
		}},
		{"random of mean degree 3", func(edge func(a, b int)) {
			for range 3 * n / 2 {
				edge(r.IntN(n), r.IntN(n))
			}
		}},
		{"power law", func(edge func(a, b int)) {
			for i := 1; i < n; i++ {
				edge(i, int(float64(i)*math.Pow(r.Float64(), 4)))
			}
		}},
		{"loops and doubles", func(edge func(a, b int)) {
			for range n {
				x := r.IntN(n)
				edge(x, x)
				edge(x, (x+1)%n/2)
				edge((x+1)%n/2, x)
			}
		}},
	} {
		shape := Shape{Name: s.name, N: n}
		s.draw(func(a, b int) { shape.Edges = append(shape.Edges, [2]int{a, b}) })
		shuffled := Shape{Name: s.name + ", shuffled", N: n}
		to := r.Perm(n)
		for _, e := range shape.Edges {
			shuffled.Edges = append(shuffled.Edges, [2]int{to[e[0]], to[e[1]]})
		}
		all = append(all, shape, shuffled)
	}
	return all
}

// Walk labels each node of a shape with the least node of its component, breadth first.
func (s Shape) Walk() []int {
	beside := make([][]int, s.N)
	for _, e := range s.Edges {
		beside[e[0]], beside[e[1]] = append(beside[e[0]], e[1]), append(beside[e[1]], e[0])
	}
	label := make([]int, s.N)
	for i := range label {
		label[i] = -1
	}
	for i := range label {
		if label[i] >= 0 {
			continue
		}
		label[i] = i
		for queue := []int{i}; len(queue) > 0; queue = queue[1:] {
			for _, x := range beside[queue[0]] {
				if label[x] < 0 {
					label[x] = i
					queue = append(queue, x)
				}
			}
		}
	}
	return label
}

// Union labels the same by a union-find in which every root is the least of its set.
func (s Shape) Union() []int {
	up := make([]int, s.N)
	for i := range up {
		up[i] = i
	}
	find := func(x int) int {
		for up[x] != x {
			up[x] = up[up[x]]
			x = up[x]
		}
		return x
	}
	for _, e := range s.Edges {
		a, b := find(e[0]), find(e[1])
		up[max(a, b)] = min(a, b)
	}
	for i := range up {
		up[i] = find(i)
	}
	return up
}
