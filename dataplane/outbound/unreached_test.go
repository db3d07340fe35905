package outbound_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/outbound"
)

// judged is a kind of destination that says what HTTP itself suggests.
type judged struct{}

func (judged) Build(destination.Batch) ([]destination.Request, []destination.Verdict) {
	return nil, nil
}

func (judged) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	return destination.Classify(req, res)
}

// What no answer came for says why, by a code and a text that names no address, whichever
// client sends.
func TestWhatIsNotReachedSaysWhy(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.RedirectHandler("https://elsewhere.example/x", http.StatusMovedPermanently))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	defer secure.Close()
	cutting, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer cutting.Close()
	go func() {
		for {
			c, err := cutting.Accept()
			if err != nil {
				return
			}
			_ = c.Close() // the client sees it
		}
	}()
	lost := &net.DNSError{Err: "server misbehaving", Name: "hook.example", Server: "10.9.8.7:53", IsTimeout: true}
	gone := &net.DNSError{Err: "no such host", Name: "hook.example", Server: "10.9.8.7:53", IsNotFound: true}
	for name, tc := range map[string]struct {
		url    string
		fails  error // of the dialer
		code   string
		detail string
		dead   bool
	}{
		"no such name":              {"http://hook.example", gone, "dns", `"hook.example" does not exist`, false},
		"no answer of DNS":          {"https://hook.example", lost, "dns", `"hook.example" could not be looked up`, false},
		"nobody listens":            {"http://127.0.0.1:1/x", nil, "refused", "Nothing accepts connections", false},
		"a certificate of its own":  {secure.URL, nil, "tls", "not trusted", false},
		"no TLS there":              {strings.Replace(plain.URL, "http:", "https:", 1), nil, "tls", "TLS", false},
		"closed without an answer":  {"http://" + cutting.Addr().String(), nil, "network", "", false},
		"a redirect names its goal": {plain.URL, nil, "redirected", "https://elsewhere.example/x", true},
	} {
		for _, standard := range []bool{false, true} {
			c := outbound.New(outbound.Config{StandardHTTP: standard, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if tc.fails != nil {
					return nil, &net.OpError{Op: "dial", Net: network, Err: tc.fails}
				}
				return (&net.Dialer{}).DialContext(ctx, network, addr)
			}})
			req := destination.Request{Method: http.MethodPost, URL: tc.url, Body: []byte("{}"), Items: []int{0}}
			res, err := c.Do(t.Context(), req, 30*time.Second)
			v := destination.Judge(judged{}, req, res, err, time.Now())[0]
			want := destination.Retry
			if tc.dead {
				want = destination.Dead
			}
			if v.Code != tc.code || v.Outcome != want || !strings.Contains(v.Detail, tc.detail) || strings.Contains(v.Detail, "127.0.0.1:") || strings.Contains(v.Detail, "10.9.8.7") {
				t.Errorf("%s (standard %t): %+v after %v, want %s with %q and no address", name, standard, v, err, tc.code, tc.detail)
			}
			c.Close()
		}
	}
}
