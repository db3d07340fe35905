package accounts_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"weir/infra/weir/cli/remote"
	"weir/infra/weir/cli/remote/accounts"
	"weir/shared/fault"
)

func TestASignInWaitsForTheBrowser(t *testing.T) {
	t.Parallel()
	const away = "away"
	s := time.Second
	for name, tc := range map[string]struct {
		answers []string // codes of problems, away, or "" for the token
		waits   []time.Duration
		kind    fault.Kind // of the error; 0 for none
	}{
		"allowed":                      {[]string{"authorization_pending", ""}, []time.Duration{2 * s, 2 * s}, 0},
		"slower when told so":          {[]string{"slow_down", "authorization_pending", ""}, []time.Duration{2 * s, 7 * s, 7 * s}, 0},
		"slower when nothing answers":  {[]string{away, away, ""}, []time.Duration{2 * s, 4 * s, 8 * s}, 0},
		"refused":                      {[]string{"access_denied"}, []time.Duration{2 * s}, fault.Denied},
		"expired":                      {[]string{"expired_token"}, []time.Duration{2 * s}, fault.Missing},
		"the token's answer was lost":  {[]string{away, "expired_token"}, []time.Duration{2 * s, 4 * s}, fault.Missing},
		"nobody decides":               {[]string{"authorization_pending", "slow_down", "slow_down"}, []time.Duration{2 * s, 2 * s, 7 * s, 12 * s}, fault.Missing},
		"the control plane stays away": {[]string{away, away, away}, []time.Duration{2 * s, 4 * s, 8 * s}, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				answer := tc.answers[min(n, len(tc.answers)-1)]
				n++
				switch answer {
				case "":
					fmt.Fprint(w, `{"id":"tok_a","name":"login by a","token":"weir_a","expiresAt":"2026-05-01T00:00:00Z","email":"a@b.c"}`)
				case away:
					w.WriteHeader(http.StatusServiceUnavailable)
					fmt.Fprint(w, `{"kind":"unavailable","detail":"the database is away"}`)
				default:
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprintf(w, `{"kind":"conflict","detail":"no","code":%q,"problems":[{"path":"deviceCode","code":%q,"text":"No."}]}`, answer, answer)
				}
			}))
			t.Cleanup(server.Close)
			c, err := remote.NewControl(server.URL, "")
			if err != nil {
				t.Fatal(err)
			}
			var waits []time.Duration
			got, err := accounts.AwaitLogin(t.Context(), c, accounts.Waiting{DeviceCode: "x", Interval: 2, ExpiresIn: 14}, func(_ context.Context, d time.Duration) bool {
				waits = append(waits, d)
				return true
			})
			if tc.kind == 0 && (err != nil || got.Token != "weir_a") || tc.kind != 0 && (err == nil || fault.KindOf(err) != tc.kind) {
				t.Errorf("got %+v, %v; want kind %v", got, err, tc.kind)
			}
			if !reflect.DeepEqual(waits, tc.waits) {
				t.Errorf("waited for %v, want %v", waits, tc.waits)
			}
		})
	}
}
