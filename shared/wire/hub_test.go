package wire_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

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

// site is a hub with its control end.
type site struct {
	t       *testing.T
	dir     string
	listen  string
	server  *hub.Server
	hub     *hub.Hub
	control ed25519.PrivateKey
	public  ed25519.PublicKey

	mu     sync.Mutex
	keys   map[id.Plane]ed25519.PublicKey
	forged []wire.Code
	placed func(id.Plane, id.Workspace) bool // nil: all are

	revoked map[string]time.Time
}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), listen: l.Addr().String(), keys: map[id.Plane]ed25519.PublicKey{}}
	if err := l.Close(); err != nil { // the port has to be the same after a restart
		t.Fatal(err)
	}
	if s.public, s.control, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	s.serve()
	s.hub, err = hub.New(hub.Config{
		Address: s.server.Address(), Operator: s.server.Operator(), Key: s.control,
		PlaneKey: func(p id.Plane) (ed25519.PublicKey, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			k, ok := s.keys[p]
			return k, ok
		},
		Revoked: func(context.Context, hub.Account) (map[string]time.Time, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.revoked, nil
		},
		Placed: func(p id.Plane, ws id.Workspace) bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.placed == nil || s.placed(p, ws)
		},
		Alarm: func(c wire.Code, _ id.Plane) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.forged = append(s.forged, c)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.hub.Close)
	return s
}

func (s *site) serve() {
	s.t.Helper()
	var err error
	if s.server, err = hub.Serve(s.t.Context(), hub.ServerConfig{Dir: s.dir, Listen: s.listen}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(s.server.Close)
}

// plane is an enrolled plane and what it received.
type plane struct {
	site     *site
	id       id.Plane
	account  hub.Account
	identity ed25519.PrivateKey
	sealing  secret.PrivateKey
	creds    wire.Credentials
	edge     *edge.Edge
	pointers chan wire.Pointer
	alarms   chan wire.Code
}

func (s *site) plane(account hub.Account) *plane {
	s.t.Helper()
	p := &plane{site: s, id: id.New[id.Plane](), account: account, pointers: make(chan wire.Pointer, 100), alarms: make(chan wire.Code, 100)}
	public, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	p.identity = identity
	s.mu.Lock()
	s.keys[p.id] = public
	s.mu.Unlock()
	if p.sealing, err = secret.NewKey(); err != nil {
		s.t.Fatal(err)
	}
	user, err := nkeys.CreateUser()
	if err != nil {
		s.t.Fatal(err)
	}
	userKey, _ := user.PublicKey()
	seed, _ := user.Seed()
	token, err := s.hub.Enrol(s.t.Context(), account, userKey, p.id)
	if err != nil {
		s.t.Fatal(err)
	}
	p.creds = wire.Credentials{JWT: token, Seed: secret.NewString(string(seed))}
	p.edge = p.dial(s.server.Address())
	return p
}

func (p *plane) dial(address string) *edge.Edge {
	p.site.t.Helper()
	e, err := edge.Dial(edge.Config{
		Address: address, Credentials: p.creds, Plane: p.id, Region: p.account.Region,
		ControlKey: p.site.public, Identity: p.identity, Sealing: p.sealing,
		Alarm: func(c wire.Code) { p.alarms <- c },
	})
	if err != nil {
		p.site.t.Fatal(err)
	}
	p.site.t.Cleanup(e.Close)
	return e
}

// follow begins to read pointers until the test ends.
func (p *plane) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ptr, err := range p.edge.Pointers(ctx) {
			if err != nil {
				return
			}
			p.pointers <- ptr
		}
	}()
	p.site.t.Cleanup(func() { cancel(); <-done })
}

// next waits for a pointer of the number.
func (p *plane) next(number uint64) wire.Pointer {
	p.site.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case ptr := <-p.pointers:
			if ptr.Number == number {
				return ptr
			}
		case <-deadline:
			p.site.t.Fatalf("no pointer at revision %d came to %s", number, p.id)
		}
	}
}

// alarm waits for an alarm of the code.
func (p *plane) alarm(code wire.Code) {
	p.site.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case c := <-p.alarms:
			if c == code {
				return
			}
		case <-deadline:
			p.site.t.Fatalf("no alarm %s was raised", code)
		}
	}
}

func (p *plane) recipient() hub.Recipient {
	return hub.Recipient{Plane: p.id, Account: p.account, Sealing: p.sealing.Public()}
}

