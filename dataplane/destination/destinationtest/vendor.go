package destinationtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
)

// Vendor answers requests as the pages of a vendor say that its API does.
type Vendor func(r *http.Request, body []byte) (status int, answer string)

// Exchange is events that a vendor is sent, what becomes of them, and the statuses that
// the vendor answers.
type Exchange struct {
	Settings string // the object's members
	Secrets  map[string]string
	Events   []string
	Want     []string // as Send says it
	Statuses []int
}

// Now is the clock of every case, and of what Send sends.
func Now() time.Time { return now }

// Exchanges runs each exchange against a vendor of its own, which start makes.
func Exchanges(t *testing.T, kind destination.Kind, start func() Vendor, all map[string]Exchange) {
	t.Helper()
	for name, e := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, statuses, answers := e.run(t, kind, start())
			if diff := cmp.Diff(e.Want, got) + cmp.Diff(e.Statuses, statuses); diff != "" {
				t.Errorf("-want +got\n%s\n%s", diff, answers)
			}
		})
	}
}

// ExchangeGenerated sends generated events of a shop to the vendor: each has to be taken, or
// dropped by the kind.
func ExchangeGenerated(t *testing.T, kind destination.Kind, start func() Vendor, settings string, secrets map[string]string) {
	t.Helper()
	delivered := 0
	for seed := range uint64(20) {
		e := Exchange{Settings: settings, Secrets: secrets, Events: shopEvents(seed)}
		got, _, answers := e.run(t, kind, start())
		for i, line := range got {
			switch {
			case line == "delivered":
				delivered++
			case !strings.HasPrefix(line, "dropped"):
				t.Fatalf("seed %d: %s became of %s\n%s", seed, line, e.Events[i], answers)
			}
		}
	}
	if delivered == 0 {
		t.Error("the vendor took none of the generated events")
	}
}

func (e Exchange) run(t testing.TB, kind destination.Kind, v Vendor) (lines []string, statuses []int, answers string) {
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		status, answer := v(r, body)
		if err != nil {
			status = http.StatusBadRequest
		}
		if !strings.HasSuffix(r.URL.Path, "/token") {
			statuses = append(statuses, status)
			answers += answer + "\n"
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer) // the client has gone
	}))
	defer srv.Close()
	more := ""
	if e.Settings != "" {
		more = "," + e.Settings
	}
	lines = Send(t, kind, `{"baseUrl":"`+srv.URL+`"`+more+`}`, e.Secrets, e.Events...)
	return lines, statuses, answers
}

// Strict reads an object that has no fields but those of to.
func Strict(text []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

// Hashed reports whether each of values is a SHA-256 in hex, in lower case.
func Hashed(values ...string) bool {
	return !slices.ContainsFunc(values, func(s string) bool { return len(s) != 64 || strings.Trim(s, "0123456789abcdef") != "" })
}

// shopEvents are those of a shop's visitors: some are known by little, some by what is no
// address or number, some are old, and texts are odd.
func shopEvents(seed uint64) []string {
	r := rand.New(rand.NewPCG(seed, 5))
	pick := func(of ...any) any { return of[r.IntN(len(of))] }
	events := make([]string, 1+r.IntN(60))
	for i := range events {
		traits, context := map[string]any{}, map[string]any{"traits": nil}
		put := func(in map[string]any, key string, of ...any) {
			if r.IntN(2) == 0 {
				in[key] = pick(of...)
			}
		}
		put(traits, "email", "ada@example.com", " ADA.B+c@GMail.com ", "nobody", "", "@", 7, strings.Repeat("5D", 32))
		put(traits, "phone", "+44 20 7946 0000", "0049 (151) 234-5678", "12", "none", 442079460000)
		put(traits, "firstName", "Ada", "", "Zoë ✓", "?!")
		put(traits, "lastName", "O'Hara", "李")
		put(traits, "gender", "female", "x")
		put(traits, "birthday", "1990-02-03", "yesterday")
		put(traits, "address", map[string]any{"city": "St. Moritz", "state": "GR", "postalCode": "7500", "country": "CH"}, map[string]any{"country": "Switzerland", "city": "7"}, "none")
		context["traits"] = traits
		put(context, "ip", "192.0.2.1", "2001:db8::1")
		put(context, "userAgent", "UA/1")
		put(context, "page", map[string]any{"url": "https://shop.example/p?q=ü", "referrer": "https://a.example/"})
		put(context, "device", map[string]any{"advertisingId": "7A3CBEA0-BDF5-11E4-8DFC-AA07A5B093DB"})
		properties := map[string]any{"revenue": pick(25.5, "7", 0, 1e6), "order_id": fmt.Sprint("o", seed, "-", i)}
		put(properties, "currency", "EUR", "usd")
		put(properties, "products", []any{map[string]any{"product_id": "p1", "price": "12.75", "quantity": "2", "name": "Pot"}, map[string]any{"sku": 7}}, []any{}, []any{map[string]any{}}, "none", []any{nil, "p", 7})
		put(properties, "query", "shoes", 7)
		put(properties, "category", "Kitchen", strings.Repeat("x", 300))
		at := now.Add(-pick(time.Duration(0), time.Minute, 6*24*time.Hour, 300*24*time.Hour, -time.Hour).(time.Duration))
		e := map[string]any{
			"messageId": fmt.Sprintf("%08x-0000-4000-8000-%012x", seed, i), "type": pick("track", "track", "track", "page", "identify", "group"),
			"userId": pick("ada", "ünï", "7"), "timestamp": at.Format(time.RFC3339Nano), "context": context, "properties": properties, "traits": traits,
		}
		if e["type"] == "track" {
			e["event"] = pick("Order Completed", "Product Added", "Checkout Started", "Products Searched", "Signed Up", "Something Else", "")
		}
		if e["type"] == "group" {
			e["groupId"] = pick("g-1", "g/2", "")
		}
		text, _ := json.Marshal(e) // maps, texts and numbers
		events[i] = string(text)
	}
	return events
}
