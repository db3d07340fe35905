package name_test

import (
	"strings"
	"testing"

	"weir/dataplane/layout/name"
)

var (
	cut   = &name.Rules{Max: 63, CutBeforeEscaping: true, Reserved: map[string]bool{"SELECT": true}}
	upper = &name.Rules{Max: 127, UpperCase: true}
)

func TestColumns(t *testing.T) {
	t.Parallel()
	plain, divided := name.Casing{}, name.Casing{DivideNumbers: true}
	for _, c := range []struct {
		r        *name.Rules
		c        name.Casing
		in, want string
	}{
		{cut, plain, "XMLHttp", "xml_http"}, {cut, plain, "test123", "test123"}, {cut, plain, "9mega", "_9mega"},
		{cut, plain, "abc123def456", "abc123_def456"}, {cut, plain, "omega v2", "omega_v2"},
		{cut, divided, "test123", "test_123"}, {cut, divided, "9mega", "_9_mega"}, {cut, divided, "1st", "_1st"},
		{cut, plain, "__x", "__x"}, {cut, plain, "é😀", ""}, {cut, plain, "select", "_select"}, {cut, name.Casing{KeepReserved: true}, "select", "select"},
		{upper, plain, "fooBar", "FOO_BAR"}, {cut, plain, strings.Repeat("a", 70), strings.Repeat("a", 63)},
	} {
		if got := c.r.Column(c.in, c.c); got != c.want {
			t.Errorf("Column(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	if got := cut.Table("Users", plain); got.Out != "_users" || got.Cased != "users" || got.Shared != "" {
		t.Errorf("Table(Users) = %+v, want _users, users", got)
	}
}

// TestACacheChangesNothing asks a cache for more names than it keeps.
func TestACacheChangesNothing(t *testing.T) {
	t.Parallel()
	c := name.NewCache(cut, name.Casing{}, map[string]uint8{"a_b": 3})
	for range 2 {
		for i := range 10_000 {
			in := strings.Repeat("Ab ", i%7) + strings.Repeat("x", i%300)
			if got := c.Column([]byte(in)); got.Out != cut.Column(in, name.Casing{}) || got.Mark != map[string]uint8{"a_b": 3}[got.Out] {
				t.Fatalf("the column %q is %+v", in, got)
			}
			if got := c.Table(in); *got != cut.Table(in, name.Casing{}) {
				t.Fatalf("the table %q is %+v", in, got)
			}
		}
	}
	if c.Column([]byte("aB")).Mark != 3 {
		t.Error("a_b has lost its mark")
	}
}
