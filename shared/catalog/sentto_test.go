package catalog_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/shared/catalog"
)

// The same files, in the kinds' folders, hold the console's code to it. A line that
// changes closes secrets that were sealed before.
func TestWhereSecretsAreSentHasOneFormInAllReleases(t *testing.T) {
	t.Parallel()
	for _, s := range catalog.All() {
		name := filepath.Join("..", "..", "dataplane", string(s.Family)+"s", s.Name, "testdata", "sentto.json")
		b, err := os.ReadFile(name)
		if os.IsNotExist(err) && (s.Family == catalog.Sources || len(s.Secrets) == 0) {
			continue
		}
		if err != nil {
			t.Errorf("%s has secrets, so its folder needs examples of where they are sent: %v", s.Name, err)
			continue
		}
		var vectors []struct {
			Settings json.RawMessage
			SentTo   string
		}
		if err := json.Unmarshal(b, &vectors); err != nil || len(vectors) == 0 {
			t.Errorf("%s holds %d examples: %v", name, len(vectors), err)
		}
		for _, v := range vectors {
			if got := catalog.SentTo(s, v.Settings); got != v.SentTo {
				t.Errorf("%s %s: %s, want %s", s.Name, v.Settings, got, v.SentTo)
			}
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
