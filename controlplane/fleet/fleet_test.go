package fleet_test

import (
	"context"
	"crypto/ed25519"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/fleet"
	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/controlplane/store/tenancy"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/envelope"
	"weir/shared/wire/hub"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

var admin = store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann@example.com"}

// harness is a fleet with a hub that records whom it enrolled.
type harness struct {
	*fleet.Service
	store *store.Store

	mu       sync.Mutex
	now      time.Time
	away     bool
	enrolled []hub.Account
	beats    chan wire.Beat
	asks     chan uint64
	expelled []id.Plane
}

func (d *harness) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *harness) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func (d *harness) setAway(away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.away = away
}

func (d *harness) enrol(_ context.Context, a hub.Account, userKey string, p id.Plane) (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return "", fault.New(fault.Unavailable, "the hub is away")
	}
	d.enrolled = append(d.enrolled, a)
	return "jwt of " + userKey + " as " + string(p), nil
}

func (d *harness) expel(_ context.Context, _ hub.Account, p id.Plane) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return fault.New(fault.Unavailable, "the hub is away")
	}
	d.expelled = append(d.expelled, p)
	return nil
}

func (d *harness) ask(_ context.Context, _ hub.Account, _ id.Plane, ask uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.away {
		return fault.New(fault.Unavailable, "the hub is away")
	}
	d.asks <- ask
	return nil
}

func (d *harness) follow(ctx context.Context) iter.Seq2[wire.Beat, error] {
	return func(yield func(wire.Beat, error) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case b, ok := <-d.beats:
				if !ok {
					yield(wire.Beat{}, fault.New(fault.Unavailable, "closed"))
					return
				}
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}

var controlKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("c", 32))).Public().(ed25519.PublicKey)

