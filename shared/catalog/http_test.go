package catalog_test

import (
	"strings"
	"testing"

	"weir/shared/catalog"
	"weir/shared/fault"
)

const cloud = `
family: destination
name: acme
title: Acme
doc: A test.
fields:
  - { name: region, type: enum, title: Region, enum: [us, eu], default: us }
  - { name: zone, type: string, title: Zone, pattern: "[a-z]+" }
sentTo: [region, zone]
secrets: [{ name: key, type: string, title: Key }]
`

func TestAKindWithABaseTakesAnotherAddress(t *testing.T) {
	t.Parallel()
	s, err := catalog.Parse([]byte(cloud + `base: { us: "https://api.acme.example", eu: "https://{settings.zone}.eu.acme.example/v1" }`))
	if err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string][2]string{
		`{}`:                              {"https://api.acme.example", "acme region=us"},
		`{"region":"eu","zone":"b"}`:      {"https://b.eu.acme.example/v1", "acme region=eu zone=b"},
		`{"baseUrl":"http://a.example/"}`: {"http://a.example", "acme region=us baseUrl=http://a.example:80"},
	} {
		if got := catalog.BaseURL(s, catalog.Fill(s, []byte(settings))); got != want[0] {
			t.Errorf("%s: requests go to %s, want %s", settings, got, want[0])
		}
		if got := catalog.SentTo(s, []byte(settings)); got != want[1] {
			t.Errorf("%s: secrets are sealed for %q, want %q", settings, got, want[1])
		}
	}
	if again, err := catalog.Parse([]byte(cloud + `base: { us: "https://x.example", eu: "https://y.example" }`)); err != nil || catalog.Digest(again) != catalog.Digest(s) {
		t.Errorf("another address makes another digest, %v", err)
	}
}

func TestSpecsOfRequestsAreChecked(t *testing.T) {
	t.Parallel()
	for lines, path := range map[string]string{
		`base: { any: "http://a.example" }`:                                                                "base.any",
		`base: { any: "https://a.example/" }`:                                                              "base.any",
		`base: { asia: "https://a.example", any: "https://a.example" }`:                                    "base.asia",
		`base: { eu: "https://a.example" }`:                                                                "base",
		`base: { any: "https://{secrets.key}.example" }`:                                                   "base.any",
		`base: { any: "https://{settings.other}.example" }`:                                                "base.any",
		`auth: [{ type: magic }]`:                                                                          "auth[0].type",
		`auth: [{ type: bearer }]`:                                                                         "auth[0]",
		`auth: [{ type: bearer, value: "{secrets.other}" }]`:                                               "auth[0]",
		`auth: [{ type: hmac, name: X, key: "{secrets.key}", hash: md5 }]`:                                 "auth[0]",
		`auth: [{ type: oauth2, tokenUrl: "{base}/t", clientId: "a", clientSecret: "b", clientIn: head }]`: "auth[0]",
		`limits: { batch: { size: 0 } }`:                                                                   "limits.batch",
		`limits: { rate: { requests: 5, per: 0s } }`:                                                       "limits.rate",
	} {
		_, err := catalog.Parse([]byte(cloud + lines))
		found := false
		for _, p := range fault.ProblemsOf(err) {
			found = found || p.Path == path
		}
		if !found {
			t.Errorf("%s: %v, want a problem at %s", lines, err, path)
		}
	}
	if _, err := catalog.Parse([]byte(strings.Replace(cloud, "family: destination", "family: warehouse", 1) + `limits: { gzip: true }`)); err == nil {
		t.Error("a warehouse with limits of requests is taken")
	}
}
