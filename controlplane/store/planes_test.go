package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/store"
	"weir/controlplane/store/audit"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/wire"
	"weir/shared/wire/condition"
	"weir/shared/workspace"
)

// join makes a plane of that name in that region.
func join(t *testing.T, s *store.Store, name, region string) store.Plane {
	t.Helper()
	token := store.Hash([]byte((name + "                                ")[:32]))
	inv := store.Invitation{Token: token, Region: region, Kind: store.Regional, ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.CreateInvitation(t.Context(), admin, inv); err != nil {
		t.Fatal(err)
	}
	return must[store.Plane](t)(s.JoinPlane(t.Context(), admin, token, keyed(name)))
}

func keyed(name string) store.Plane {
	return store.Plane{
		ID: id.New[id.Plane](), Name: name, Region: "claimed", IdentityKey: []byte("identity " + name), SealingKey: []byte("sealing " + name),
		SealingKeySignature: []byte("signature"), NATSKey: "U" + name, GatewayURL: "http://gateway", ViewURL: "http://view", Version: "1.0.0",
		Kinds: []wire.Kind{{Family: "destination", Name: "webhook", Digest: "d"}},
	}
}

func TestAnInvitationIsGoodOnceForOnePlane(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		inv := store.Invitation{Token: store.Hash{1}, Region: "eu", Kind: store.Private, Organization: "org_1", ExpiresAt: time.Now().Add(time.Hour)}
		if err := s.CreateInvitation(t.Context(), admin, inv); err != nil {
			t.Fatal(err)
		}
		first := keyed("one")
		got := must[store.Plane](t)(s.JoinPlane(t.Context(), admin, store.Hash{1}, first))
		want := first
		want.Region, want.Kind, want.Organization, want.JoinedAt, want.Alarms = "eu", store.Private, "org_1", got.JoinedAt, []wire.Alarm{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		again := first
		again.ID = id.New[id.Plane]()
		if same := must[store.Plane](t)(s.JoinPlane(t.Context(), admin, store.Hash{1}, again)); same.ID != first.ID {
			t.Errorf("the same plane again got id %s, want %s", same.ID, first.ID)
		}
		_, err := s.JoinPlane(t.Context(), admin, store.Hash{1}, keyed("two"))
		wantKind(t, err, fault.Denied)
		_, err = s.JoinPlane(t.Context(), admin, store.Hash{2}, keyed("two"))
		wantKind(t, err, fault.Denied)
		used := must[store.Invitation](t)(s.Invitation(t.Context(), store.Hash{1}))
		if used.UsedBy != first.ID {
			t.Errorf("invitation used by %q, want %s", used.UsedBy, first.ID)
		}
		expired := store.Invitation{Token: store.Hash{3}, Region: "eu", Kind: store.Regional, ExpiresAt: time.Now().Add(-time.Second)}
		if err := s.CreateInvitation(t.Context(), admin, expired); err != nil {
			t.Fatal(err)
		}
		_, err = s.JoinPlane(t.Context(), admin, store.Hash{3}, keyed("two"))
		wantKind(t, err, fault.Denied)
		fresh := store.Invitation{Token: store.Hash{4}, Region: "eu", Kind: store.Regional, ExpiresAt: time.Now().Add(time.Hour)}
		if err := s.CreateInvitation(t.Context(), admin, fresh); err != nil {
			t.Fatal(err)
		}
		stolen := keyed("three")
		stolen.IdentityKey = first.IdentityKey
		_, err = s.JoinPlane(t.Context(), admin, store.Hash{4}, stolen)
		wantKind(t, err, fault.Conflict)
	})
}

func TestPlanesAreListedByRegionInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		a, b, c := join(t, s, "a", "eu"), join(t, s, "b", "us"), join(t, s, "c", "eu")
		ids := func(list []store.Plane) (out []id.Plane) {
			for _, p := range list {
				out = append(out, p.ID)
			}
			return out
		}
		if diff := cmp.Diff([]id.Plane{a.ID, c.ID}, ids(must[[]store.Plane](t)(s.Planes(t.Context(), "eu")))); diff != "" {
			t.Errorf("eu (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([]id.Plane{a.ID, b.ID, c.ID}, ids(must[[]store.Plane](t)(s.Planes(t.Context(), "")))); diff != "" {
			t.Errorf("all (-want +got)\n%s", diff)
		}
		_, err := s.Plane(t.Context(), "pl_none")
		wantKind(t, err, fault.Missing)
	})
}

