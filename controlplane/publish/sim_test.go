package publish_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/controlplane/publish"
	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/hub"
	"weir/shared/workspace"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var admin = store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann@example.com"}

// place is a workspace on a plane.
type place struct {
	plane     id.Plane
	workspace id.Workspace
}

// mistake is a planted fault that the simulation has to find.
type mistake string

const (
	none          mistake = ""
	losesSecrets  mistake = "secrets are swallowed"
	losesPointers mistake = "some pointers are swallowed"
)

// faultyHub is the hub and the planes behind it, in memory, with seeded faults:
// answers that are lost before or after the act, conflicts out of nothing, times
// when all is away, and an operator who empties it.
type faultyHub struct {
	plant mistake

	mu       sync.Mutex
	rng      *rand.Rand
	trouble  float64 // chance that a call goes wrong
	pointers map[place]wire.Pointer
	secrets  map[id.Plane]map[secret.Name]bool
	seen     map[place]wire.Pointer // what the plane has seen; it never forgets
	needs    map[place]secret.Name  // the secret of the revision that the plane saw last
	acks     []wire.Ack
	news     chan struct{} // closed when acks grow
	found    []string      // broken promises
	emptied  time.Time     // when the hub lost its disk last
}

func newHub(seed uint64, plant mistake) *faultyHub {
	return &faultyHub{
		plant: plant, rng: rand.New(rand.NewPCG(seed, 1)), pointers: map[place]wire.Pointer{},
		secrets: map[id.Plane]map[secret.Name]bool{}, seen: map[place]wire.Pointer{}, needs: map[place]secret.Name{}, news: make(chan struct{}),
	}
}

// call runs act between seeded faults.
func (h *faultyHub) call(ctx context.Context, act func() error) error {
	h.mu.Lock()
	wait := time.Duration(h.rng.IntN(50)+1) * time.Millisecond
	before, after := h.rng.Float64() < h.trouble, h.rng.Float64() < h.trouble
	h.mu.Unlock()
	select {
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "no time left")
	case <-time.After(wait):
	}
	if before {
		return fault.New(fault.Unavailable, "the hub is away")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := act(); err != nil {
		return err
	}
	if after {
		return fault.New(fault.Unavailable, "the answer was lost")
	}
	return nil
}

func (h *faultyHub) Pointed(ctx context.Context, to hub.Recipient, ws id.Workspace) (p wire.Pointer, err error) {
	err = h.call(ctx, func() error {
		var ok bool
		if p, ok = h.pointers[place{to.Plane, ws}]; !ok {
			return fault.New(fault.Missing, "no pointer")
		}
		return nil
	})
	return p, err
}

func (h *faultyHub) PutSecret(ctx context.Context, to hub.Recipient, n secret.Name, s secret.Sealed) error {
	return h.call(ctx, func() error {
		if string(s) != envelope(to.Plane) {
			h.found = append(h.found, fmt.Sprintf("plane %s got an envelope for another", to.Plane))
		}
		if h.plant != losesSecrets {
			if h.secrets[to.Plane] == nil {
				h.secrets[to.Plane] = map[secret.Name]bool{}
			}
			h.secrets[to.Plane][n] = true
		}
		return nil
	})
}

func (h *faultyHub) Point(ctx context.Context, to hub.Recipient, p wire.Pointer, body []byte) error {
	return h.call(ctx, func() error {
		at := place{to.Plane, p.Workspace}
		if h.plant == losesPointers && p.Number%2 == 0 {
			return nil
		}
		if h.rng.Float64() < h.trouble/2 || h.pointers[at].Number >= p.Number {
			return fault.New(fault.Conflict, "somebody was faster")
		}
		p.IssuedAt = time.Now()
		h.pointers[at] = p
		h.look(at, p, body)
		return nil
	})
}

