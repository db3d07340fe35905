package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
)

// draft is a configuration with one source and one destination.
func draft(ws id.Workspace, name, region string) workspace.Config {
	return workspace.Config{
		Format: workspace.Format, Workspace: ws, Name: name, Region: region,
		Sources:      []workspace.Source{{ID: id.New[id.Source](), Name: "web", Type: "http", WriteKey: "wk_" + string(id.New[id.Source]())}},
		Destinations: []workspace.Destination{{ID: id.New[id.Destination](), Name: "hook", Type: "webhook"}},
	}
}

func of(t *testing.T, p store.Plane, expected uint64, c workspace.Config, secrets ...store.Secret) store.Commit {
	t.Helper()
	body, digest, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return store.Commit{
		Workspace: store.Workspace{Organization: store.DefaultOrganization, ID: c.Workspace, Name: c.Name, Region: c.Region, Plane: p.ID}, Expected: expected,
		Config: c, Digest: digest, Body: body, Secrets: secrets,
	}
}

// commit appends a new workspace's first revision, changed by edit.
func commit(t *testing.T, s *store.Store, p store.Plane, name string, expected uint64, edit func(*workspace.Config)) store.Revision {
	t.Helper()
	c := draft(id.New[id.Workspace](), name, p.Region)
	if edit != nil {
		edit(&c)
	}
	return must[store.Revision](t)(s.AppendRevision(t.Context(), admin, of(t, p, expected, c)))
}

func codes(err error) (out []string) {
	for _, p := range fault.ProblemsOf(err) {
		out = append(out, p.Path+" "+p.Code)
	}
	slices.Sort(out)
	return out
}

func TestARevisionIsAppendedOnlyToTheNewestItsAuthorSaw(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		first := commit(t, s, p, "acme", 0, nil)
		if first.Number != 1 || first.By != admin.String() {
			t.Fatalf("got number %d by %s, want 1 by %s", first.Number, first.By, admin)
		}
		c := first.Config
		c.Sources = slices.Clone(c.Sources)
		c.Sources[0].Disabled = true
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() {
				mine := c
				mine.Destinations = []workspace.Destination{{ID: c.Destinations[0].ID, Name: fmt.Sprintf("hook %d", i), Type: "webhook"}}
				_, errs[i] = s.AppendRevision(t.Context(), admin, of(t, p, 1, mine))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else {
				wantKind(t, err, fault.Conflict)
			}
		}
		latest := must[store.Revision](t)(s.Latest(t.Context(), first.Workspace))
		if won != 1 || latest.Number != 2 {
			t.Errorf("%d of 6 authors won and the newest is %d, want 1 and 2", won, latest.Number)
		}
		old := must[store.Revision](t)(s.Revision(t.Context(), first.Workspace, 1))
		if string(old.Body) != string(first.Body) || old.Digest != first.Digest || !old.At.Equal(first.At) {
			t.Errorf("revision 1 changed: got %+v, want %+v", old, first)
		}
		if diff := cmp.Diff(first.Config.Destinations, old.Config.Destinations); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
		list := must[[]store.Revision](t)(s.Revisions(t.Context(), first.Workspace, 0, 0))
		if len(list) != 2 || list[0].Number != 2 || list[1].Number != 1 || list[1].Digest != first.Digest {
			t.Errorf("got %+v, want 2 and 1", list)
		}
		if list = must[[]store.Revision](t)(s.Revisions(t.Context(), first.Workspace, 2, 1)); len(list) != 1 || list[0].Number != 1 {
			t.Errorf("got %+v, want 1", list)
		}
		_, err := s.Revision(t.Context(), first.Workspace, 7)
		wantKind(t, err, fault.Missing)
		_, err = s.AppendRevision(t.Context(), admin, of(t, p, 0, c))
		wantKind(t, err, fault.Conflict)
		_, err = s.AppendRevision(t.Context(), admin, of(t, p, 3, draft("ws_none", "x", "eu")))
		wantKind(t, err, fault.Missing)
	})
}

