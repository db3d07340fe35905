package workspace_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/fault"
	"weir/shared/filter"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// random makes a configuration that means something, with settings written in
// some order of members and some white space.
func random(r *rand.Rand) workspace.Config {
	c := workspace.Config{Format: workspace.Format, Workspace: "ws_a", Name: "acme", Region: "eu"}
	for i := range r.IntN(6) {
		c.Sources = append(c.Sources, workspace.Source{ID: id.Source(fmt.Sprintf("src_%d", i)), Name: fmt.Sprintf("größe %d\u2028<&>", i), Type: "http", WriteKey: fmt.Sprint("wk", i), Disabled: r.IntN(2) == 0})
		c.Libraries = append(c.Libraries, workspace.Library{Name: fmt.Sprint("lib", i), Language: "javascript", Code: "export {}"})
		c.Transformations = append(c.Transformations, workspace.Transformation{ID: id.Transformation(fmt.Sprintf("tf_%d", i)), Name: fmt.Sprint("t", i), Language: "javascript", Code: "// \"\\ \u0001"})
	}
	for i := range r.IntN(6) {
		d := workspace.Destination{ID: id.Destination(fmt.Sprintf("dst_%d", i)), Name: fmt.Sprint("d", i), Type: "webhook", Settings: json.RawMessage(fmt.Sprintf(`{"n":12345678901234567890,"f":1.50,"s":"a\u0062","i":%d,"o":{"y":1e3,"x":[2,1]}}`, i))}
		for j := range r.IntN(3) {
			if d.Secrets == nil {
				d.Secrets = map[string]secret.Ref{}
			}
			d.Secrets[fmt.Sprint("f", j)] = secret.Ref{Version: uint64(j + 1), Fingerprint: "ab"}
		}
		c.Destinations = append(c.Destinations, d)
	}
	for _, s := range c.Sources {
		for _, d := range c.Destinations {
			if r.IntN(2) == 0 {
				c.Connections = append(c.Connections, workspace.Connection{Source: s.ID, Destination: d.ID, Transformations: []id.Transformation{"tf_1", "tf_0"}[:r.IntN(3)]})
			}
		}
	}
	return c
}

// disturbed returns what means the same in another order and spelling.
func disturbed(r *rand.Rand, c workspace.Config) workspace.Config {
	c.Libraries = slices.Clone(c.Libraries)
	r.Shuffle(len(c.Libraries), func(i, j int) { c.Libraries[i], c.Libraries[j] = c.Libraries[j], c.Libraries[i] })
	c.Sources, c.Transformations, c.Destinations, c.Connections = slices.Clone(c.Sources), slices.Clone(c.Transformations), slices.Clone(c.Destinations), slices.Clone(c.Connections)
	r.Shuffle(len(c.Sources), func(i, j int) { c.Sources[i], c.Sources[j] = c.Sources[j], c.Sources[i] })
	r.Shuffle(len(c.Transformations), func(i, j int) {
		c.Transformations[i], c.Transformations[j] = c.Transformations[j], c.Transformations[i]
	})
	r.Shuffle(len(c.Destinations), func(i, j int) { c.Destinations[i], c.Destinations[j] = c.Destinations[j], c.Destinations[i] })
	r.Shuffle(len(c.Connections), func(i, j int) { c.Connections[i], c.Connections[j] = c.Connections[j], c.Connections[i] })
	for i := range c.Destinations {
		var n int
		if _, err := fmt.Sscanf(string(c.Destinations[i].ID), "dst_%d", &n); err != nil {
			panic(err)
		}
		c.Destinations[i].Settings = json.RawMessage(fmt.Sprintf(" {\"o\": {\"x\":[2,1], \"y\":1e3},\n \"i\":%d, \"s\":\"\\u0061b\", \"f\":1.50, \"n\":12345678901234567890}", n))
	}
	for i := range c.Sources {
		if r.IntN(2) == 0 {
			c.Sources[i].Settings = json.RawMessage([]string{"{}", " { } ", "null"}[r.IntN(3)])
		}
	}
	if len(c.Sources) == 0 {
		c.Sources, c.Connections = []workspace.Source{}, []workspace.Connection{}
	}
	return c
}

func TestEncodingIsOneTextForOneMeaning(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	for range 500 {
		c := random(r)
		want, digest, err := workspace.Encode(c)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, again, err := workspace.Encode(disturbed(r, c))
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !bytes.Equal(want, got) || digest != again {
			t.Fatalf("seed %d: two encodings of one meaning (-first +second):\n%s", seed, cmp.Diff(string(want), string(got)))
		}
		back, err := workspace.Decode(want)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		third, _, err := workspace.Encode(back)
		if err != nil || !bytes.Equal(want, third) {
			t.Fatalf("seed %d: the encoding changes on its way (%v):\n%s", seed, err, cmp.Diff(string(want), string(third)))
		}
		if len(c.Destinations) > 0 && !bytes.Contains(want, []byte(`"f":1.50,"i":0,"n":12345678901234567890,"o":{"x":[2,1],"y":1e3},"s":"ab"`)) {
			t.Fatalf("seed %d: settings are not canonical or numbers not as sent:\n%s", seed, want)
		}
	}
}

