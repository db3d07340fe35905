package identitytest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Types of a World's identifiers, strongest first.
var Types = []string{"user_id", "stripe_id", "email", "phone", "anonymous_id"}

const (
	user = iota
	stripe
	email
	phone
	anonymous
	count
)

// World is a population: 70 % sign up, some with two accounts; some devices are shared,
// some phones and addresses have a second owner later, kiosks have 200 users, and test
// values stand in some rows.
type World struct {
	Seed                       uint64
	Persons, Kiosks            int
	TwoUsers, Shared, Recycled float64 // shares
	Test                       float64
}

// Usual is the World of n persons in which the mistakes are as frequent as in life.
func Usual(seed uint64, n int) World {
	return World{Seed: seed, Persons: n, Kiosks: n / 10000, TwoUsers: .03, Shared: .005, Recycled: .005, Test: .003}
}

// Sighting is a row in which identifiers were seen together; "" is none.
type Sighting struct {
	At  time.Time
	IDs [count]string // by Types
	Who int           // who truly caused it
}

// Epoch is the begin of a World.
var Epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

type person struct {
	born float64
	ids  [count][]string
}

// Make returns the sightings, and the owners of each identifier by "type:value".
func (w World) Make() (seen []Sighting, owners map[string][]int) {
	r := rand.New(rand.NewPCG(w.Seed, 99))
	owners = map[string][]int{}
	people := w.people(r)
	tests := [][2]any{{email, "test@test.com"}, {user, "null"}, {anonymous, "00000000-0000-0000-0000-000000000000"}, {user, "undefined"}, {phone, "+490000000000"}, {email, "noreply@acme.com"}}
	for i := range people {
		p := &people[i]
		for t, values := range p.ids {
			for _, v := range values {
				k := Types[t] + ":" + v
				if !slices.Contains(owners[k], i) {
					owners[k] = append(owners[k], i)
				}
			}
		}
		put := func(pairs ...any) {
			day := p.born + (540-p.born)*r.Float64()
			s := Sighting{Who: i, At: Epoch.Add(time.Duration(day*86400) * time.Second)}
			for k := 0; k < len(pairs); k += 2 {
				s.IDs[pairs[k].(int)] = pairs[k+1].(string)
			}
			if r.Float64() < w.Test {
				x := tests[r.IntN(len(tests))]
				s.IDs[x[0].(int)] = x[1].(string)
			}
			seen = append(seen, s)
		}
		w.live(r, p, put)
	}
	return seen, owners
}

// live makes the rows of a person.
func (w World) live(r *rand.Rand, p *person, put func(pairs ...any)) {
	users := p.ids[user]
	for _, a := range p.ids[anonymous] {
		put(anonymous, a)
		if len(users) > 0 && r.Float64() < .9 {
			put(anonymous, a, user, users[r.IntN(len(users))])
		}
	}
	for _, u := range users {
		for _, e := range p.ids[email] {
			pairs := []any{user, u, email, messy(r, e)}
			if r.Float64() < .7 {
				pairs = append(pairs, anonymous, p.ids[anonymous][r.IntN(len(p.ids[anonymous]))])
			}
			if len(p.ids[phone]) > 0 {
				pairs = append(pairs, phone, p.ids[phone][r.IntN(len(p.ids[phone]))])
			}
			put(pairs...)
		}
		for _, x := range p.ids[phone] {
			put(user, u, phone, x)
		}
	}
	for _, x := range p.ids[stripe] {
		if r.Float64() < .5 {
			put(stripe, x, email, messy(r, p.ids[email][0]), user, users[0])
		} else {
			put(stripe, x, email, messy(r, p.ids[email][0]))
		}
	}
}

// messy writes an address as people do.
func messy(r *rand.Rand, e string) string {
	switch r.IntN(6) {
	case 0:
		return strings.ToUpper(e)
	case 1:
		return " " + e
	}
	return e
}

// people makes who there is, with what they share.
func (w World) people(r *rand.Rand) []person {
	all := make([]person, w.Persons)
	hex := func() string { return fmt.Sprintf("%08x-%08x", r.Uint32(), r.Uint32()) }
	for i := range all {
		p := &all[i]
		p.born = 500 * r.Float64()
		for range int(math.Min(30, math.Floor(math.Pow(1-r.Float64(), -1/1.8)))) { // about 2, few have many
			p.ids[anonymous] = append(p.ids[anonymous], hex())
		}
		if r.Float64() > .7 {
			continue
		}
		p.ids[user] = []string{fmt.Sprintf("u%d", i)}
		if r.Float64() < w.TwoUsers {
			p.ids[user] = append(p.ids[user], fmt.Sprintf("u%d-b", i))
		}
		p.ids[email] = []string{fmt.Sprintf("p%d@mail%d.com", i, r.IntN(7))}
		if r.Float64() < .15 {
			p.ids[email] = append(p.ids[email], fmt.Sprintf("p%d@work%d.com", i, r.IntN(900)))
		}
		if r.Float64() < .4 {
			p.ids[phone] = []string{fmt.Sprintf("+49%010d", r.IntN(9e9))}
		}
		if r.Float64() < .25 {
			p.ids[stripe] = []string{"cus_" + hex()}
		}
	}
	give := func(j, t int, value string) {
		if j < len(all) && len(all[j].ids[user]) > 0 {
			all[j].ids[t] = append(all[j].ids[t], value)
		}
	}
	for i := range all {
		for _, a := range slices.Clone(all[i].ids[anonymous]) {
			if r.Float64() < w.Shared {
				for range 1 + r.IntN(5) {
					give(i+1+r.IntN(3), anonymous, a)
				}
			}
		}
		for _, t := range []int{phone, email} {
			if len(all[i].ids[t]) > 0 && r.Float64() < w.Recycled {
				give(r.IntN(len(all)), t, all[i].ids[t][0])
			}
		}
	}
	for range w.Kiosks {
		kiosk := "kiosk-" + hex()
		for range 200 {
			give(r.IntN(len(all)), anonymous, kiosk)
		}
	}
	return all
}

// Score is how a partition agrees with the truth, over identifiers that have one owner:
// precision and recall of pairs, and the same by identifier (B-cubed).
type Score struct {
	P, R, BP, BR float64
	Largest      int
}

// Judge scores a partition, the person by "type:value".
func Judge(got map[string]string, owners map[string][]int) (s Score) {
	type cell struct {
		got  string
		true int
	}
	cells, gots, trues, ids := map[cell]int{}, map[string]int{}, map[int]int{}, 0
	for k, o := range owners {
		if len(o) != 1 {
			continue
		}
		ids++
		g, ok := got[k]
		if !ok {
			g = "alone " + k
		}
		cells[cell{g, o[0]}]++
		gots[g]++
		trues[o[0]]++
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var both, made, wanted float64
	for c, n := range cells {
		both += pairs(n)
		s.BP += float64(n) * float64(n) / float64(gots[c.got])
		s.BR += float64(n) * float64(n) / float64(trues[c.true])
	}
	for _, n := range gots {
		made += pairs(n)
		s.Largest = max(s.Largest, n)
	}
	for _, n := range trues {
		wanted += pairs(n)
	}
	s.P, s.R = both/math.Max(made, 1), both/math.Max(wanted, 1)
	s.BP, s.BR = s.BP/float64(max(ids, 1)), s.BR/float64(max(ids, 1))
	return s
}
