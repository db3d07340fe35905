package plan_test

import (
	"slices"
	"strings"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/plan"
	"weir/dataplane/pull"
	"weir/shared/catalog/private"
	"weir/shared/secret"
	"weir/shared/workspace"
)

const own = `family: destination
name: crm
title: CRM
doc: Ours.
base: { any: "https://crm.example" }
codes: [{ name: crm_full, doc: the list is full }, { name: crm_away, doc: it sleeps }]
calls: [{ on: { type: [track] }, path: /events, body: { name: event } }]
`

// ownKinds are kinds with those of workspaces; every opening of one counts.
func ownKinds(hooks, opened *int) plan.Kinds {
	k := kinds(hooks)
	k.Custom = func(text string) (destination.Kind, error) {
		s, err := private.Parse(text)
		return destination.Kind{Spec: s, Open: func([]byte, map[string]secret.String) (destination.Opened, error) {
			*opened++
			return destination.Opened{Limits: destination.Limits{Concurrency: *opened}}, nil
		}}, err
	}
	return k
}

func withOwn(spec string) workspace.Config {
	c := config()
	c.Destinations = append(c.Destinations, workspace.Destination{ID: "dst_own", Name: "crm", Type: "custom", Spec: spec})
	return c
}

func TestASpecThatThisBuildCannotReadStopsNoOtherDestination(t *testing.T) {
	t.Parallel()
	var hooks, opened int
	k := ownKinds(&hooks, &opened)
	var h plan.Holder
	put := func(former *plan.Plan, spec string) (*plan.Plan, *destination.Target) {
		t.Helper()
		p := compile(t, former, withOwn(spec), k, "x")
		if err := h.Put(p); err != nil {
			t.Fatal(err)
		}
		got, presence := h.Target("ws_a", "dst_own")
		if presence != destination.Present {
			t.Fatalf("the destination is %v", presence)
		}
		return p, got
	}
	first, target := put(nil, own)
	if !slices.Equal(target.Codes, []string{"crm_full", "crm_away"}) {
		t.Errorf("its codes are %q", target.Codes)
	}
	if target.Disabled || target.Limits.Concurrency != 1 || len(h.Unopened()) > 0 {
		t.Errorf("it is %+v, unopened %v", target, h.Unopened())
	}
	second, same := put(first, own)
	if same != target || opened != 1 {
		t.Errorf("an unchanged one was opened %d times", opened)
	}
	third, changed := put(second, strings.Replace(own, "/events", "/others", 1))
	if changed == target || changed.Limits.Concurrency != 2 {
		t.Errorf("with another spec it is %+v", changed)
	}
	fourth, newer := put(third, strings.Replace(own, "on:", "future: true, on:", 1))
	if !newer.Disabled || newer.Name != "crm" || len(h.Unopened()) != 1 || h.Unopened()["dst_own"] != "ws_a" {
		t.Errorf("with a spec of the future it is %+v, unopened %v", newer, h.Unopened())
	}
	if hook, presence := h.Target("ws_a", "dst_a"); presence != destination.Present || hook.Disabled || hooks != 1 {
		t.Errorf("the other destination is %+v", hook)
	}
	if _, again := put(fourth, own); again.Disabled || again.Limits.Concurrency != 3 || len(h.Unopened()) > 0 {
		t.Errorf("with a good spec again it is %+v, unopened %v", again, h.Unopened())
	}
}

func TestAPlaneWithoutKindsOfOnesOwnRefusesThem(t *testing.T) {
	t.Parallel()
	var hooks int
	_, problems, err := plan.Compile(t.Context(), revision(withOwn(own), 1), kinds(&hooks), secrets("x"))
	if err != nil || len(problems) != 1 || problems[0].Path != "destinations[1].type" || problems[0].Code != "unknown_type" {
		t.Errorf("problems %v, %v", problems, err)
	}
}

func TestASourceOfOnesOwnIsPulled(t *testing.T) {
	t.Parallel()
	const desk = "family: source\nname: desk\ntitle: Desk\ndoc: Ours.\nbase: { any: \"https://desk.example\" }\nstreams: { tickets: { doc: Tickets., get: /tickets, key: id } }\n"
	var hooks, opened int
	k := ownKinds(&hooks, &opened)
	made := 0
	k.CustomSource = func(text string) (pull.Kind, error) {
		s, err := private.ParseSource(text)
		return pull.Kind{Spec: s, Open: func([]byte, map[string]secret.String) (pull.Opened, error) { made++; return nil, nil }}, err
	}
	var h plan.Holder
	put := func(former *plan.Plan, spec string) (*plan.Plan, *pull.Target) {
		t.Helper()
		c := config()
		c.Sources = append(c.Sources, workspace.Source{ID: "src_own", Name: "desk", Type: "custom", Spec: spec, WriteKey: "desk"})
		p := compile(t, former, c, k, "x")
		if err := h.Put(p); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(h.Pulls(), func(x *pull.Target) bool { return x.ID == "src_own" })
		return p, h.Pulls()[i]
	}
	p, first := put(nil, desk)
	if len(first.Streams) != 1 || first.Disabled {
		t.Fatalf("it is %+v", first)
	}
	p, same := put(p, desk)
	if same != first || made != 1 {
		t.Errorf("an equal one was opened again")
	}
	p, changed := put(p, strings.Replace(desk, "tickets: {", "cases: {", 1))
	if changed.Streams[0].Name != "cases" || made != 2 {
		t.Errorf("another spec: %+v", changed.Streams)
	}
	if _, unread := put(p, strings.Replace(desk, "key: id", "key: id, telepathy: true", 1)); !unread.Disabled || made != 2 {
		t.Errorf("one of another release: %+v", unread)
	}
}
