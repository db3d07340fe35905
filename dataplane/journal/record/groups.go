package record

// Groups collects indexes under keys, in the order of the keys' first use.
type Groups[K comparable] struct {
	at   map[K]int
	keys []K
	of   [][]uint32
}

// Add puts index under k.
func (g *Groups[K]) Add(k K, index uint32) {
	if g.at == nil {
		g.at = map[K]int{}
	}
	i, ok := g.at[k]
	if !ok {
		i = len(g.keys)
		g.at[k] = i
		g.keys = append(g.keys, k)
		g.of = append(g.of, nil)
	}
	g.of[i] = append(g.of[i], index)
}

// Each yields the keys and their sets.
func (g *Groups[K]) Each(yield func(K, Set) bool) {
	for i, k := range g.keys {
		s := SetOf(g.of[i])
		if !yield(k, s) {
			return
		}
	}
}
