package store_test

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"weir/controlplane/store"
	"weir/controlplane/store/chain"
	"weir/controlplane/store/storetest"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/workspace"
)

// TestEditorsOfTwoProcessesLoseNothing has many editors, by two processes on one
// Postgres, who each add a source to one of a few workspaces, and begin anew when somebody was faster.
func TestEditorsOfTwoProcessesLoseNothing(t *testing.T) {
	t.Parallel()
	at := storetest.Postgres(t)
	stores := []*store.Store{storetest.Open(t, store.Config{Database: at}), storetest.Open(t, store.Config{Database: at})}
	p := join(t, stores[0], "a", "eu")
	const workspaces = 10
	editors := 60
	if os.Getenv("SEEDS") != "" { // of tests that may take long
		editors = 200
	}
	var all []id.Workspace
	for i := range workspaces {
		all = append(all, commit(t, stores[0], p, fmt.Sprint("w", i), 0, nil).Workspace)
	}
	ctx := chain.With(t.Context(), chain.Origin{Organization: string(store.DefaultOrganization)})
	edit := func(s *store.Store, ws id.Workspace, name string) error {
		for {
			rev, err := s.Latest(ctx, ws)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(rev.Config.Sources, func(s workspace.Source) bool { return s.Name == name }) {
				return nil // the answer to the commit was lost
			}
			next := rev.Config
			next.Sources = append(slices.Clone(next.Sources), workspace.Source{ID: id.New[id.Source](), Name: name, Type: "http", WriteKey: "wk_" + name})
			_, err = s.AppendRevision(ctx, admin, of(t, p, rev.Number, next))
			if err == nil || fault.KindOf(err) != fault.Conflict && fault.KindOf(err) != fault.Unavailable {
				return err
			}
		}
	}
	var wg sync.WaitGroup
	for n := range editors {
		wg.Go(func() {
			if err := edit(stores[n%2], all[n/2%workspaces], fmt.Sprint("editor-", n)); err != nil {
				t.Errorf("editor %d: %v", n, err)
			}
		})
	}
	wg.Wait()
	for _, ws := range all {
		last := must[store.Revision](t)(stores[0].Latest(t.Context(), ws))
		if got, want := len(last.Config.Sources), 1+editors/workspaces; got != want || last.Number != uint64(want) {
			t.Errorf("workspace %s has %d sources at number %d, want %d of both", ws, got, last.Number, want)
		}
		if list := must[[]store.Revision](t)(stores[1].Revisions(t.Context(), ws, 0, 0)); len(list) != 1+editors/workspaces {
			t.Errorf("workspace %s has %d revisions, want %d", ws, len(list), 1+editors/workspaces)
		}
	}
}
