package view_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/dataplane/delivery"
	"weir/dataplane/destination"
	"weir/dataplane/parked"
	"weir/dataplane/view"
	"weir/dataplane/view/preview"
	"weir/shared/capability"
	"weir/shared/id"
	"weir/shared/secret"
)

// evil is the workspace whose calls hang for a minute.
const evil = "ws_a"

func hang(ws id.Workspace) error {
	if ws == evil {
		time.Sleep(time.Minute)
	}
	return nil
}

type hangingWarehouse struct{ view.Warehouses }

func (hangingWarehouse) Query(_ context.Context, ws id.Workspace, _ id.Destination, _ string, _ func([]string, []any) error) error {
	return hang(ws)
}
func (hangingWarehouse) Test(_ context.Context, ws id.Workspace, _ id.Destination) error {
	return hang(ws)
}

type hangingLetters struct{ view.Dead }

func (hangingLetters) List(_ context.Context, f parked.Filter, _ delivery.Place, _ int) ([]parked.DeadLetter, error) {
	return nil, hang(f.Workspace)
}

// TestCallsThatHangDelayAnotherWorkspaceForMoments has one workspace make many calls
// that hang, of every kind that costs much. Another one has its answers within the
// patience of slots, and the plane says who is slow.
func TestCallsThatHangDelayAnotherWorkspaceForMoments(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		method, path string
		evil, good   string // bodies
		action       capability.Action
	}{
		"queries":          {"POST", "/v1/query", `{"destination":"lake","sql":"select 1"}`, `{"destination":"foreign","sql":"select 1"}`, capability.Query},
		"connection tests": {"POST", "/v1/destinations/test", `{"destination":"lake"}`, `{"destination":"foreign"}`, capability.TestDestination},
		"previews":         {"POST", "/v1/preview/transformation", `{"code":"x","events":[{}]}`, `{"code":"x","events":[{}]}`, capability.Preview},
		"lists":            {"GET", "/v1/dead", "", "", capability.ReadDead},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFixtureWith(t, "", func(c *view.Config) {
					c.Now, c.Warehouses = time.Now, hangingWarehouse{}
					c.Plans = plans(t, func([]byte, map[string]secret.String) (destination.Opened, error) {
						return destination.Opened{HTTP: mute{}, Staged: true}, nil
					})
					c.Dead = []func() (view.Dead, error){func() (view.Dead, error) { return hangingLetters{}, nil }}
					c.Previews.OfTransformation = func(_ context.Context, ws id.Workspace, _ preview.Transformation) ([]any, error) {
						return nil, hang(ws)
					}
				})
				token := f.token(nil, tc.action)
				var calls sync.WaitGroup
				codes := make([]int, 30)
				for i := range codes {
					calls.Go(func() { codes[i] = f.do(tc.method, tc.path, token, tc.evil).Code })
				}
				synctest.Wait()
				for range 5 {
					begun := time.Now()
					got := f.do(tc.method, tc.path, f.token(func(g *capability.Grant) { g.Workspace = "ws_b" }, tc.action), tc.good)
					if took := time.Since(begun); got.Code != 200 || took > 2*time.Second {
						t.Errorf("after %v: %d %s", took, got.Code, got.Body)
					}
					time.Sleep(3 * time.Second)
				}
				if slow := f.view.Slow(); !slices.Equal(slow, []id.Workspace{evil}) {
					t.Errorf("slow are %v", slow)
				}
				calls.Wait()
				had := map[int]int{}
				for _, code := range codes {
					had[code]++
				}
				if had[200] < 4 || had[200] > 8 || had[429] != len(codes)-had[200] {
					t.Errorf("answers by status: %v", fmt.Sprint(had))
				}
			})
		})
	}
}