// revision encodes a small configuration.
func (p *plane) revision(ws id.Workspace, number uint64) (wire.Pointer, []byte) {
	p.site.t.Helper()
	body, digest, err := workspace.Encode(workspace.Config{Format: workspace.Format, Workspace: ws, Name: fmt.Sprintf("n%d", number), Region: p.account.Region})
	if err != nil {
		p.site.t.Fatal(err)
	}
	return wire.Pointer{Plane: p.id, Workspace: ws, Region: p.account.Region, Number: number, Digest: digest}, body
}

// point brings a revision to the plane.
func (p *plane) point(ws id.Workspace, number uint64) wire.Pointer {
	p.site.t.Helper()
	ptr, body := p.revision(ws, number)
	if err := p.site.hub.Point(p.site.t.Context(), p.recipient(), ptr, body); err != nil {
		p.site.t.Fatal(err)
	}
	return ptr
}

// raw connects with credentials and without our code. What the server refuses
// is sent to the channel.
func (s *site) raw(c wire.Credentials, inbox string) (*nats.Conn, chan string) {
	s.t.Helper()
	user, err := nkeys.FromSeed([]byte(c.Seed.Reveal()))
	if err != nil {
		s.t.Fatal(err)
	}
	refused := make(chan string, 1000)
	nc, err := nats.Connect(s.server.Address(), nats.UserJWT(func() (string, error) { return c.JWT, nil }, user.Sign), nats.CustomInboxPrefix(inbox),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err.Error() }))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	return nc, refused
}

// admin connects with all rights of an account.
func (s *site) admin(a hub.Account) *nats.Conn {
	s.t.Helper()
	c, err := s.server.Operator().Admin(a)
	if err != nil {
		s.t.Fatal(err)
	}
	nc, _ := s.raw(c, "_INBOX_admin")
	return nc
}

// put writes an entry as if the hub itself did.
func put(t *testing.T, nc *nats.Conn, bucket, key string, value []byte) {
	t.Helper()
	msg, err := nc.Request("$KV."+bucket+"."+key, value, patience)
	if err != nil {
		t.Fatalf("put %s in %s: %v", key, bucket, err)
	}
	if string(msg.Data[:9]) == `{"error":` {
		t.Fatalf("put %s in %s: %s", key, bucket, msg.Data)
	}
}

func TestARevisionReachesItsPlaneAndTheAckComesBack(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	p.follow()
	ws := id.New[id.Workspace]()
	want := p.point(ws, 1)
	got := p.next(1)
	if got.IssuedAt.IsZero() || got.Format != wire.Version {
		t.Errorf("pointer %+v lacks what Point fills in", got)
	}
	got.IssuedAt, got.Format = time.Time{}, 0
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("pointer (-want +got):\n%s", d)
	}
	body, err := p.edge.Body(t.Context(), ws, want.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if workspace.DigestOf(body) != want.Digest {
		t.Errorf("the body has digest %s, want %s", workspace.DigestOf(body), want.Digest)
	}
	ack := wire.Ack{Workspace: ws, Number: 1, State: wire.Rejected, Problems: []wire.Problem{
		{Path: "destinations[0].settings.url", Code: "bad_url"}, {Path: "a b\n\"secret\"", Code: "not a code of ours"},
	}}
	ack.At = time.Now().Add(24 * time.Hour) // the plane's clock is a day ahead
	if err := p.edge.Ack(t.Context(), ack); err != nil {
		t.Fatal(err)
	}
	soon := func(at time.Time) bool { return at.Before(time.Now().Add(time.Minute)) }
	for a, err := range s.hub.Acks(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		want := []wire.Problem{{Path: "destinations[0].settings.url", Code: "bad_url"}, {Path: "a_b__secret_", Code: wire.Undeclared}}
		if d := cmp.Diff(want, a.Problems); d != "" || a.Plane != p.id || a.Workspace != ws || a.Number != 1 || a.State != wire.Rejected || !soon(a.At) {
			t.Errorf("ack %+v, problems (-want +got):\n%s", a, d)
		}
		break
	}
	beat := wire.Beat{At: ack.At, Version: "1.2.3", Healthy: true, Counts: []wire.Count{{Workspace: ws, Source: id.New[id.Source](), Accepted: 7, Dropped: map[wire.Code]uint64{"filtered": 1, "jane@example.com": 2}}}}
	if err := p.edge.Beat(t.Context(), beat); err != nil {
		t.Fatal(err)
	}
	for b, err := range s.hub.Beats(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[wire.Code]uint64{"filtered": 1, wire.Undeclared: 2}, b.Counts[0].Dropped); d != "" || b.Plane != p.id || !soon(b.At) {
			t.Errorf("beat %+v, dropped (-want +got):\n%s", b, d)
		}
		break
	}
}

