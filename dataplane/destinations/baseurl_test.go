package destinations_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destinations"
	"weir/shared/catalog"
	"weir/shared/secret"
)

// TestEveryKindTakesABaseURL: its secrets are sealed for that, too.
func TestEveryKindTakesABaseURL(t *testing.T) {
	t.Parallel()
	for _, kind := range destinations.All() {
		s := kind.Spec
		if !slices.ContainsFunc(s.Fields, func(f catalog.Field) bool { return f.Name == "baseUrl" }) || !slices.Contains(s.SentTo, "baseUrl") {
			t.Errorf("%s has no baseUrl, or its secrets are not sealed for it", s.Name)
		}
	}
}

// TestConnectionsGoToTheBaseURL: of kinds without HTTP, with a scheme before it or none.
func TestConnectionsGoToTheBaseURL(t *testing.T) {
	t.Parallel()
	secrets := map[string]secret.String{"username": secret.NewString("made-up-user"), "password": secret.NewString("made-up-password")}
	for name, settings := range map[string]string{
		"kafka": `"brokers":"far.example:9092","topic":"t"`,
		"redis": `"address":"far.example:6379"`,
		"amqp":  `"address":"far.example:5671"`,
	} {
		for _, base := range []string{"near.example:1234", name + "://near.example:1234"} {
			kinds := destinations.All()
			kind := kinds[slices.IndexFunc(kinds, func(k destination.Kind) bool { return k.Spec.Name == name })]
			o, err := kind.Open([]byte(`{"baseUrl":"`+base+`",`+settings+`}`), secrets)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var mu sync.Mutex
			var dialled []string
			sink, err := o.Sink(t.Context(), destination.Deps{Now: time.Now, Log: slog.New(slog.DiscardHandler), Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, addr)
				return nil, errors.New("nobody is there")
			}})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			tested, ok := sink.(interface{ Test(context.Context) error })
			if !ok {
				t.Fatalf("%s has no test of its connection", name)
			}
			err = tested.Test(ctx)
			cancel()
			mu.Lock()
			if all := slices.Compact(dialled); err == nil || !slices.Equal(all, []string{"near.example:1234"}) {
				t.Errorf("%s with %s connects to %v, %v", name, base, all, err)
			}
			mu.Unlock()
			_ = sink.Close()
		}
	}
}
