package publish_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	"weir/controlplane/publish"
	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/edge"
	"weir/shared/wire/hub"
	"weir/shared/workspace"
)

// patience is how long a test waits for a state; only a broken build needs it.
const patience = time.Minute

// real is a store and a hub with one plane, all as in production.
type real struct {
	store     *store.Store
	plane     store.Plane
	sealing   secret.PrivateKey
	edge      *edge.Edge
	publisher *publish.Publisher
	pointers  chan wire.Pointer
}

func newReal(t *testing.T) *real {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, control, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	identityKey, identity, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	r := &real{store: storetest.Open(t, store.Config{Database: storetest.Postgres(t)}), pointers: make(chan wire.Pointer, 100)}
	r.sealing, err = secret.NewKey()
	check(err)
	server, err := hub.Serve(t.Context(), hub.ServerConfig{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	check(err)
	t.Cleanup(server.Close)
	h, err := hub.New(hub.Config{
		Address: server.Address(), Operator: server.Operator(), Key: control,
		PlaneKey: func(p id.Plane) (ed25519.PublicKey, bool) { return identityKey, p == "pl_real" },
	})
	check(err)
	t.Cleanup(h.Close)
	user, err := nkeys.CreateUser()
	check(err)
	userKey, _ := user.PublicKey() // these fail only for a key without a seed
	seed, _ := user.Seed()
	r.plane = enlist(t, r.store, "real", "eu", identityKey, r.sealing.Public(), userKey, "pl_real")
	jwt, err := h.Enrol(t.Context(), hub.Account{Region: "eu"}, userKey, r.plane.ID)
	check(err)
	r.edge, err = edge.Dial(edge.Config{
		Address: server.Address(), Credentials: wire.Credentials{JWT: jwt, Seed: secret.NewString(string(seed))}, Plane: r.plane.ID,
		Region: "eu", ControlKey: control.Public().(ed25519.PublicKey), Identity: identity, Sealing: r.sealing,
	})
	check(err)
	t.Cleanup(r.edge.Close)
	r.publisher, err = publish.New(publish.Config{Store: r.store, Hub: h})
	check(err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.publisher.Run(ctx) }()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		for p, err := range r.edge.Pointers(ctx) {
			if err == nil {
				r.pointers <- p
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-followed
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

func (r *real) pointer(t *testing.T) wire.Pointer {
	t.Helper()
	select {
	case p := <-r.pointers:
		return p
	case <-time.After(patience):
		t.Fatal("no pointer came")
		return wire.Pointer{}
	}
}

func (r *real) awaitAck(t *testing.T, want wire.Ack) {
	t.Helper()
	var got []wire.Ack
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		var err error
		if got, err = r.store.Acks(t.Context(), want.Workspace); err != nil {
			t.Fatal(err)
		}
		if len(got) == 1 && got[0].Number == want.Number && got[0].State == want.State {
			break
		}
	}
	if len(got) == 1 {
		want.Format, want.Plane, want.At = wire.Version, "pl_real", got[0].At
	}
	if diff := cmp.Diff([]wire.Ack{want}, got); diff != "" {
		t.Fatalf("the store's ack (-want +got)\n%s", diff)
	}
}

func TestACommitReachesItsPlaneSealedAndItsAnswerComesBack(t *testing.T) {
	t.Parallel()
	r := newReal(t)
	name := secret.OfDestination("ws_acme", "dst_hook", "headers", 1)
	sealed, err := secret.Seal(r.sealing.Public(), name, "webhook", []byte(`{"authorization":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	c := workspace.Config{
		Format: workspace.Format, Workspace: "ws_acme", Name: "acme", Region: "eu",
		Destinations: []workspace.Destination{{ID: "dst_hook", Name: "hook", Type: "webhook", Secrets: map[string]secret.Ref{"headers": {Version: 1, Fingerprint: "f"}}}},
	}
	body, digest, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	rev, err := r.store.AppendRevision(t.Context(), admin, store.Commit{
		Workspace: store.Workspace{Organization: store.DefaultOrganization, ID: c.Workspace, Name: "acme", Region: "eu", Plane: r.plane.ID}, Config: c, Digest: digest, Body: body,
		Secrets: []store.Secret{{Name: name, Fingerprint: "f", Sealed: map[id.Plane]secret.Sealed{r.plane.ID: sealed}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.publisher.Nudge(rev.Workspace)
	p := r.pointer(t)
	if p.Number != 1 || p.Digest != digest || p.Workspace != "ws_acme" || p.Tombstone {
		t.Fatalf("got pointer %+v, want number 1 of %s", p, digest)
	}
	if got, err := r.edge.Body(t.Context(), p.Workspace, p.Digest); err != nil || string(got) != string(body) {
		t.Errorf("got body %q, %v; want %q", got, err, body)
	}
	if got, err := r.edge.Secret(t.Context(), name); err != nil || string(got) != string(sealed) {
		t.Errorf("got envelope %x, %v; want %x", got, err, sealed)
	}
	rejected := wire.Ack{Workspace: "ws_acme", Number: 1, State: wire.Rejected, Digest: digest, At: time.Now(),
		Problems: []wire.Problem{{Path: "destinations[0]", Code: "too_old"}}}
	rejected.Plane = r.plane.ID
	if err := r.edge.Ack(t.Context(), rejected); err != nil {
		t.Fatal(err)
	}
	rejected.At = time.Time{}
	r.awaitAck(t, rejected)

	gone, err := r.store.DeleteWorkspace(t.Context(), admin, rev.Workspace)
	if err != nil {
		t.Fatal(err)
	}
	r.publisher.Nudge(rev.Workspace)
	if p = r.pointer(t); !p.Tombstone || p.Number != gone.Number {
		t.Errorf("got pointer %+v, want the tombstone %d", p, gone.Number)
	}
}

// restore is a control plane whose database was copied after the first of its
// revisions reached the plane, and whose plane then went on to more.
func restore(t *testing.T, more int) *harness {
	t.Helper()
	dir := t.TempDir()
	w := &harness{t: t, hub: newHub(1, none)}
	open := func(file string) *store.Store {
		s, err := store.Open(t.Context(), store.Config{Database: filepath.Join(dir, file)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	w.store = open("old.db")
	w.planes = []store.Plane{enlist(t, w.store, "a", "eu", []byte("i"), []byte("s"), "U", id.New[id.Plane]())}
	w.commit("ws_x", w.planes[0], 0)
	w.settle()
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // queries whose context ended let go of their connections beside
	backup := map[string][]byte{}
	for _, part := range []string{"", "-wal"} { // the last connection writes the log into the file when it closes
		text, err := os.ReadFile(filepath.Join(dir, "old.db"+part))
		if err != nil && (part == "" || !errors.Is(err, fs.ErrNotExist)) {
			t.Fatal(err)
		}
		if err == nil {
			backup[part] = text
		}
	}
	w.store = open("old.db")
	for n := range more {
		time.Sleep(time.Second)
		w.commit("ws_x", w.planes[0], uint64(n+1))
		w.settle()
	}
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	for part, text := range backup {
		if err := os.WriteFile(filepath.Join(dir, "new.db"+part), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.store = storetest.Open(t, store.Config{Database: filepath.Join(dir, "new.db")})
	time.Sleep(time.Second)
	return w
}

// settle runs a publisher for a virtual minute and a half.
func (w *harness) settle() {
	w.start()
	time.Sleep(90 * time.Second)
	w.stop()
}

// wants returns the newest number of ws_x, and fails unless the plane is there.
func (w *harness) wants(number uint64) {
	w.t.Helper()
	row, err := w.store.Workspace(w.t.Context(), "ws_x")
	if err != nil {
		w.t.Fatal(err)
	}
	if row.Number != number {
		w.t.Errorf("the newest number is %d, want %d", row.Number, number)
	}
	if found := w.verdict(); len(found) > 0 {
		w.t.Errorf("broken promises: %v", found)
	}
}

func TestARestoredStoreDoesNotTurnItsPlaneBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := restore(t, 3)
		w.settle()
		at := w.hub.pointers[place{w.planes[0].ID, "ws_x"}]
		if at.Number != 4 || len(w.hub.found) > 0 {
			t.Fatalf("the restored store moved the pointer to %d: %v", at.Number, w.hub.found)
		}
		w.commit("ws_x", w.planes[0], 1)
		w.settle()
		w.wants(5)
	})
}

func TestWhatWasCommittedRightAfterARestoreIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := restore(t, 3)
		w.commit("ws_x", w.planes[0], 1) // number 2, before anybody looked at the hub
		w.settle()
		w.wants(5)
	})
}

func TestADeletionRightAfterARestoreIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := restore(t, 3)
		if _, err := w.store.DeleteWorkspace(t.Context(), admin, "ws_x"); err != nil {
			t.Fatal(err)
		}
		w.settle()
		w.wants(5)
	})
}

func TestOnePlanesTroubleIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 1, none)
		for i, p := range w.planes {
			w.commit(id.Workspace(fmt.Sprint("ws_", i)), p, 0)
		}
		p, err := publish.New(publish.Config{Store: w.store, Hub: awayFor{w.hub, w.planes[1].ID}})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Compare(t.Context()); err == nil || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("compare gave %v, want unavailable", err)
		}
		for i, pl := range w.planes {
			got := w.hub.pointers[place{pl.ID, id.Workspace(fmt.Sprint("ws_", i))}].Number
			if want := uint64(1); i != 1 && got != want || i == 1 && got != 0 {
				t.Errorf("plane %d is pointed at %d", i, got)
			}
		}
	})
}

func TestANudgeAsksTheHubAboutItsWorkspaceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 1, none)
		for i := range 30 {
			w.commit(id.Workspace(fmt.Sprint("ws_", i)), w.planes[i%3], 0)
		}
		asked := &asking{faultyHub: w.hub}
		p, err := publish.New(publish.Config{Store: w.store, Hub: asked})
		if err != nil {
			t.Fatal(err)
		}
		w.store.OnChange(p.Nudge)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if got := asked.took(); len(got) < 30 {
			t.Errorf("at its start the publisher asked about %d workspaces, want all 30", len(got))
		}
		w.commit("ws_7", w.planes[1], 1)
		time.Sleep(time.Second)
		if diff := cmp.Diff(map[id.Workspace]bool{"ws_7": true}, asked.took()); diff != "" {
			t.Errorf("asked about after a commit (-want +got)\n%s", diff)
		}
		if got := w.hub.pointers[place{w.planes[1].ID, "ws_7"}].Number; got != 2 {
			t.Errorf("the plane is pointed at %d, want 2", got)
		}
		time.Sleep(25 * time.Second)
		if got := asked.took(); len(got) != 30 {
			t.Errorf("after half a minute the publisher asked about %d workspaces, want all 30", len(got))
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

func TestWhatFailedIsTriedAgainWithoutANudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHarness(t, 1, none)
		p, err := publish.New(publish.Config{Store: w.store, Hub: w.hub, Every: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		w.store.OnChange(p.Nudge)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		time.Sleep(time.Second)
		w.hub.set(1)
		w.commit("ws_x", w.planes[0], 0)
		time.Sleep(10 * time.Second)
		w.hub.set(0)
		time.Sleep(time.Minute)
		if got := w.hub.pointers[place{w.planes[0].ID, "ws_x"}].Number; got != 1 {
			t.Errorf("the plane is pointed at %d, want 1", got)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// asking notes which workspaces its hub was asked about.
type asking struct {
	*faultyHub
	mu   sync.Mutex
	seen map[id.Workspace]bool
}

func (a *asking) Pointed(ctx context.Context, to hub.Recipient, ws id.Workspace) (wire.Pointer, error) {
	a.mu.Lock()
	if a.seen == nil {
		a.seen = map[id.Workspace]bool{}
	}
	a.seen[ws] = true
	a.mu.Unlock()
	return a.faultyHub.Pointed(ctx, to, ws)
}

// took returns what was asked about since it was called last.
func (a *asking) took() map[id.Workspace]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.seen
	a.seen = nil
	return seen
}

// awayFor is a hub that one plane's account cannot be reached on.
type awayFor struct {
	*faultyHub
	plane id.Plane
}

func (a awayFor) Pointed(ctx context.Context, to hub.Recipient, ws id.Workspace) (wire.Pointer, error) {
	if to.Plane == a.plane {
		return wire.Pointer{}, fault.New(fault.Unavailable, "the account is away")
	}
	return a.faultyHub.Pointed(ctx, to, ws)
}

func TestAPublisherNeedsAStoreAndAHub(t *testing.T) {
	t.Parallel()
	if _, err := publish.New(publish.Config{}); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("got %v, want invalid", err)
	}
}