// look is the plane: it checks what it is given and answers.
func (h *faultyHub) look(at place, p wire.Pointer, body []byte) {
	was := h.seen[at]
	if p.Number < was.Number || p.Number == was.Number && p.Digest != was.Digest {
		h.found = append(h.found, fmt.Sprintf("%s was pointed at %d after %d", p.Workspace, p.Number, was.Number))
	}
	h.seen[at] = p
	missing := false
	delete(h.needs, at)
	if !p.Tombstone {
		c, err := workspace.Decode(body)
		if err != nil || workspace.DigestOf(body) != p.Digest {
			h.found = append(h.found, fmt.Sprintf("%s at %d has a bad body: %v", p.Workspace, p.Number, err))
		}
		for _, d := range c.Destinations {
			for field, ref := range d.Secrets {
				name := secret.OfDestination(p.Workspace, d.ID, field, ref.Version)
				h.needs[at] = name
				if missing = !h.secrets[at.plane][name]; missing && time.Since(h.emptied) > 10*time.Second {
					h.found = append(h.found, fmt.Sprintf("%s was pointed at %d before its secret was there", p.Workspace, p.Number))
				}
			}
		}
	}
	ack := wire.Ack{Format: wire.Version, Plane: at.plane, Workspace: p.Workspace, Number: p.Number, Running: p.Number, Digest: p.Digest,
		State: wire.Applied, At: time.Now().Add(time.Duration(len(h.acks)) * time.Microsecond)}
	switch {
	case p.Tombstone:
		ack.Running = 0
	case missing:
		ack.State, ack.Running, ack.Problems = wire.Rejected, was.Number, []wire.Problem{{Path: "destinations[0]", Code: "secret_missing"}}
	case h.rng.Float64() < 0.1:
		ack.State, ack.Running, ack.Problems = wire.Rejected, was.Number, []wire.Problem{{Path: "destinations[0]", Code: "too_old"}}
	}
	h.acks = append(h.acks, ack)
	close(h.news)
	h.news = make(chan struct{})
}

func (h *faultyHub) Acks(ctx context.Context) iter.Seq2[wire.Ack, error] {
	return func(yield func(wire.Ack, error) bool) {
		for next := 0; ; {
			h.mu.Lock()
			some, news := h.acks[next:], h.news
			h.mu.Unlock()
			for _, a := range some {
				if !yield(a, nil) {
					return
				}
			}
			next += len(some)
			select {
			case <-ctx.Done():
				return
			case <-news:
			}
		}
	}
}

func (h *faultyHub) set(trouble float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.trouble = trouble
}

// empty is a hub that lost its disk.
func (h *faultyHub) empty() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.pointers)
	clear(h.secrets)
	h.emptied = time.Now()
}

func envelope(p id.Plane) string { return "sealed for " + string(p) }

// harness is a store, a hub, and publishers that come and go.
type harness struct {
	t          *testing.T
	rng        *rand.Rand
	store      *store.Store
	hub        *faultyHub
	planes     []store.Plane
	alive      []id.Workspace
	publishers []*publish.Publisher
	stop       func()
}

func newHarness(t *testing.T, seed uint64, plant mistake) *harness {
	t.Helper()
	w := &harness{t: t, rng: rand.New(rand.NewPCG(seed, 2)), hub: newHub(seed, plant)}
	w.store = storetest.Open(t, store.Config{Database: storetest.SQLite(t)})
	for _, name := range []string{"a", "b", "c"} {
		w.planes = append(w.planes, enlist(t, w.store, name, "eu", []byte("identity "+name), []byte("sealing "+name), "U"+name, id.New[id.Plane]()))
	}
	return w
}

