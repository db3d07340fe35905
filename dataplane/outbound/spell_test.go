package outbound_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
)

// A URL is sent as it was configured, but for characters that HTTP cannot carry.
func TestAURLIsSentAsConfigured(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.RequestURI }))
	defer srv.Close()
	for configured, want := range map[string]string{
		"/a%2Fb/caf\u00e9":            "/a%2Fb/caf%C3%A9",
		"/a%2fb/%C3%A9":               "/a%2fb/%C3%A9",
		"/caf\u00e9":                  "/caf%C3%A9",
		"/a%2Fb/c d|e":                "/a%2Fb/c%20d%7Ce",
		"/plain;v=1/(x)/@y?q=a%2Fb":   "/plain;v=1/(x)/@y?q=a%2Fb",
		"/p?name=caf\u00e9&x=%2F+%20": "/p?name=caf%C3%A9&x=%2F+%20",
		"":                            "/",
	} {
		for _, standard := range []bool{false, true} {
			c := outbound.New(outbound.Config{Dial: (&net.Dialer{}).DialContext, StandardHTTP: standard})
			if _, err := c.Do(t.Context(), destination.Request{Method: http.MethodPost, URL: srv.URL + configured, Body: []byte("{}")}, 30*time.Second); err != nil {
				t.Errorf("%s: %v", configured, err)
			} else if uri := <-got; uri != want {
				t.Errorf("%s (standard %t) is sent as %s, want %s", configured, standard, uri, want)
			}
			c.Close()
		}
	}
}
