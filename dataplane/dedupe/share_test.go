package dedupe_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"weir/dataplane/dedupe"
	"weir/shared/id"
)

// TestOneOwnerDoesNotShortenTheWindowOfAnother lets one owner send fifteen times what
// fits while others send little: all keys of the others are known, over restarts,
// those that the one sent last too, the files stay bounded, and State says who
// lost keys.
func TestOneOwnerDoesNotShortenTheWindowOfAnother(t *testing.T) {
	t.Parallel()
	const most, good = 20_000, 20
	cfg := dedupe.Config{Dir: t.TempDir(), Memory: 500, Most: most}
	owners := func(n int) dedupe.Owner { return dedupe.OwnerOf(id.Workspace(fmt.Sprint("ws_", n))) }
	evil := owners(0)
	at, n, evils := start, uint64(0), uint64(0)
	send := func(x *dedupe.Index, o dedupe.Owner, k uint64) {
		n++
		ok, err := x.First(o, key(k), dedupe.Pos{Frame: n}, at)
		if err != nil || !ok {
			t.Fatalf("key %d of %d: first = %v, %v", k, o, ok, err)
		}
	}
	goods := uint64(0)
	for range 3 {
		life(t, cfg, func(x *dedupe.Index) {
			for i := range uint64(most * 5) {
				if i%10 == 0 {
					at = at.Add(time.Second)
				}
				evils++
				send(x, evil, evils)
				if i%250 == 0 {
					goods++
					send(x, owners(1+int(goods%good)), 1<<40+goods)
				}
			}
			if err := x.Snapshot(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			merged(t, x, 100)
		})
		life(t, cfg, func(x *dedupe.Index) {
			if got := known(t, x, 1<<40+1, goods); got != int(goods) {
				t.Errorf("%d of %d keys of those who sent little are known", got, goods)
			}
			if got := known(t, x, evils-most/4, most/4); got != most/4 {
				t.Errorf("%d of the last %d keys of the one who sent much are known", got, most/4)
			}
			s := x.State()
			if s.Keys > most*3/2 || s.Bytes > most*3/2*60 || s.Runs > 100 {
				t.Errorf("%d keys in %d runs of %d bytes, want about %d", s.Keys, s.Runs, s.Bytes, most)
			}
			if len(s.Short) != 1 || s.Short[0] != evil || s.Held < 500*time.Second || s.Held > 2500*time.Second {
				t.Errorf("short are %v, held %v, want %v alone", s.Short, s.Held, evil)
			}
		})
	}
}

// TestManySmallOwnersShareTheRoom lets more owners send than have shares: the oldest
// keys go, the newest stay, and State says that everybody lost some.
func TestManySmallOwnersShareTheRoom(t *testing.T) {
	t.Parallel()
	const most = 20_000
	rng := rand.New(rand.NewPCG(1, 1))
	life(t, dedupe.Config{Dir: t.TempDir(), Memory: 500, Most: most}, func(x *dedupe.Index) {
		for i := range uint64(most * 4) {
			if ok, err := x.First(dedupe.Owner(1+rng.IntN(5000)), key(i), dedupe.Pos{Frame: i}, start.Add(time.Duration(i)*time.Second)); err != nil || !ok {
				t.Fatalf("key %d: first = %v, %v", i, ok, err)
			}
		}
		if err := x.Snapshot(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		merged(t, x, 100)
		if s := x.State(); s.Keys > most*3/2 || len(s.Short) == 0 || s.Held < most/2*time.Second || s.Held > most*3/2*time.Second {
			t.Errorf("%+v, want %d keys and half of their seconds at least", s, most)
		}
		last := uint64(most * 4)
		for i := last - most/4; i < last; i++ {
			if ok, err := x.First(1, key(i), dedupe.Pos{Frame: 1 << 40}, start.Add(time.Duration(last)*time.Second)); err != nil || ok {
				t.Fatalf("key %d of %d was forgotten (%v)", i, last, err)
			}
		}
	})
}