// enlist records a plane that joined.
func enlist(t *testing.T, s *store.Store, name, region string, identity, sealing []byte, natsKey string, plane id.Plane) store.Plane {
	t.Helper()
	var token store.Hash
	copy(token[:], name)
	inv := store.Invitation{Token: token, Region: region, Kind: store.Regional, ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.CreateInvitation(t.Context(), admin, inv); err != nil {
		t.Fatal(err)
	}
	p, err := s.JoinPlane(t.Context(), admin, token, store.Plane{
		ID: plane, Name: name, IdentityKey: identity, SealingKey: sealing, SealingKeySignature: []byte("s"), NATSKey: natsKey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs two publishers, as two processes of one control plane do.
func (w *harness) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var g errgroup.Group
	w.publishers = nil
	for range 2 {
		p, err := publish.New(publish.Config{Store: w.store, Hub: w.hub})
		if err != nil {
			w.t.Fatal(err)
		}
		w.publishers = append(w.publishers, p)
		g.Go(func() error { return p.Run(ctx) })
	}
	w.stop = func() {
		cancel()
		if err := g.Wait(); err != nil {
			w.t.Errorf("run: %v", err)
		}
	}
}

func (w *harness) commit(ws id.Workspace, plane store.Plane, expected uint64) {
	c := workspace.Config{Format: workspace.Format, Workspace: ws, Name: string(ws), Region: "eu"}
	dst := workspace.Destination{ID: id.Destination("dst_" + string(ws)), Name: "hook", Type: "webhook"}
	version := expected + 1
	dst.Secrets = map[string]secret.Ref{"headers": {Version: version, Fingerprint: fmt.Sprint("f", version)}}
	c.Destinations = []workspace.Destination{dst}
	body, digest, err := workspace.Encode(c)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.store.AppendRevision(w.t.Context(), admin, store.Commit{
		Workspace: store.Workspace{Organization: store.DefaultOrganization, ID: ws, Name: c.Name, Region: "eu", Plane: plane.ID}, Expected: expected, Config: c, Digest: digest, Body: body,
		Secrets: []store.Secret{{
			Name:        secret.OfDestination(ws, dst.ID, "headers", version),
			Fingerprint: fmt.Sprint("f", version), Sealed: map[id.Plane]secret.Sealed{plane.ID: secret.Sealed(envelope(plane.ID))},
		}},
	})
	if err != nil {
		w.t.Fatalf("commit %s: %v", ws, err)
	}
}

// act does one thing that happens to a control plane.
func (w *harness) act() {
	var changed id.Workspace
	switch n := w.rng.IntN(20); {
	case n < 3 || len(w.alive) == 0:
		ws := id.New[id.Workspace]()
		w.commit(ws, w.planes[w.rng.IntN(len(w.planes))], 0)
		w.alive, changed = append(w.alive, ws), ws
	case n < 12:
		row, err := w.store.Workspace(w.t.Context(), w.alive[w.rng.IntN(len(w.alive))])
		if err != nil {
			w.t.Fatal(err)
		}
		w.commit(row.ID, store.Plane{ID: row.Plane}, row.Number)
		changed = row.ID
	case n < 13:
		i := w.rng.IntN(len(w.alive))
		if _, err := w.store.DeleteWorkspace(w.t.Context(), admin, w.alive[i]); err != nil {
			w.t.Fatal(err)
		}
		changed = w.alive[i]
		w.alive = append(w.alive[:i], w.alive[i+1:]...)
	case n < 14:
		w.hub.empty()
	case n < 16:
		w.stop()
		w.start()
	case n < 17:
		w.hub.set(1)
	default:
		w.hub.set(w.rng.Float64() / 2)
	}
	if w.rng.IntN(3) > 0 { // some nudges are lost
		w.publishers[w.rng.IntN(2)].Nudge(changed)
	}
}

// verdict returns every promise that was broken.
func (w *harness) verdict() []string {
	found := w.hub.found
	wanted, err := w.store.Wanted(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	acks, err := w.store.Acks(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	said := map[id.Workspace]wire.Ack{}
	for _, a := range acks {
		said[a.Workspace] = a
	}
	for _, ws := range wanted {
		at := w.hub.seen[place{ws.Plane, ws.ID}]
		if at.Number != ws.Number || at.Digest != ws.Digest || at.Tombstone != ws.Deleted {
			found = append(found, fmt.Sprintf("%s is wanted at %d and its plane saw %d", ws.ID, ws.Number, at.Number))
		}
		if held, there := w.hub.pointers[place{ws.Plane, ws.ID}]; !ws.Deleted && (!there || held.Number != ws.Number) {
			found = append(found, fmt.Sprintf("%s is wanted at %d and the hub holds %d", ws.ID, ws.Number, held.Number))
		}
		if name, needed := w.hub.needs[place{ws.Plane, ws.ID}]; needed && !w.hub.secrets[ws.Plane][name] {
			found = append(found, fmt.Sprintf("%s is at %d without its secret", ws.ID, at.Number))
		}
		if said[ws.ID].Number != ws.Number {
			found = append(found, fmt.Sprintf("%s is wanted at %d and the store has an ack of %d", ws.ID, ws.Number, said[ws.ID].Number))
		}
	}
	return found
}

// simulate lives through some minutes of trouble, then some of quiet.
func simulate(t *testing.T, seed uint64, plant mistake) (found []string) {
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, seed, plant)
		w.start()
		for range 80 {
			w.act()
			time.Sleep(time.Duration(w.rng.IntN(4000)) * time.Millisecond)
		}
		w.hub.set(0)
		time.Sleep(2 * time.Minute)
		w.stop()
		found = w.verdict()
	})
	return found
}

func TestPointersNeverGoDownAndEndWhereTheyAreWanted(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			if found := simulate(t, seed, none); len(found) > 0 {
				t.Errorf("seed %d:\n%s", seed, strings.Join(found, "\n"))
			}
		})
	}
}

func TestTheSimulationFindsPlantedMistakes(t *testing.T) {
	for _, plant := range []mistake{losesSecrets, losesPointers} {
		t.Run(string(plant), func(t *testing.T) {
			if found := simulate(t, 1, plant); len(found) == 0 {
				t.Errorf("nobody noticed that %s", plant)
			}
		})
	}
}
