package wire_test

import (
	"regexp"
	"testing"

	"weir/shared/catalog"
	"weir/shared/wire"
)

// TestNamesOfKindsPassTheChecksOfEarlierReleases: those refuse a whole beat for a name
// with a hyphen, and planes are upgraded before their control plane.
func TestNamesOfKindsPassTheChecksOfEarlierReleases(t *testing.T) {
	t.Parallel()
	good := regexp.MustCompile(`^[a-z][a-z0-9]{0,31}$`)
	seen := map[string]string{}
	for _, s := range catalog.All() {
		name := wire.Kind{}.Named(s.Name).Name
		if !good.MatchString(name) {
			t.Errorf("%s is told as %q", s.Name, name)
		}
		if other := seen[string(s.Family)+name]; other != "" {
			t.Errorf("%s and %s are told as %q", s.Name, other, name)
		}
		seen[string(s.Family)+name] = s.Name
	}
}