func TestTheNextNumberIsAboveAllThatWasEverSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		rev := commit(t, s, p, "acme", 0, nil)
		at := time.Now().UTC()
		for i, n := range []uint64{41, 3} { // later words do not lower it
			ack := wire.Ack{Plane: p.ID, Workspace: rev.Workspace, Number: n, Running: n, State: wire.Applied, At: at.Add(time.Duration(i) * time.Second)}
			if _, err := s.FoldAck(t.Context(), admin, ack); err != nil {
				t.Fatal(err)
			}
		}
		next := must[store.Revision](t)(s.AppendRevision(t.Context(), admin, of(t, p, 1, rev.Config)))
		if next.Number != 42 {
			t.Errorf("after an ack of 41 the next number is %d, want 42", next.Number)
		}
		if err := s.Raise(t.Context(), admin, rev.Workspace, 99); err != nil {
			t.Fatal(err)
		}
		if next = must[store.Revision](t)(s.AppendRevision(t.Context(), admin, of(t, p, 42, rev.Config))); next.Number != 100 {
			t.Errorf("after 99 at the hub the next number is %d, want 100", next.Number)
		}
		gone := must[store.Workspace](t)(s.DeleteWorkspace(t.Context(), admin, rev.Workspace))
		if gone.Number != 101 || !gone.Deleted || gone.Digest != "" {
			t.Errorf("got %+v, want a tombstone of 101", gone)
		}
		if err := s.Raise(t.Context(), admin, rev.Workspace, 200); err != nil {
			t.Fatal(err)
		}
		if gone = must[store.Workspace](t)(s.Workspace(t.Context(), rev.Workspace)); gone.Number != 201 {
			t.Errorf("the tombstone has number %d, want 201", gone.Number)
		}
		if again := must[store.Workspace](t)(s.DeleteWorkspace(t.Context(), admin, rev.Workspace)); again.Number != 201 {
			t.Errorf("deleting again gave number %d, want 201", again.Number)
		}
		wantKind(t, s.Raise(t.Context(), admin, rev.Workspace, 1<<60), fault.Invalid)
	})
}

func TestNamesKeysAndIDsBelongToOneWorkspace(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		first := commit(t, s, p, "acme", 0, nil)
		src, dst := first.Config.Sources[0], first.Config.Destinations[0]

		thief := draft(id.New[id.Workspace](), "acme", "eu")
		thief.Sources[0].WriteKey = src.WriteKey
		thief.Destinations[0].ID = dst.ID
		thief.Transformations = []workspace.Transformation{{ID: id.Transformation(src.ID), Name: "t", Language: "javascript", Code: "x"}}
		_, err := s.AppendRevision(t.Context(), admin, of(t, p, 0, thief))
		want := []string{"destinations[0].id id_taken", "sources[0].writeKey write_key_taken", "transformations[0].id id_taken", "workspace name_taken"}
		if diff := cmp.Diff(want, codes(err)); diff != "" {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
		_, err = s.Workspace(t.Context(), thief.Workspace)
		wantKind(t, err, fault.Missing)

		// A key that its workspace gave up is free; an id never is.
		moved := first.Config
		moved.Sources = []workspace.Source{{ID: id.New[id.Source](), Name: "web", Type: "http", WriteKey: "wk_other"}}
		if _, err := s.AppendRevision(t.Context(), admin, of(t, p, 1, moved)); err != nil {
			t.Fatal(err)
		}
		heir := draft(id.New[id.Workspace](), "heir", "eu")
		heir.Sources[0].WriteKey, heir.Destinations[0].ID = src.WriteKey, dst.ID
		_, err = s.AppendRevision(t.Context(), admin, of(t, p, 0, heir))
		if diff := cmp.Diff([]string{"destinations[0].id id_taken"}, codes(err)); diff != "" {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
		if _, err := s.DeleteWorkspace(t.Context(), admin, first.Workspace); err != nil {
			t.Fatal(err)
		}
		_, err = s.AppendRevision(t.Context(), admin, of(t, p, 0, heir))
		if diff := cmp.Diff([]string{"destinations[0].id id_taken"}, codes(err)); diff != "" {
			t.Fatalf("%v (-want +got)\n%s", err, diff)
		}
		again := draft(id.New[id.Workspace](), "acme", "eu")
		again.Sources[0].WriteKey = "wk_other"
		if _, err = s.AppendRevision(t.Context(), admin, of(t, p, 0, again)); err != nil {
			t.Errorf("a deleted workspace's name and keys are not free: %v", err)
		}
		_, err = s.AppendRevision(t.Context(), admin, of(t, p, 3, moved))
		wantKind(t, err, fault.Missing)
		_, err = s.Latest(t.Context(), first.Workspace)
		wantKind(t, err, fault.Missing)
	})
}

func TestAWorkspaceKeepsItsNameAndRegion(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		eu, us := join(t, s, "a", "eu"), join(t, s, "b", "us")
		_, err := s.AppendRevision(t.Context(), admin, of(t, us, 0, draft("ws_x", "x", "eu")))
		if diff := cmp.Diff([]string{"region wrong_region"}, codes(err)); diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		first := commit(t, s, eu, "acme", 0, nil)
		c := first.Config
		c.Name, c.Region = "other", "us"
		_, err = s.AppendRevision(t.Context(), admin, of(t, eu, 1, c))
		if diff := cmp.Diff([]string{"region wrong_region", "workspace name_fixed"}, codes(err)); diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		named := must[store.Workspace](t)(s.WorkspaceByName(t.Context(), store.DefaultOrganization, "acme"))
		if named.ID != first.Workspace || named.Number != 1 || named.Plane != eu.ID || named.Digest != first.Digest {
			t.Errorf("got %+v", named)
		}
		bad := of(t, eu, 1, first.Config)
		bad.Body = append(slices.Clone(bad.Body), ' ')
		_, err = s.AppendRevision(t.Context(), admin, bad)
		wantKind(t, err, fault.Internal)
	})
}