func TestABeatIsKeptOnlyWhenNewerAndOnlyWhatIsThePlanes(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p, other := join(t, s, "a", "eu"), join(t, s, "b", "eu")
		mine := commit(t, s, p, "mine", 0, nil)
		theirs := commit(t, s, other, "theirs", 0, nil)
		src, dst := mine.Config.Sources[0].ID, mine.Config.Destinations[0].ID
		at := time.Date(2020, 1, 1, 0, 0, 0, 123456789, time.UTC)
		good := wire.Count{Workspace: mine.Workspace, Source: src, Destination: dst, Routed: 1 << 60, Delivered: 3,
			Dropped: map[wire.Code]uint64{"expired": 2}, Balanced: true}
		beat := wire.Beat{
			Plane: p.ID, At: at, Version: "1.2.3", Healthy: true, Condition: &condition.Report{Process: "a", LagMs: 7, DiskSize: 100, DiskFree: 60, DiskNeeded: 5},
			Alarms: []wire.Alarm{{Code: "disk_full", Count: 1}, {Code: "x", Workspace: theirs.Workspace}},
			Kinds:  []wire.Kind{{Family: "source", Name: "http", Digest: "d"}},
			Counts: []wire.Count{good, {Workspace: mine.Workspace, Source: src, Accepted: 4}, {Workspace: theirs.Workspace, Source: theirs.Config.Sources[0].ID, Accepted: 9},
				{Workspace: mine.Workspace, Source: theirs.Config.Sources[0].ID, Accepted: 9}, {Workspace: mine.Workspace, Source: "src_unknown"}},
		}
		if err := s.FoldBeat(t.Context(), admin, beat); err != nil {
			t.Fatal(err)
		}
		got := must[store.Plane](t)(s.Plane(t.Context(), p.ID))
		if !got.Healthy || got.Version != "1.2.3" || !got.LastBeat.Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("got %+v", got)
		}
		if diff := cmp.Diff(beat.Alarms[:1], got.Alarms); diff != "" {
			t.Errorf("alarms (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff([]wire.Count{beat.Counts[1], good}, must[[]wire.Count](t)(s.Counts(t.Context(), p.ID))); diff != "" {
			t.Errorf("counts (-want +got)\n%s", diff)
		}
		if len(got.Conditions) != 1 || got.Conditions[0].Report != *beat.Condition || !got.Conditions[0].At.Equal(got.LastBeat) {
			t.Errorf("the plane does as %+v, want %+v", got.Conditions, beat.Condition)
		}
		stale := beat
		stale.Healthy, stale.Counts = false, nil
		if err := s.FoldBeat(t.Context(), admin, stale); err != nil {
			t.Fatal(err)
		}
		if got := must[store.Plane](t)(s.Plane(t.Context(), p.ID)); !got.Healthy {
			t.Error("a beat that is not newer changed the plane")
		}
		good.Delivered = 5
		next := wire.Beat{Plane: p.ID, At: at.Add(time.Second), Version: "1.2.3", Healthy: true, Counts: []wire.Count{good}}
		if err := s.FoldBeat(t.Context(), admin, next); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]wire.Count{beat.Counts[1], good}, must[[]wire.Count](t)(s.Counts(t.Context(), p.ID))); diff != "" {
			t.Errorf("counts (-want +got)\n%s", diff)
		}
		now := time.Now() // of a clock that was a day ahead before
		ahead := wire.Beat{Plane: p.ID, At: now.Add(24 * time.Hour), Version: "1.2.3", Healthy: false}
		right := wire.Beat{Plane: p.ID, At: now, Version: "1.2.3", Healthy: true}
		for _, b := range []wire.Beat{ahead, right} {
			if err := s.FoldBeat(t.Context(), admin, b); err != nil {
				t.Fatal(err)
			}
		}
		if got := must[store.Plane](t)(s.Plane(t.Context(), p.ID)); len(got.Conditions) != 0 {
			t.Errorf("a plane that says no more how it does has %+v", got.Conditions)
		}
		if got := must[store.Plane](t)(s.Plane(t.Context(), p.ID)); !got.Healthy {
			t.Error("a beat of the future hides the later one")
		}
		wantKind(t, s.FoldBeat(t.Context(), admin, wire.Beat{Plane: "pl_none", At: at}), fault.Missing)
	})
}

