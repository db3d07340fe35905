package catalog_test

import (
	"fmt"
	"strings"
	"testing"

	"weir/shared/catalog"
	"weir/shared/fault"
)

// TestAPersonIsWrittenOutOnceForAllPlatforms: with a place for each mistake. What comes out
// is in the cases of the platforms.
func TestAPersonIsWrittenOutOnceForAllPlatforms(t *testing.T) {
	t.Parallel()
	const ads = `family: destination
name: ads
title: Ads
doc: An ads platform.
base: { any: "https://ads.example" }
fields:
  - { name: hashed, type: boolean, title: Hashed, default: false }
calls:
  - on: { type: [track] }
    path: /events
    body:
      user: &user
        "*":
          - { person: [em, ph] }
      again: *user
`
	if _, err := catalog.Parse([]byte(ads)); err != nil {
		t.Fatalf("Parse: %v", err)
	}
	for name, tc := range map[string]struct{ old, with, want string }{
		"a member that there is not": {"[em, ph]", "[em, shoe]", `calls[0].body.user.*[0].person[1]`},
		"a member twice":             {"[em, ph]", "[em, em]", `calls[0].body.user.*[0].person[1]`},
		"no list":                    {"[em, ph]", "em", `calls[0].body.user.*[0].person`},
		"no members":                 {"[em, ph]", "[]", `calls[0].body.user.*[0].person`},
		"no setting for it":          {"name: hashed", "name: other", `settings.hashed`},
	} {
		_, err := catalog.Parse([]byte(strings.Replace(ads, tc.old, tc.with, 1)))
		if fault.KindOf(err) != fault.Invalid || !strings.Contains(fmt.Sprint(fault.ProblemsOf(err)), tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}