// TestEveryProcessOfAPlaneGetsEveryPointer: also when one of them begins, ends or is
// of a version whose processes each took the consumer for themselves.
func TestEveryProcessOfAPlaneGetsEveryPointer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	ws := id.New[id.Workspace]()
	p.point(ws, 1)
	p.follow()
	p.next(1)
	process := func() (another *plane, end func()) {
		own := *p
		own.edge, own.pointers = p.dial(s.server.Address()), make(chan wire.Pointer, 100)
		own.follow()
		return &own, own.edge.Close
	}
	second, _ := process()
	third, end := process()
	second.next(1)
	third.next(1)
	for number := uint64(2); number < 6; number++ {
		p.point(ws, number)
		for _, one := range []*plane{p, second, third} {
			one.next(number)
		}
	}
	end()
	p.point(ws, 6)
	p.next(6)
	second.next(6)

	old, err := nkeys.FromSeed([]byte(p.creds.Seed.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(s.server.Address(), nats.UserJWT(func() (string, error) { return p.creds.JWT, nil }, old.Sign), nats.CustomInboxPrefix("_INBOX_"+string(p.id)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the consumer is of the process of the version before", func() bool {
		_ = js.DeleteConsumer(t.Context(), "KV_POINTERS", string(p.id))
		_, err := js.CreateConsumer(t.Context(), "KV_POINTERS", jetstream.ConsumerConfig{Name: string(p.id), FilterSubject: "$KV.POINTERS." + string(p.id) + ".>", AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute})
		return err == nil
	})
	p.point(ws, 7)
	p.next(7)
	second.next(7)
}

func TestAPointerMovesOnlyForward(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	ws := id.New[id.Workspace]()
	if _, err := s.hub.Pointed(t.Context(), p.recipient(), ws); err == nil || fault.KindOf(err) != fault.Missing {
		t.Fatalf("Pointed before the first Point: %v, want Missing", err)
	}
	first := p.point(ws, 5)
	for _, number := range []uint64{5, 4} {
		ptr, body := p.revision(ws, number)
		if err := s.hub.Point(t.Context(), p.recipient(), ptr, body); err == nil || fault.KindOf(err) != fault.Conflict {
			t.Errorf("Point at %d after 5: %v, want Conflict", number, err)
		}
	}
	p.point(ws, 6)
	if _, err := p.edge.Body(t.Context(), ws, first.Digest); err == nil || fault.KindOf(err) != fault.Missing {
		t.Errorf("body of the former revision: %v, want Missing", err)
	}
	got, err := s.hub.Pointed(t.Context(), p.recipient(), ws)
	if err != nil || got.Number != 6 {
		t.Errorf("Pointed = %+v, %v, want revision 6", got, err)
	}
	ptr, body := p.revision(ws, 7)
	ptr.Digest = first.Digest
	if err := s.hub.Point(t.Context(), p.recipient(), ptr, body); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("Point with another body's digest: %v, want Invalid", err)
	}
	var won, lost int
	var group sync.WaitGroup
	var mu sync.Mutex
	for range 8 {
		group.Go(func() {
			ptr, body := p.revision(ws, 8)
			err := s.hub.Point(t.Context(), p.recipient(), ptr, body)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if fault.KindOf(err) == fault.Conflict {
				lost++
			}
		})
	}
	group.Wait()
	if won != 1 || lost != 7 {
		t.Errorf("of 8 that moved the pointer at once %d won and %d met Conflict, want 1 and 7", won, lost)
	}
}