func TestASecretIsStoredOnceAndForThePlaneThatNeedsIt(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		c := draft(id.New[id.Workspace](), "acme", "eu")
		refer := func(version uint64, fingerprint string) {
			c.Destinations[0].Secrets = map[string]secret.Ref{"headers": {Version: version, Fingerprint: fingerprint}}
		}
		sealed := func(version uint64, fingerprint string, planes ...id.Plane) store.Secret {
			out := store.Secret{
				Name:        secret.OfDestination(c.Workspace, c.Destinations[0].ID, "headers", version),
				Fingerprint: fingerprint, Sealed: map[id.Plane]secret.Sealed{},
			}
			for _, pl := range planes {
				out.Sealed[pl] = secret.Sealed("envelope for " + string(pl))
			}
			return out
		}
		expect := func(code string, expected uint64, secrets ...store.Secret) {
			t.Helper()
			_, err := s.AppendRevision(t.Context(), admin, of(t, p, expected, c, secrets...))
			if diff := cmp.Diff([]string{"destinations[0].secrets.headers " + code}, codes(err)); diff != "" {
				t.Fatalf("%v (-want +got)\n%s", err, diff)
			}
		}
		refer(1, "f1")
		expect("secret_missing", 0)
		expect("secret_not_sealed", 0, sealed(1, "f1", "pl_other"))
		unrelated := sealed(9, "f9", p.ID)
		if _, err := s.AppendRevision(t.Context(), admin, of(t, p, 0, c, sealed(1, "f1", p.ID, "pl_other"), unrelated)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.AppendRevision(t.Context(), admin, of(t, p, 1, c)); err != nil {
			t.Fatalf("an unchanged secret: %v", err)
		}
		refer(1, "f2")
		expect("secret_version_taken", 2, sealed(1, "f2", p.ID))
		refer(2, "f2")
		if _, err := s.AppendRevision(t.Context(), admin, of(t, p, 2, c, sealed(2, "f2", p.ID))); err != nil {
			t.Fatal(err)
		}
		stored := must[[]store.Secret](t)(s.Secrets(t.Context(), c.Workspace))
		if len(stored) != 2 || stored[0].Name.Version != 1 || stored[1].Name.Version != 2 || string(stored[0].Sealed[p.ID]) != "envelope for "+string(p.ID) {
			t.Errorf("got %+v, want versions 1 and 2", stored)
		}
		if _, err := s.DeleteWorkspace(t.Context(), admin, c.Workspace); err != nil {
			t.Fatal(err)
		}
		if stored = must[[]store.Secret](t)(s.Secrets(t.Context(), c.Workspace)); len(stored) != 0 {
			t.Errorf("a deleted workspace has %d secrets", len(stored))
		}
	})
}

func TestWantedHasTombstonesAndWorkspacesHasNot(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		a, b := commit(t, s, p, "a", 0, nil), commit(t, s, p, "b", 0, nil)
		if _, err := s.DeleteWorkspace(t.Context(), admin, a.Workspace); err != nil {
			t.Fatal(err)
		}
		if all := must[[]store.Workspace](t)(s.Workspaces(t.Context(), store.DefaultOrganization)); len(all) != 1 || all[0].ID != b.Workspace {
			t.Errorf("got %+v, want b", all)
		}
		if all := must[[]store.Workspace](t)(s.Wanted(t.Context())); len(all) != 2 {
			t.Errorf("got %+v, want both", all)
		}
	})
}

func TestAConfigurationOfThousandsOfObjectsIsCommitted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		p := join(t, s, "a", "eu")
		rev := commit(t, s, p, "big", 0, func(c *workspace.Config) {
			for i := range 1500 {
				c.Sources = append(c.Sources, workspace.Source{ID: id.New[id.Source](), Name: fmt.Sprint("s", i), Type: "http", WriteKey: fmt.Sprint("wk_", i)})
			}
		})
		c := rev.Config
		c.Sources = c.Sources[:1]
		if _, err := s.AppendRevision(t.Context(), admin, of(t, p, 1, c)); err != nil {
			t.Fatal(err)
		}
		heir := commit(t, s, p, "heir", 0, func(c *workspace.Config) { c.Sources[0].WriteKey = "wk_1499" })
		if heir.Number != 1 {
			t.Errorf("got number %d, want 1", heir.Number)
		}
	})
}