// TestTheEncodingStaysWhatInstallationsHave holds the text and the digest of a
// configuration that has every kind: stores and planes keep both.
func TestTheEncodingStaysWhatInstallationsHave(t *testing.T) {
	t.Parallel()
	c := good()
	c.Sources[0].Disabled, c.Transformations[0].MaxOutputs = true, 7
	c.Libraries = []workspace.Library{{Name: "text", Language: "javascript", Code: "export {}"}}
	body, digest, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"connections":[{"destination":"dst_a","source":"src_a","transformations":["tf_a"]},{"destination":"dst_b","source":"src_a"}],` +
		`"destinations":[{"id":"dst_a","name":"Hook of Ünal","secrets":{"token":{"fingerprint":"ab12","version":1}},"settings":{"url":"http://127.0.0.1:9999/events"},"type":"webhook"},{"id":"dst_b","name":"lake","type":"duckdb"}],` +
		`"format":1,"libraries":[{"code":"export {}","language":"javascript","name":"text"}],"name":"acme-2","region":"eu",` +
		`"sources":[{"disabled":true,"id":"src_a","name":"web","type":"http","writeKey":"wk_dev_web"}],` +
		`"transformations":[{"code":"export const transformEvent = (e) => e;","id":"tf_a","language":"javascript","maxOutputs":7,"name":"mask-pii"}],"workspace":"ws_a"}`
	if d := cmp.Diff(want, string(body)); d != "" || digest != "33d4c6f641623cd55cbe0a9e7a2849d7658d58aeaba4283ab4896e12e97acf9c" {
		t.Errorf("digest %s (-want +got):\n%s", digest, d)
	}
}

// TestAdditionsAreNamed holds what a plane lists to what a configuration needs.
func TestAdditionsAreNamed(t *testing.T) {
	t.Parallel()
	c := good()
	c.Transformations[0].MaxOutputs = 7
	c.Connections[1].Filter, c.Connections[1].Events = "true", &filter.Events{}
	var got []string
	for path, name := range c.Added() {
		got = append(got, path+" "+name)
		if !slices.Contains(workspace.Additions(), name) {
			t.Errorf("%s is no addition", name)
		}
	}
	want := []string{"transformations[0].maxOutputs maxoutputs", "connections[1].events connectionrules", "connections[1].filter connectionrules"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestADifferentMeaningHasADifferentDigest(t *testing.T) {
	t.Parallel()
	c := workspace.Config{Format: 1, Workspace: "ws_a", Name: "acme", Region: "eu", Connections: []workspace.Connection{{Source: "src_a", Destination: "dst_a", Transformations: []id.Transformation{"tf_a", "tf_b"}}}}
	_, first, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Connections = []workspace.Connection{{Source: "src_a", Destination: "dst_a", Transformations: []id.Transformation{"tf_b", "tf_a"}}}
	_, second, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if first == second {
		t.Error("the order of a connection's transformations does not count")
	}
	if !first.Valid() || workspace.Digest("x").Valid() || workspace.Digest(strings.Repeat("A", 64)).Valid() {
		t.Errorf("Valid is wrong about %s", first)
	}
}

func TestWhatCannotBeEncodedIsInvalid(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]string{"a member twice": `{"a":1,"a":2}`, "no JSON": `{`, "not UTF-8": "{\"a\":\"\xff\"}", "too long": `{"a":"` + strings.Repeat("x", workspace.MaxBytes) + `"}`} {
		c := workspace.Config{Format: 1, Sources: []workspace.Source{{ID: "src_a", Settings: json.RawMessage(settings)}}}
		if _, _, err := workspace.Encode(c); err == nil || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v, want Invalid", name, err)
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	for body, code := range map[string]string{
		`{"format":2,"workspace":"ws_a","future":{}}`:            "too_new",
		`{"format":1,"workspace":"ws_a","future":{}}`:            "malformed",
		`{"format":1,"sources":[{"id":"src_a","enabled":true}]}`: "malformed",
		`{"format":1,"format":1}`:                                "malformed",
		`{"format":1,"Workspace":"ws_a"}`:                        "malformed",
		`{"format":1} {}`:                                        "malformed",
		`{"format":0}`:                                           "malformed",
		`{}`:                                                     "malformed",
		``:                                                       "malformed",
		`null`:                                                   "malformed",
		"{\"format\":1,\"name\":\"\xff\"}":                       "malformed",
		strings.Repeat("[", 1<<20):                               "malformed",
	} {
		_, err := workspace.Decode([]byte(body))
		if err == nil || fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 1 || fault.ProblemsOf(err)[0].Code != code {
			t.Errorf("Decode(%.60q): %v, want %s", body, err, code)
		}
	}
}

func FuzzDecodeEncode(f *testing.F) {
	f.Add([]byte(`{"format":1,"workspace":"ws_a","sources":[{"id":"a","settings":{"b":1e999}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := workspace.Decode(body)
		if err != nil {
			return
		}
		first, _, err := workspace.Encode(c)
		if err != nil {
			return
		}
		c, err = workspace.Decode(first)
		if err != nil {
			t.Fatalf("what Encode wrote is refused: %v\n%s", err, first)
		}
		second, _, err := workspace.Encode(c)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("two encodings (%v):\n%s\n%s", err, first, second)
		}
	})
}