func TestSecretsReachOnlyTheirPlane(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu", Organization: id.New[id.Organization]()})
	name := secret.OfDestination(id.New[id.Workspace](), id.New[id.Destination](), "headers", 3)
	sealed, err := secret.Seal(p.sealing.Public(), name, "hook", []byte(`{"A":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.edge.Secret(t.Context(), name); err == nil || fault.KindOf(err) != fault.Missing {
		t.Fatalf("Secret before it is there: %v, want Missing", err)
	}
	if err := s.hub.PutSecret(t.Context(), p.recipient(), name, sealed); err != nil {
		t.Fatal(err)
	}
	got, err := p.edge.Secret(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	clear, err := secret.Open(p.sealing, name, "hook", got)
	if err != nil || clear.Reveal() != `{"A":"b"}` {
		t.Errorf("opened %q, %v", clear.Reveal(), err)
	}
	// A hub that moves a value to another version, or seals one itself.
	nc := s.admin(p.account)
	stored, err := nc.Request(fmt.Sprintf("$JS.API.DIRECT.GET.KV_SECRETS.$KV.SECRETS.%s.%s.destination.%s.headers.3", p.id, name.Workspace, name.Object), nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	moved := name
	moved.Version = 4
	put(t, nc, "SECRETS", fmt.Sprintf("%s.%s.destination.%s.headers.4", p.id, name.Workspace, name.Object), stored.Data)
	if _, err := p.edge.Secret(t.Context(), moved); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a secret moved to another version: %v, want Invalid", err)
	}
	p.alarm(wire.SecretDamaged)
	put(t, nc, "SECRETS", fmt.Sprintf("%s.%s.destination.%s.headers.4", p.id, name.Workspace, name.Object), sealed)
	if _, err := p.edge.Secret(t.Context(), moved); err == nil || fault.KindOf(err) != fault.Invalid {
		t.Errorf("a secret that the control plane did not sign: %v, want Invalid", err)
	}
	p.alarm(wire.SecretDamaged)
}

func TestOneDirectoryHasOneHub(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := hub.Serve(t.Context(), hub.ServerConfig{Dir: s.dir, Listen: "127.0.0.1:0"})
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Conflict {
		t.Errorf("a second hub on the same directory: %v, want Conflict", err)
	}
}

func TestATakenAddressIsSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, err := hub.Serve(t.Context(), hub.ServerConfig{Dir: t.TempDir(), Listen: s.listen})
	if err == nil || fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a hub on a taken address: %v, want Unavailable", err)
	}
}

func TestABeatThatIsTooLongGoesUpWithoutCounts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.plane(hub.Account{Region: "eu"})
	b := wire.Beat{Version: "1.0.0", Healthy: true, Asked: 3}
	for range 40_000 {
		b.Counts = append(b.Counts, wire.Count{Workspace: "ws_a", Source: "src_a", Destination: "dst_a", Accepted: 1})
	}
	eventually(t, "the beat is taken", func() bool {
		err := p.edge.Beat(t.Context(), b)
		return err != nil && fault.KindOf(err) == fault.Limited
	})
	for got, err := range s.hub.Beats(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if !got.Healthy || len(got.Counts) != 0 || got.Asked != 0 {
			t.Errorf("beat with %d counts, healthy %v, that answers %d", len(got.Counts), got.Healthy, got.Asked)
		}
		break
	}
}

// TestAnExpelledPlaneIsOutAndLeavesNothing expels one of two planes, which is connected:
// the other goes on, and a plane that comes back with its keys is another one.
func TestAnExpelledPlaneIsOutAndLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	a := hub.Account{Region: "eu"}
	p, other := s.plane(a), s.plane(a)
	for _, one := range []*plane{p, other} {
		one.follow()
		one.point("ws_a", 1)
		one.next(1)
		if err := one.edge.Beat(t.Context(), wire.Beat{Version: "1.0.0", Healthy: true}); err != nil {
			t.Fatal(err)
		}
	}
	user, err := nkeys.FromSeed([]byte(p.creds.Seed.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := user.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.revoked = map[string]time.Time{key: time.Now()}
	s.mu.Unlock()
	for range 2 { // it may be repeated
		if err := s.hub.Expel(t.Context(), a, p.id); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the plane is out", func() bool { return !p.edge.Connected() })
	if !other.edge.Connected() {
		t.Error("another plane is out, too")
	}
	nc := s.admin(a)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, bucket := range []string{"POINTERS", "BODIES", "SECRETS", "ACKS", "BEATS"} {
		stream, err := js.Stream(t.Context(), "KV_"+bucket)
		if err != nil {
			t.Fatal(err)
		}
		info, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		for subject := range info.State.Subjects {
			if strings.Contains(subject, string(p.id)) {
				t.Errorf("%s is left of the expelled plane", subject)
			}
		}
	}
	other.point("ws_a", 2)
	other.next(2)
	_, err = p.dial(s.server.Address()).Body(t.Context(), "ws_a", workspace.DigestOf([]byte("x")))
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("the expelled plane is answered: %v", err)
	}
}
