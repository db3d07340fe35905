package catalog_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"

	"weir/shared/catalog"
)

// The same file holds the console's code to it. A line that changes closes secrets
// that were sealed before.
func TestWhereSecretsAreSentHasOneFormInAllReleases(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/sentto.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Kind     string
		Settings json.RawMessage
		SentTo   string
	}
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, v := range vectors {
		spec, ok := catalog.Find(catalog.All(), v.Kind, catalog.Destinations, catalog.Warehouses)
		if !ok {
			t.Fatalf("no kind %s", v.Kind)
		}
		seen[v.Kind] = true
		if got := catalog.SentTo(spec, v.Settings); got != v.SentTo {
			t.Errorf("%s %s: %s, want %s", v.Kind, v.Settings, got, v.SentTo)
		}
	}
	for _, s := range catalog.All() {
		if s.Family != catalog.Sources && len(s.Secrets) > 0 && !seen[s.Name] {
			t.Errorf("%s has secrets and no line in testdata/sentto.json", s.Name)
		}
	}
}

// What net/http dials must follow from the text: two addresses with one text lead to
// one place, and one address has one text.
func FuzzSentToTellsPlacesApart(f *testing.F) {
	spec, _ := catalog.Find(catalog.All(), "webhook", catalog.Destinations)
	for _, s := range []string{"https://a.example/x", "http://A.example:80", "http://a:b@c/", "http://[::1%25lo]:1/", "http://a\\.b/", "http://a%2fb/", "http://x/@y", "http://x#@y", "http://x?@y", "http://é/", "hTTp://x:/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, address string) {
		settings, err := json.Marshal(map[string]string{"url": address})
		if err != nil || len(catalog.Check(spec, settings, "")) > 0 {
			return
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		text := strings.TrimPrefix(catalog.SentTo(spec, settings), "webhook url=")
		plain, err := url.PathUnescape(text)
		if err != nil {
			t.Fatalf("%q has the text %q: %v", address, text, err)
		}
		again, err := url.Parse(plain + "/")
		if err != nil || again.Scheme != u.Scheme || !strings.EqualFold(again.Hostname(), u.Hostname()) || again.Port() != port || strings.ContainsAny(text, " \n=") {
			t.Errorf("%q has the text %q, which is %v, %v; it leads to %s", address, text, again, err, fmt.Sprint(u.Scheme, " ", u.Hostname(), " ", port))
		}
	})
}
