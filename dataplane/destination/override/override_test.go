package override_test

import (
	"fmt"
	"strings"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/destination/override"
	"weir/dataplane/event"
	"weir/shared/catalog"
	"weir/shared/fault"
)

const spec = `family: destination
name: acme
title: Acme
doc: Sends events to Acme.
fields:
  - { name: format, type: enum, title: Form, doc: The form., enum: [json, form], default: json }
  - { name: word, type: string, title: Word, doc: A word. }
`

type settings struct {
	Format string `json:"format"`
}

// listed makes one request of all events: their user's name beside a list of them.
type listed struct{}

func (listed) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	r := destination.Request{Method: "POST", URL: "https://acme.example"}
	var parts []string
	for i := range b.Items {
		parts = append(parts, string(b.Items[i].Event.JSON), `{"extra":1}`)
		r.Items, r.Parts = append(r.Items, i), append(r.Parts, i, i)
	}
	r.Body = []byte(`{"users":[null, 1], "parts": [` + strings.Join(parts, ",") + `]}`)
	return []destination.Request{r}, nil
}

func (listed) Judge(r destination.Request, s destination.Response) []destination.Verdict {
	return destination.Classify(r, s)
}

func opened(t *testing.T, more, overrides string) destination.Destination {
	t.Helper()
	kind := override.Kind(destination.Define([]byte(spec+more), func(settings) (destination.Destination, error) { return listed{}, nil })())
	o, err := kind.Open([]byte(`{"word":"w","overrides":`+overrides+`}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	return o.HTTP
}

func batch(events ...string) destination.Batch {
	var b destination.Batch
	for _, text := range events {
		b.Items = append(b.Items, destination.Item{Event: event.Event{Type: "track", JSON: []byte(text)}})
	}
	return b
}

func built(d destination.Destination, b destination.Batch) string {
	var out strings.Builder
	reqs, verdicts := destination.Build(d, b)
	for _, r := range reqs {
		body := string(r.Body)
		if len(body) > 1000 {
			body = fmt.Sprint(len(body), " bytes")
		}
		fmt.Fprintf(&out, "%v %v %s\n", r.Items, r.Parts, body)
	}
	for _, v := range verdicts {
		fmt.Fprintf(&out, "%d %s\n", v.Item, v.Code)
	}
	return out.String()
}

func TestPartsAreOfTheirEvents(t *testing.T) {
	t.Parallel()
	b := batch(`{"u":"a","n":null}`, `{"u":"b","extra":[{"x":1},2]}`)
	for name, tc := range map[string]struct{ more, overrides, want string }{
		"nothing": {"overrides: { parts: parts }\n", `{}`, `[0 1] [0 0 1 1] {"users":[null, 1], "parts": [{"u":"a","n":null},{"extra":1},{"u":"b","extra":[{"x":1},2]},{"extra":1}]}`},
		"in each part, by its event": {"overrides: { parts: parts }\n", `{"of":"$event.u","n":"settings.word"}`,
			`[0 1] [0 0 1 1] {"users":[null, 1],"parts":[{"u":"a","n":"w","of":"a"},{"extra":1,"n":"w","of":"a"},{"u":"b","extra":[{"x":1},2],"n":"w","of":"b"},{"extra":1,"n":"w","of":"b"}]}`},
		"in lists, and where nothing is": {"overrides: { parts: parts }\n", `{"extra.x":"$event.u","n.k":"properties.none"}`,
			`[0 1] [0 0 1 1] {"users":[null, 1],"parts":[{"u":"a","n":null,"extra":{"x":"a"}},{"extra":{"x":"a"}},{"u":"b","extra":[{"x":"b"},{"x":"b"}]},{"extra":{"x":"b"}}]}`},
		"beside the parts each event goes alone": {"overrides: { parts: parts, whole: true }\n", `{"user":"$event.u","parts.by":{"when":{"$event.u":"a"},"value":1}}`,
			`[0] [0 0] {"users":[null, 1],"parts":[{"u":"a","n":null,"by":1},{"extra":1,"by":1}],"user":"a"}` + "\n" +
				`[1] [1 1] {"users":[null, 1],"parts":[{"u":"b","extra":[{"x":1},2]},{"extra":1}],"user":"b"}`},
		"in the parts of a whole body they stay together": {"overrides: { parts: parts, whole: true }\n", `{"parts.by":"$event.u"}`,
			`[0 1] [0 0 1 1] {"users":[null, 1],"parts":[{"u":"a","n":null,"by":"a"},{"extra":1,"by":"a"},{"u":"b","extra":[{"x":1},2],"by":"b"},{"extra":1,"by":"b"}]}`},
	} {
		if got := strings.TrimSpace(built(opened(t, tc.more, tc.overrides), b)); got != tc.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, tc.want)
		}
	}
}

// TestAnEventOfWhichTooMuchIsMadeIsAloneInThat: the others of its batch go.
func TestAnEventOfWhichTooMuchIsMadeIsAloneInThat(t *testing.T) {
	t.Parallel()
	d := opened(t, "overrides: { parts: parts }\n", `{"a":"$event.big","b":"$event.big","c":"$event.big","d":"$event.big","e":"$event.big"}`)
	large := `{"big":"` + strings.Repeat("x", 1<<20) + `"}`
	if got := built(d, batch(`{"big":1}`, large, `{"big":2}`)); !strings.HasPrefix(got, "[0 2] [0 0 2 2] {") || !strings.HasSuffix(got, "\n1 event_too_large\n") {
		t.Errorf("got %s", got)
	}
}

func TestOverridesAreRefusedWhereNoBodyHasFields(t *testing.T) {
	t.Parallel()
	s, err := catalog.Parse([]byte(spec + "overrides: { only: { format: [json] } }\n"))
	if err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string]string{
		`{"overrides":{"a":"userId"}}`:                 "",
		`{"format":"form","overrides":{"a":"userId"}}`: "settings.overrides not_allowed",
		`{"overrides":{"a":"secrets.key"}}`:            "settings.overrides.a not_allowed",
	} {
		got := ""
		for _, p := range catalog.Check(s, []byte(settings), "settings") {
			got += p.Path + " " + p.Code
		}
		if got != want {
			t.Errorf("%s: %q, want %q", settings, got, want)
		}
	}
	if _, err := catalog.Parse([]byte(spec + "overrides: { only: { format: [xml] } }\n")); fault.KindOf(err) != fault.Invalid {
		t.Errorf("a value that is not one of the field's: %v", err)
	}
}
