package address_test

import (
	"testing"

	"weir/dataplane/destination/address"
)

func TestABaseStandsInThePlaceOfSchemeAndHost(t *testing.T) {
	t.Parallel()
	for _, tc := range [][3]string{
		{"https://a.example/x/{userId}?y=1", "", "https://a.example/x/{userId}?y=1"},
		{"https://a.example/x/{userId}?y=1", "http://b.example:80/c/", "http://b.example:80/c/x/{userId}?y=1"},
		{"https://a.example?y=1", "http://b.example/", "http://b.example?y=1"},
		{"https://a.example", "http://b.example", "http://b.example"},
	} {
		if got := address.Moved(tc[0], tc[1]); got != tc[2] {
			t.Errorf("Moved(%q, %q) = %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
	for _, tc := range [][3]string{
		{"a.example:1", "", "a.example:1"}, {"a.example:1", "b.example:2", "b.example:2"}, {"a.example:1", "redis://b.example:2", "b.example:2"},
	} {
		if got := address.HostPort(tc[0], tc[1]); got != tc[2] {
			t.Errorf("HostPort(%q, %q) = %q, want %q", tc[0], tc[1], got, tc[2])
		}
	}
}