func TestAnAckCountsOnlyForTheWorkspacesOfItsPlane(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p, other := join(t, s, "a", "eu"), join(t, s, "b", "eu")
		rev := commit(t, s, p, "acme", 0, nil)
		at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
		rejected := wire.Ack{Format: wire.Version, Plane: p.ID, Workspace: rev.Workspace, Number: 1, Digest: rev.Digest, State: wire.Rejected,
			Problems: []wire.Problem{{Path: "destinations[0]", Code: "too_old"}}, At: at}
		if changed := must[bool](t)(s.FoldAck(t.Context(), admin, rejected)); !changed {
			t.Error("the first ack changed nothing")
		}
		if changed := must[bool](t)(s.FoldAck(t.Context(), admin, rejected)); changed {
			t.Error("the same ack again changed something")
		}
		if diff := cmp.Diff([]wire.Ack{rejected}, must[[]wire.Ack](t)(s.Acks(t.Context(), rev.Workspace))); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		soon := time.Now().Add(-time.Minute).Truncate(time.Microsecond)
		for _, said := range []struct {
			at      time.Duration
			changes bool
		}{{24 * time.Hour, true}, {24 * time.Hour, false}, {0, true}} { // a clock was a day ahead, then it was set
			next := rejected
			next.At = soon.Add(said.at)
			if changed := must[bool](t)(s.FoldAck(t.Context(), admin, next)); changed != said.changes {
				t.Errorf("an ack of %v ahead changed something: %v, want %v", said.at, changed, said.changes)
			}
		}
		older := rejected
		older.At, older.State, older.Problems = at.Add(-time.Second), wire.Applied, nil
		if changed := must[bool](t)(s.FoldAck(t.Context(), admin, older)); changed {
			t.Error("an older ack changed something")
		}
		foreign := rejected
		foreign.Plane = other.ID
		_, err := s.FoldAck(t.Context(), admin, foreign)
		wantKind(t, err, fault.Denied)
		for name, ack := range map[string]wire.Ack{
			"plane":     {Plane: "pl_none", Workspace: rev.Workspace, Number: 1, State: wire.Applied, At: at},
			"workspace": {Plane: p.ID, Workspace: "ws_none", Number: 1, State: wire.Applied, At: at},
		} {
			if _, err := s.FoldAck(t.Context(), admin, ack); fault.KindOf(err) != fault.Missing {
				t.Errorf("an ack with an unknown %s: got %v, want missing", name, err)
			}
		}
		huge := rejected
		huge.Number, huge.At = 1<<60, at.Add(time.Hour)
		_, err = s.FoldAck(t.Context(), admin, huge)
		wantKind(t, err, fault.Invalid)
		if all := must[[]wire.Ack](t)(s.Acks(t.Context())); len(all) != 1 {
			t.Errorf("got %d acks, want 1", len(all))
		}
	})
}