func open(t *testing.T) *harness {
	t.Helper()
	d := &harness{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), beats: make(chan wire.Beat), asks: make(chan uint64, 10)}
	d.store = storetest.Open(t, store.Config{Database: storetest.SQLite(t), Now: d.clock})
	var err error
	d.Service, err = fleet.New(fleet.Config{
		Store: d.store, Enrol: d.enrol, Expel: d.expel, Ask: d.ask, Beats: d.follow, HubAddress: "nats://hub:4222", ControlKey: controlKey,
		CapabilityKey: controlKey, Origins: []string{"https://console"}, Now: d.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// applicant is a plane with keys of its own.
func applicant(t *testing.T, token, name string) fleet.Application {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return fleet.Application{
		Token: token, Name: name, IdentityKey: public, SealingKey: sealing.Public(),
		SealingKeySignature: envelope.SignSealingKey(private, sealing.Public()), NATSKey: "U" + strings.Repeat("A", 50) + strings.ToUpper((name + "aaaaa")[:5]),
		GatewayURL: "http://127.0.0.1:8090", ViewURL: "https://view.example.com", Version: "1.0.0",
		Kinds: []wire.Kind{{Family: "destination", Name: "webhook", Digest: "d"}},
	}
}

func (d *harness) admit(t *testing.T, region, name string, kind store.PlaneKind) fleet.Admission {
	t.Helper()
	token, _, err := d.Invite(t.Context(), admin, region, kind, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Join(t.Context(), applicant(t, token, name))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || fault.KindOf(err) != kind {
		t.Fatalf("got error %v, want one of kind %s", err, kind)
	}
}

func TestAPlaneJoinsOnceWithItsTokenAndMayAskAgain(t *testing.T) {
	t.Parallel()
	d := open(t)
	token, inv, err := d.Invite(t.Context(), admin, "eu", store.Regional, "")
	if err != nil || !inv.ExpiresAt.Equal(d.clock().Add(time.Hour)) {
		t.Fatalf("invitation %+v, %v; want one for an hour", inv, err)
	}
	a := applicant(t, token, "one")
	d.setAway(true)
	_, err = d.Join(t.Context(), a)
	wantKind(t, err, fault.Unavailable)
	d.setAway(false)
	got, err := d.Join(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Admission{
		Plane: got.Plane, Region: "eu", Hub: "nats://hub:4222", JWT: "jwt of " + a.NATSKey + " as " + string(got.Plane),
		ControlKey: controlKey, CapabilityKey: controlKey, Origins: []string{"https://console"},
	}
	if diff := cmp.Diff(want, got); diff != "" || !id.Valid(got.Plane) {
		t.Errorf("(-want +got)\n%s", diff)
	}
	again, err := d.Join(t.Context(), a)
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("asking again: %v (-first +again)\n%s", err, diff)
	}
	_, err = d.Join(t.Context(), applicant(t, token, "two"))
	wantKind(t, err, fault.Denied)
	_, err = d.Join(t.Context(), applicant(t, "weir_join_guessed", "two"))
	wantKind(t, err, fault.Denied)
	d.pass(time.Hour)
	_, err = d.Join(t.Context(), a)
	wantKind(t, err, fault.Denied)
	if key, ok := d.Key(got.Plane); !ok || !key.Equal(a.IdentityKey) {
		t.Errorf("the plane's key is %x, %t; want %x", key, ok, a.IdentityKey)
	}
	if row, err := d.store.Plane(t.Context(), got.Plane); err != nil || strings.Contains(row.Name, token) {
		t.Errorf("got %+v, %v", row, err)
	}
}

func TestAnApplicationThatProvesNothingIsRefused(t *testing.T) {
	t.Parallel()
	d := open(t)
	token, _, err := d.Invite(t.Context(), admin, "eu", store.Regional, "")
	if err != nil {
		t.Fatal(err)
	}
	other := applicant(t, token, "other")
	for path, spoil := range map[string]func(*fleet.Application){
		"name":                func(a *fleet.Application) { a.Name = "A plane\n" },
		"identityKey":         func(a *fleet.Application) { a.IdentityKey = nil },
		"sealingKey":          func(a *fleet.Application) { a.SealingKey = a.SealingKey[:31] },
		"sealingKeySignature": func(a *fleet.Application) { a.SealingKeySignature = other.SealingKeySignature },
		"natsKey":             func(a *fleet.Application) { a.NATSKey = "S" + a.NATSKey[1:] },
		"gatewayUrl":          func(a *fleet.Application) { a.GatewayURL = "javascript:alert(1)" },
		"viewUrl":             func(a *fleet.Application) { a.ViewURL = "https://ann:pw@view" },
		"version":             func(a *fleet.Application) { a.Version = strings.Repeat("1", 65) },
		"kinds":               func(a *fleet.Application) { a.Kinds = make([]wire.Kind, 1001) },
	} {
		a := applicant(t, token, "plane")
		spoil(&a)
		_, err := d.Join(t.Context(), a)
		wantKind(t, err, fault.Invalid)
		if !slices.ContainsFunc(fault.ProblemsOf(err), func(p fault.Problem) bool { return p.Path == path }) {
			t.Errorf("a bad %s gave %v", path, err)
		}
	}
	if len(d.enrolled) != 0 {
		t.Errorf("the hub enrolled %v", d.enrolled)
	}
	if _, err := d.Join(t.Context(), applicant(t, token, "plane")); err != nil {
		t.Errorf("the token was used up by refused applications: %v", err)
	}
}

func TestOnlyRegionsAndKindsThatAreOnesAreInvited(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, tc := range map[string]struct {
		region       string
		kind         store.PlaneKind
		organization id.Organization
	}{
		"region":               {"Europe!", store.Regional, ""},
		"kind":                 {"eu", "lunar", ""},
		"regional of somebody": {"eu", store.Regional, "org_1"},
		"organization":         {"eu", store.Private, "Org 1"},
	} {
		if _, _, err := d.Invite(t.Context(), admin, tc.region, tc.kind, tc.organization); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
}

func TestPrivatePlanesHaveHubAccountsOfTheirOwn(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, kind := range map[string]store.PlaneKind{"a": store.Regional, "b": store.Regional, "c": store.Private, "d": store.Private} {
		d.admit(t, "eu", name, kind)
	}
	accounts, err := fleet.Accounts(t.Context(), d.store)
	if err != nil || len(accounts) != 3 || !slices.Contains(accounts, hub.Account{Region: "eu"}) {
		t.Errorf("got %v, %v; want eu and two private ones", accounts, err)
	}
	for _, a := range d.enrolled {
		if !slices.Contains(accounts, a) {
			t.Errorf("enrolled in %v, which is no plane's", a)
		}
	}
}

func TestAWorkspaceIsPlacedInItsRegionOnTheFirstSharedPlane(t *testing.T) {
	t.Parallel()
	d := open(t)
	_, err := d.Place(t.Context(), tenancy.Default, "eu")
	wantKind(t, err, fault.Missing)
	private := d.admit(t, "eu", "a", store.Private)
	us := d.admit(t, "us", "b", store.Regional)
	for region, want := range map[string]id.Plane{"eu": private.Plane, "us": us.Plane} {
		if got, err := d.Place(t.Context(), tenancy.Default, region); err != nil || got.ID != want {
			t.Errorf("place in %s: got %s, %v; want %s", region, got.ID, err, want)
		}
	}
	d.pass(time.Second)
	shared := d.admit(t, "eu", "c", store.Regional)
	d.pass(time.Second)
	d.admit(t, "eu", "d", store.Regional)
	if got, err := d.Place(t.Context(), tenancy.Default, "eu"); err != nil || got.ID != shared.Plane {
		t.Errorf("got %s, %v; want the first shared plane %s", got.ID, err, shared.Plane)
	}
	_, err = d.Place(t.Context(), tenancy.Default, "")
	wantKind(t, err, fault.Missing)
}

func TestBeatsMakeAPlaneHealthyForAWhile(t *testing.T) {
	t.Parallel()
	d := open(t)
	p := d.admit(t, "eu", "a", store.Regional)
	ended := make(chan error, 1)
	go func() { ended <- d.Run(t.Context()) }()
	d.beats <- wire.Beat{Plane: "pl_unknown", At: d.clock(), Version: "1.0.0"}
	ahead := d.clock().Add(24 * time.Hour) // a clock that is a day ahead
	d.beats <- wire.Beat{Plane: p.Plane, At: ahead, Version: "1.1.0", Healthy: true, Alarms: []wire.Alarm{{Code: "disk_full", Count: 2}}}
	d.beats <- wire.Beat{Plane: "pl_unknown", At: d.clock(), Version: "1.0.0"} // taken once the one before is folded
	list, err := d.store.Planes(t.Context(), "eu")
	if err != nil || len(list) != 1 || !d.Healthy(list[0]) || list[0].Version != "1.1.0" || list[0].Alarms[0].Count != 2 {
		t.Fatalf("got %+v, %v; want a healthy plane", list, err)
	}
	if got := fleet.Fingerprint(list[0].IdentityKey); len(got) != 32 {
		t.Errorf("fingerprint %q, want 32 digits", got)
	}
	d.pass(time.Minute)
	if shown := d.Judge(list[0]); shown.Healthy || len(shown.Alarms) != 2 || shown.Alarms[0].Code != fleet.Silent || len(list[0].Alarms) != 1 {
		t.Errorf("a silent plane is shown as %+v, want an alarm before its own", shown)
	}
	if list, err = d.store.Planes(t.Context(), ""); err != nil || d.Healthy(list[0]) {
		t.Errorf("got %+v, %v; want an unhealthy plane after a minute of silence", list, err)
	}
	d.beats <- wire.Beat{Plane: p.Plane, At: ahead.Add(time.Second), Version: "1.1.0", Healthy: true}
	close(d.beats)
	if err := <-ended; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("run ended with %v, want unavailable", err)
	}
	if list, err = d.store.Planes(t.Context(), ""); err != nil || !d.Healthy(list[0]) {
		t.Errorf("got %+v, %v; want a healthy plane again", list, err)
	}
}

// TestCountsAreOfAfterTheyWereAskedFor has beats that were made before the ask come in
// after it.
func TestCountsAreOfAfterTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	d := open(t)
	p := d.admit(t, "eu", "a", store.Regional)
	go func() { _ = d.Run(t.Context()) }()
	if counts, err := d.Counts(t.Context(), p.Plane); err != nil || len(counts) != 0 {
		t.Errorf("counts of a plane that never beat = %v, %v; want none", counts, err)
	}
	beat := func(parked, ask uint64) {
		d.pass(time.Second)
		d.beats <- wire.Beat{Plane: p.Plane, At: d.clock(), Version: "1.1.0", Asked: ask, Counts: []wire.Count{{Workspace: "ws_a", Source: "src_a", Destination: "dst_a", Parked: parked}}}
		d.beats <- wire.Beat{Plane: "pl_unknown", At: d.clock(), Version: "1.0.0"} // taken once the one before is folded
	}
	beat(1, 0)
	type answer struct {
		counts []wire.Count
		err    error
	}
	ask := func() (uint64, chan answer) {
		got := make(chan answer, 1)
		go func() {
			counts, err := d.Counts(t.Context(), p.Plane)
			got <- answer{counts, err}
		}()
		return <-d.asks, got
	}
	want := func(got chan answer, parked uint64) {
		t.Helper()
		if a := <-got; a.err != nil || len(a.counts) != 1 || a.counts[0].Parked != parked {
			t.Errorf("counts = %+v, want %d parked", a, parked)
		}
	}
	first, one := ask()
	second, two := ask()
	if second <= first {
		t.Errorf("asks %d and %d, want rising ones", first, second)
	}
	d.beats <- wire.Beat{Plane: p.Plane, At: d.clock().Add(time.Millisecond), Version: "1.1.0", Asked: second, Partial: true} // of a plane that starts
	beat(3, second)
	want(one, 3)
	want(two, 3)

	part := func(process string, parked, ask uint64, of int, partitions ...int) {
		d.pass(time.Second)
		d.beats <- wire.Beat{
			Plane: p.Plane, At: d.clock(), Version: "1.1.0", Asked: ask, Partial: true, Process: process, Partitions: partitions, Of: of,
			Counts: []wire.Count{{Workspace: "ws_a", Source: "src_a", Destination: "dst_a", Parked: parked}},
		}
		d.beats <- wire.Beat{Plane: "pl_unknown", At: d.clock(), Version: "1.0.0"}
	}
	third, several := ask() // a plane of several processes
	part("A", 100, second, 3, 0, 1, 2)
	part("A", 1, third, 3, 0, 1)
	part("A", 2, third, 3, 0, 1)  // once more
	part("B", 30, third, 3, 1)    // a partition moved to another process
	part("C", 400, third, 3)      // which has none yet
	part("A", 5, second, 3, 0, 2) // before it heard the ask
	select {
	case a := <-several:
		t.Errorf("counts = %+v, and partitions are missing", a)
	default:
	}
	part("A", 6, third, 3, 0, 2)
	sum := uint64(0)
	a := <-several
	for _, c := range a.counts {
		sum += c.Parked
	}
	if a.err != nil || sum != 436 {
		t.Errorf("counts = %+v, want 436 parked", a)
	}

	_, old := ask() // a plane that knows no asks
	beat(4, second)
	beat(5, second)
	want(old, 5)

	d.setAway(true)
	_, err := d.Counts(t.Context(), p.Plane)
	wantKind(t, err, fault.Unavailable)
	d.setAway(false)
	d.pass(time.Minute)
	_, err = d.Counts(t.Context(), p.Plane)
	wantKind(t, err, fault.Unavailable)
}

func TestARemovedPlaneIsExpelled(t *testing.T) {
	t.Parallel()
	d := open(t)
	p := d.admit(t, "eu", "a", store.Regional)
	if _, known := d.Key(p.Plane); !known {
		t.Fatal("the plane has no key")
	}
	key := d.planeKey(t, p.Plane)
	d.setAway(true)
	wantKind(t, d.Remove(t.Context(), admin, "a"), fault.Unavailable)
	d.setAway(false)
	if err := d.Remove(t.Context(), admin, "a"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]id.Plane{p.Plane}, d.expelled); diff != "" {
		t.Errorf("expelled (-want +got)\n%s", diff)
	}
	if _, known := d.Key(p.Plane); known {
		t.Error("the key of a removed plane is good")
	}
	for a, want := range map[hub.Account]int{{Region: "eu"}: 1, {Region: "us"}: 0} {
		revoked, err := fleet.Revoked(t.Context(), d.store, a)
		if err != nil || len(revoked) != want || want == 1 && revoked[key].IsZero() {
			t.Errorf("revoked in %v: %v, %v", a, revoked, err)
		}
	}
}

func (d *harness) planeKey(t *testing.T, p id.Plane) string {
	t.Helper()
	row, err := d.store.Plane(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return row.NATSKey
}

func TestTheKeyOfAnUnknownPlaneIsNotAskedForEveryTime(t *testing.T) {
	t.Parallel()
	d := open(t)
	if _, ok := d.Key("pl_none"); ok {
		t.Error("an unknown plane has a key")
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Key("pl_none"); ok {
		t.Error("an unknown plane has a key")
	}
	if _, ok := d.Key("pl_other"); ok {
		t.Error("a closed store knows a key")
	}
}

func TestAFleetNeedsAllItStandsOn(t *testing.T) {
	t.Parallel()
	_, err := fleet.New(fleet.Config{})
	if err == nil || !strings.Contains(err.Error(), "a store") || !strings.Contains(err.Error(), "hub's address") {
		t.Errorf("got %v, want every missing part", err)
	}
}
