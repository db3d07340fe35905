package fields_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination/fields"
)

var received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestFieldsOfAnEvent(t *testing.T) {
	t.Parallel()
	e := fields.Read([]byte(` { "userId" : "ada" , "event":"Order Completed","timestamp":"2026-01-02T03:04:05.678Z","properties":{"revenue":12345678901234567890.10,"n":"3.5",
		"products":[{"sku":"a"},null,7,{"sku":"b"}],"x\u0061":true,"off":null},"context":{"traits":{"email":"ada@example.com","plan":"pro"}},"traits":{"plan":"free"}} `), received)
	number := func(v fields.Value) float64 {
		n, _ := v.Number()
		return n
	}
	for name, tc := range map[string]struct{ got, want any }{
		"user":                 {e.UserID.Text(), "ada"},
		"nothing":              {string(e.AnonymousID), ""},
		"name":                 {e.Name.Text(), "Order Completed"},
		"time":                 {e.Time(), received.Add(678 * time.Millisecond)},
		"as it stands":         {string(e.Properties.Get("revenue")), "12345678901234567890.10"},
		"number in a text":     {number(e.Properties.Get("n")), 3.5},
		"an escaped name":      {e.Properties.Get("xa").Text(), "true"},
		"null is absent":       {string(e.Properties.Get("off")), ""},
		"email":                {e.Email(), "ada@example.com"},
		"a trait of its own":   {e.Trait("plan").Text(), "free"},
		"products":             {len(e.Products()), 2},
		"a path":               {e.Context.Get("traits", "plan").Text(), "pro"},
		"a path through texts": {string(e.UserID.Get("x", "y")), ""},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
	one := fields.Read([]byte(`{"userId":"a@b","properties":{"sku":"x","email":""}}`), received)
	if one.Email() != "a@b" || len(one.Products()) != 1 || !one.Time().Equal(received) {
		t.Errorf("fallbacks: %q, %d, %v", one.Email(), len(one.Products()), one.Time())
	}
}

// FuzzValues: of JSON, the same members and texts as encoding/json finds; of anything
// else, no harm.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[1,{"c":"\ud800"}],"c":{"d":null}}`, `{"a`, `{"a":"`, `{"a":[`, `{"a":}`, `{"":{}}`, `[1,2`, `{"a" 1}`, `{"a":tru`, `{"\\`, `"`, `-`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := fields.Value(strings.TrimSpace(text))
		_ = fields.Read([]byte(text), received).Email()
		got := map[string]json.RawMessage{}
		for name, member := range v.Members() {
			_, _ = member.Number()
			for range member.Elements() {
				break
			}
			if _, twice := got[name]; twice {
				return
			}
			got[name] = json.RawMessage(member)
		}
		var want map[string]json.RawMessage
		if !utf8.ValidString(text) || !json.Valid([]byte(text)) || json.Unmarshal([]byte(text), &want) != nil {
			return
		}
		for name, raw := range want {
			if string(raw) == "null" {
				delete(want, name)
			}
		}
		if len(want) != len(got) {
			t.Fatalf("%d members of %q, want %d", len(got), text, len(want))
		}
		for name := range want {
			if string(got[name]) != string(want[name]) {
				t.Errorf("member %q is %s, want %s", name, got[name], want[name])
			}
		}
	})
}