func TestAlarmsAboutWhatIsRemovedGoWithTheAck(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		rev, other := commit(t, s, p, "acme", 0, nil), commit(t, s, p, "other", 0, nil)
		src, dst, gone := string(rev.Config.Sources[0].ID), string(rev.Config.Destinations[0].ID), string(other.Config.Destinations[0].ID)
		beat := wire.Beat{Plane: p.ID, At: time.Now(), Version: "1.2.3", Healthy: true, Alarms: []wire.Alarm{
			{Code: "disk_low", Count: 1}, {Code: "quarantine_full", Workspace: rev.Workspace, Count: 1, Objects: []string{src}},
			{Code: "destination_down", Workspace: rev.Workspace, Count: 1, Objects: []string{dst}},
			{Code: "destination_down", Workspace: other.Workspace, Count: 1, Objects: []string{gone}}, {Code: "code_slow", Workspace: other.Workspace, Count: 1},
		}}
		if err := s.FoldBeat(t.Context(), admin, beat); err != nil {
			t.Fatal(err)
		}
		said := time.Now()
		fold := func(ws id.Workspace, number uint64, digest workspace.Digest, state wire.State, want ...wire.Code) {
			t.Helper()
			said = said.Add(time.Millisecond)
			ack := wire.Ack{Plane: p.ID, Workspace: ws, Number: number, Running: number, Digest: digest, State: state, At: said}
			if changed := must[bool](t)(s.FoldAck(t.Context(), admin, ack)); !changed {
				t.Fatal("an ack changed nothing")
			}
			var got []wire.Code
			for _, a := range must[store.Plane](t)(s.Plane(t.Context(), p.ID)).Alarms {
				got = append(got, a.Code)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("alarms after %s of number %d (-want +got)\n%s", state, number, d)
			}
		}
		fold(rev.Workspace, 1, rev.Digest, wire.Applied, "disk_low", "quarantine_full", "destination_down", "destination_down", "code_slow")
		next := rev.Config
		next.Destinations, next.Connections = nil, nil
		body, digest, err := workspace.Encode(next)
		if err != nil {
			t.Fatal(err)
		}
		ws := must[store.Workspace](t)(s.Workspace(t.Context(), rev.Workspace))
		if _, err := s.AppendRevision(t.Context(), admin, store.Commit{Workspace: ws, Expected: 1, Config: next, Digest: digest, Body: body}); err != nil {
			t.Fatal(err)
		}
		fold(rev.Workspace, 2, digest, wire.Rejected, "disk_low", "quarantine_full", "destination_down", "destination_down", "code_slow")
		fold(rev.Workspace, 2, digest, wire.Applied, "disk_low", "quarantine_full", "destination_down", "code_slow")
		tombstone := must[store.Workspace](t)(s.DeleteWorkspace(t.Context(), admin, other.Workspace))
		fold(other.Workspace, tombstone.Number, "", wire.Applied, "disk_low", "quarantine_full")
	})
}

func TestAPlaneIsRemovedOnceNoWorkspaceIsOnIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p, other := join(t, s, "a", "eu"), join(t, s, "b", "eu")
		rev, gone := commit(t, s, p, "acme", 0, nil), commit(t, s, p, "gone", 0, nil)
		must[store.Workspace](t)(s.DeleteWorkspace(t.Context(), admin, gone.Workspace))
		_, err := s.RemovePlane(t.Context(), admin, "a")
		wantKind(t, err, fault.Conflict)
		if !strings.Contains(err.Error(), "acme") || strings.Contains(err.Error(), "gone") {
			t.Errorf("%v names other workspaces than acme", err)
		}
		_, err = s.RemovePlane(t.Context(), admin, "none")
		wantKind(t, err, fault.Missing)
		must[store.Workspace](t)(s.DeleteWorkspace(t.Context(), admin, rev.Workspace))
		first := must[store.RemovedPlane](t)(s.RemovePlane(t.Context(), admin, "a"))
		if first.ID != p.ID || first.NATSKey != p.NATSKey || first.Region != "eu" {
			t.Errorf("removed %+v, want %+v", first, p)
		}
		for _, named := range []string{"a", string(p.ID)} {
			if again := must[store.RemovedPlane](t)(s.RemovePlane(t.Context(), admin, named)); again != first {
				t.Errorf("removing %s again = %+v, want %+v", named, again, first)
			}
		}
		if left := must[[]store.Plane](t)(s.Planes(t.Context(), "")); len(left) != 1 || left[0].ID != other.ID {
			t.Errorf("left are %v, want b", left)
		}
		if wanted := must[[]store.Workspace](t)(s.Wanted(t.Context())); len(wanted) != 0 {
			t.Errorf("workspaces %v are wanted on a removed plane", wanted)
		}
		wantKind(t, s.FoldBeat(t.Context(), admin, wire.Beat{Plane: p.ID, At: time.Now(), Version: "1.2.3"}), fault.Missing)
		_, err = s.JoinPlane(t.Context(), admin, store.Hash([]byte(("a" + strings.Repeat(" ", 32))[:32])), keyed("a"))
		wantKind(t, err, fault.Denied)
		removals := 0
		for _, e := range must[[]audit.Entry](t)(s.Audit().List(t.Context(), everything)) {
			if e.Action == "plane.remove" {
				removals++
			}
		}
		if removals != 1 {
			t.Errorf("the audit log has %d removals, want 1", removals)
		}
		if back := join(t, s, "a2", "eu"); back.ID == p.ID {
			t.Error("a plane got the identifier of a removed one")
		}
	})
}
