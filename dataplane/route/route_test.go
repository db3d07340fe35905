package route_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/dataplane/route"
	"weir/shared/id"
	"weir/shared/workspace"
)

// config has a source web with destinations Hook and lake of type webhook, b of
// type braze (disabled), and a source idle without connections.
var config = workspace.Config{
	Sources: []workspace.Source{{ID: "src_web"}, {ID: "src_idle"}, {ID: "src_other"}},
	Destinations: []workspace.Destination{
		{ID: "dst_1", Name: "Hook", Type: "webhook"}, {ID: "dst_2", Name: "lake", Type: "webhook"},
		{ID: "dst_3", Name: "b", Type: "braze", Disabled: true}, {ID: "dst_4", Name: "alone", Type: "webhook"},
	},
	Connections: []workspace.Connection{
		{Source: "src_web", Destination: "dst_2", Transformations: []id.Transformation{"tf_a", "tf_b"}},
		{Source: "src_web", Destination: "dst_1"},
		{Source: "src_other", Destination: "dst_4"},
		{Source: "src_web", Destination: "dst_3", Transformations: []id.Transformation{"tf_a", "tf_b"}},
		{Source: "src_web", Destination: "dst_1", Transformations: []id.Transformation{"tf_c"}},
		{Source: "src_web", Destination: "dst_gone"},
	},
}

func names(ds []route.Destination) string {
	var out []string
	for _, d := range ds {
		out = append(out, d.Name)
	}
	return strings.Join(out, " ")
}

func TestIntegrationsChooseDestinations(t *testing.T) {
	table := route.Compile(config)["src_web"]
	for integrations, want := range map[string]string{
		`[]`:                               "lake Hook b",
		`[ ]`:                              "lake Hook b",
		``:                                 "lake Hook b",
		`null`:                             "lake Hook b",
		`{}`:                               "lake Hook b",
		`{ "All" : true }`:                 "lake Hook b",
		`{"All":false}`:                    "",
		`{"All":false,"Hook":true}`:        "Hook",
		`{"all":false,"hOOK":true}`:        "Hook",
		`{"Hook":true,"All":false}`:        "Hook",
		`{"All":false,"hook":{"k":false}}`: "Hook",
		`{"All":false,"hook":{}}`:          "Hook",
		`{"All":false,"hook":"yes"}`:       "",
		`{"All":false,"hook":1}`:           "",
		`{"hook":false}`:                   "lake b",
		`{"All":true,"hook":false}`:        "lake b",
		`{"hook":null}`:                    "lake Hook b",
		`{"hook":{"x":1}}`:                 "lake Hook b",
		`{"Webhook":false}`:                "b",
		`{"webhook":false,"lake":true}`:    "lake b",
		`{"lake":true,"webhook":false}`:    "lake b",
		`{"All":false,"webhook":true}`:     "lake Hook",
		`{"All":false,"BRAZE":true}`:       "b",
		`{"All":false,"nobody":true}`:      "",
		`{"nobody":false}`:                 "lake Hook b",
		`{"hook":false,"hook":true}`:       "lake Hook b",
		`{"All":true,"All":false}`:         "",
		`{"h\u006fok":false}`:              "lake b",
		`{"All":"yes"}`:                    "",
		`{"All":1}`:                        "",
		`{"All":null}`:                     "",
		`{"All":{}}`:                       "",
		`{"All":{},"hook":true}`:           "",
		`false`:                            "",
		`true`:                             "",
		`"Hook"`:                           "",
		`["Hook"]`:                         "",
		`{"x":{"All":false,"hook":false}}`: "lake Hook b",
		`{"ünï":false,"HOOK":false}`:       "lake b",
		`{"` + strings.Repeat("x", 500) + `":false}`: "lake Hook b",
	} {
		json := `{"userId":"u","properties":{"integrations":{"All":false}}}`
		if integrations != "" {
			json = `{"userId":"u","properties":{},"integrations":` + integrations + `,"z":1}`
		}
		if got := names(table.Route(event.Event{JSON: []byte(json)})); got != want {
			t.Errorf("%s: got %q, want %q", integrations, got, want)
		}
	}
}

func TestATableHasItsSourcesConnectionsInTheirOrder(t *testing.T) {
	tables := route.Compile(config)
	if len(tables) != 3 || len(tables["src_idle"].Destinations()) != 0 || names(tables["src_other"].Destinations()) != "alone" {
		t.Errorf("%d tables, idle %v, other %q", len(tables), tables["src_idle"].Destinations(), names(tables["src_other"].Destinations()))
	}
	web := tables["src_web"]
	want := []route.Destination{
		{ID: "dst_2", Name: "lake", Type: "webhook", Chain: []id.Transformation{"tf_a", "tf_b"}},
		{ID: "dst_1", Name: "Hook", Type: "webhook", ChainIndex: 1},
		{ID: "dst_3", Name: "b", Type: "braze", Disabled: true, Chain: []id.Transformation{"tf_a", "tf_b"}},
	}
	if diff := cmp.Diff(want, web.Destinations()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]id.Transformation{{"tf_a", "tf_b"}, nil}, web.Chains()); diff != "" {
		t.Error(diff)
	}
	var none *route.Table
	if got := none.Route(event.Event{JSON: []byte(`{}`)}); got != nil || none.Destinations() != nil {
		t.Errorf("the nil table routes to %v", got)
	}
}

func TestManyDestinationsAreChosenAmong(t *testing.T) {
	c := workspace.Config{Sources: []workspace.Source{{ID: "src"}}}
	for i := range 100 {
		d := id.Destination(fmt.Sprintf("dst_%d", i))
		c.Destinations = append(c.Destinations, workspace.Destination{ID: d, Name: fmt.Sprintf("d%d", i), Type: "webhook"})
		c.Connections = append(c.Connections, workspace.Connection{Source: "src", Destination: d})
	}
	got := route.Compile(c)["src"].Route(event.Event{JSON: []byte(`{"integrations":{"All":false,"D7":true,"d99":true}}`)})
	if names(got) != "d7 d99" {
		t.Errorf("got %q", names(got))
	}
}

func TestRoutingAllocatesNothingWithoutANarrowerChoice(t *testing.T) {
	table := route.Compile(config)["src_web"]
	for _, json := range []string{`{"userId":"u","properties":{"a":[1,2,{"b":"c"}]}}`, `{"userId":"u","integrations":{"All":true}}`} {
		e := event.Event{JSON: []byte(json)}
		if n := testing.AllocsPerRun(100, func() { table.Route(e) }); n != 0 {
			t.Errorf("%s: %v allocations", json, n)
		}
	}
}
