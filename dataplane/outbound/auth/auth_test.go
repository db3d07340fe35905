package auth_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/outbound/auth"
	"weir/shared/fault"
	"weir/shared/secret"
)

var now = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

type nothing struct{}

func (nothing) Build(destination.Batch) ([]destination.Request, []destination.Verdict) {
	return nil, nil
}
func (nothing) Judge(destination.Request, destination.Response) []destination.Verdict { return nil }

// open opens a kind whose spec has these lines, with the secrets a, b and c.
func open(t *testing.T, lines string, secrets ...string) destination.Opened {
	t.Helper()
	spec := "family: destination\nname: acme\ntitle: Acme\ndoc: A test.\nfields:\n- { name: site, type: string, title: S, default: s1 }\n" +
		"base: { any: https://api.example }\nsecrets:\n"
	for _, name := range []string{"a", "b", "c"} {
		typ := "string"
		if strings.Contains(lines, "type: url") && name == "a" {
			typ = "url"
		}
		spec += "- { name: " + name + ", type: " + typ + ", title: S }\n"
	}
	kind := destination.Define([]byte(spec+lines), func(struct{}) (destination.Destination, error) { return nothing{}, nil })()
	given := map[string]secret.String{}
	for i, s := range secrets {
		given[string(rune('a'+i))] = secret.NewString(s)
	}
	o, err := kind.Open(nil, given)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestRequestsAreAuthorisedAsTheSpecSays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		lines   string
		secrets []string
		url     string
		header  http.Header
		body    string
	}{
		"header":          {`auth: [{ type: header, name: x-key, value: "Key {secrets.a}" }]`, []string{"s3cret"}, "/x", http.Header{"X-Key": {"Key s3cret"}}, `{"e":1}`},
		"bearer":          {`auth: [{ type: bearer, value: "{secrets.a}" }]`, []string{"s3cret"}, "/x", http.Header{"Authorization": {"Bearer s3cret"}}, `{"e":1}`},
		"basic":           {`auth: [{ type: basic, user: "{settings.site}", password: "{secrets.a}" }]`, []string{"s3cret"}, "/x", http.Header{"Authorization": {"Basic czE6czNjcmV0"}}, `{"e":1}`},
		"basic, no word":  {`auth: [{ type: basic, user: "{secrets.a}" }]`, []string{"s3cret"}, "/x", http.Header{"Authorization": {"Basic czNjcmV0Og=="}}, `{"e":1}`},
		"query":           {`auth: [{ type: query, name: key, value: "{secrets.a}" }]`, []string{"a&b=c"}, "/x?key=a%26b%3Dc", http.Header{}, `{"e":1}`},
		"body":            {`auth: [{ type: body, name: api_key, value: "{secrets.a}" }]`, []string{`a"b`}, "/x", http.Header{}, `{"api_key":"a\"b","e":1}`},
		"hmac":            {`auth: [{ type: hmac, name: X-Sign, key: "{secrets.a}", value: "sha1=", hash: sha1 }]`, []string{"key"}, "/x", http.Header{"X-Sign": {"sha1=3b38b0e44b65dd4e9ab1ad8c0d8ed8e4b1ed1cd7"}}, `{"e":1}`},
		"url":             {`auth: [{ type: url, value: "{secrets.a}" }]`, []string{"https://hooks.example/services/T0/s3cret"}, "", http.Header{}, `{"e":1}`},
		"url, query":      {`auth: [{ type: query, name: k, value: "{secrets.b}" }, { type: url, value: "{secrets.a}" }]`, []string{"https://hooks.example/s/?w=1", "v"}, "", http.Header{}, `{"e":1}`},
		"an absent one":   {`auth: [{ type: bearer, value: "{secrets.b}" }, { type: header, name: K, value: "{secrets.a}" }]`, []string{"s3cret"}, "/x", http.Header{"K": {"s3cret"}}, `{"e":1}`},
		"several at once": {`auth: [{ type: hmac, name: S, key: "{secrets.b}" }, { type: body, name: k, value: "{secrets.a}" }]`, []string{"s3cret", "key"}, "/x", nil, `{"k":"s3cret","e":1}`},
	} {
		o := open(t, tc.lines, tc.secrets...)
		given := destination.Request{Method: "POST", URL: "https://api.example/x", Header: http.Header{}, Body: []byte(`{"e":1}`), Items: []int{0}}
		got, _, err := auth.New(nil).Request(t.Context(), o, given, now)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "hmac" || tc.header == nil { // checked by its form alone here
			if s := got.Header.Get("X-Sign") + got.Header.Get("S"); len(s) != 45 && len(s) != 64 {
				t.Errorf("%s: signature %q", name, s)
			}
			got.Header, tc.header = nil, nil
		}
		if diff := cmp.Diff(tc.header, got.Header); diff != "" || got.URL != wanted(name, tc.url) || string(got.Body) != tc.body {
			t.Errorf("%s: %s %s\n%s", name, got.URL, got.Body, diff)
		}
		if len(given.Header) > 0 || string(given.Body) != `{"e":1}` || strings.Contains(fmt.Sprintf("%+v %#v", o, o.Auth), "s3cret") {
			t.Errorf("%s: the request that was built changed, or a secret is printed: %+v", name, o)
		}
	}
}

// wanted is where a request goes.
func wanted(name, path string) string {
	switch name {
	case "url":
		return "https://hooks.example/services/T0/s3cret/x"
	case "url, query":
		return "https://hooks.example/s/x?w=1&k=v"
	}
	return "https://api.example" + path
}

// TestSignaturesAreTheKnownOnes: RFC 4231, test case 2, and get-vanilla of AWS's test
// suite for signature version 4.
func TestSignaturesAreTheKnownOnes(t *testing.T) {
	t.Parallel()
	o := open(t, `auth: [{ type: hmac, name: S, key: "{secrets.a}" }]`, "Jefe")
	r, _, err := auth.New(nil).Request(t.Context(), o, destination.Request{Body: []byte("what do ya want for nothing?")}, now)
	if got := r.Header.Get("S"); err != nil || got != "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" {
		t.Errorf("HMAC %s, %v", got, err)
	}
	o = open(t, `auth: [{ type: sigv4, service: service, region: us-east-1, accessKey: "{secrets.a}", secretKey: "{secrets.b}" }]`, "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	r, _, err = auth.New(nil).Request(t.Context(), o, destination.Request{Method: "GET", URL: "https://example.amazonaws.com/"}, now)
	if got := r.Header.Get("Authorization"); err != nil || !strings.HasSuffix(got, "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31") {
		t.Errorf("signature %s, %v", got, err)
	}
}

func TestBodiesAreCompressedAndSignedAsTheyAreSent(t *testing.T) {
	t.Parallel()
	o := open(t, "limits: { gzip: true }\nauth: [{ type: body, name: k, value: \"{secrets.a}\" }]", "s3cret")
	long := `{"e":"` + strings.Repeat("x", 2000) + `"}`
	r, _, err := auth.New(nil).Request(t.Context(), o, destination.Request{Body: []byte(long)}, now)
	if err != nil || r.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v, %v", r.Header, err)
	}
	z, err := gzip.NewReader(bytes.NewReader(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || string(text) != `{"k":"s3cret",`+long[1:] {
		t.Errorf("body %.50s, %v", text, err)
	}
	if r, _, _ := auth.New(nil).Request(t.Context(), o, destination.Request{Body: []byte(`{}`)}, now); string(r.Body) != `{"k":"s3cret"}` {
		t.Errorf("a small body is %s", r.Body)
	}
}

// endpoint gives tokens t1, t2 and so on, and refuses when told so.
type endpoint struct {
	asked  atomic.Int64
	status atomic.Int64
	mu     sync.Mutex
	forms  []url.Values
}

func (e *endpoint) do(_ context.Context, r destination.Request, _ time.Duration) (destination.Response, error) {
	n := e.asked.Add(1)
	form, _ := url.ParseQuery(string(r.Body))
	e.mu.Lock()
	e.forms = append(e.forms, form)
	e.mu.Unlock()
	if s := e.status.Load(); s != 0 {
		return destination.Response{Status: int(s), Body: []byte(`{"error":"invalid_grant"}`)}, nil
	}
	return destination.Response{Status: 200, Body: fmt.Appendf(nil, `{"access_token":"t%d","token_type":"bearer","expires_in":3600,"refresh_token":"r%d"}`, n, n)}, nil
}

const oauth = `auth: [{ type: oauth2, tokenUrl: "{base}/token", clientId: "{secrets.a}", clientSecret: "{secrets.b}", refreshToken: "{secrets.c}" }]`

// TestLanesShareOneRefresh: sixteen that need a token at once ask for one, also after one
// was refused.
func TestLanesShareOneRefresh(t *testing.T) {
	t.Parallel()
	var e endpoint
	keys, o := auth.New(e.do), open(t, oauth, "client", "word", "r0")
	all := func(want string) {
		var lanes sync.WaitGroup
		for range 16 {
			lanes.Go(func() {
				r, _, err := keys.Request(t.Context(), o, destination.Request{}, now)
				if got := r.Header.Get("Authorization"); err != nil || got != "Bearer "+want {
					t.Errorf("Authorization %q, %v, want %s", got, err, want)
				}
			})
		}
		lanes.Wait()
	}
	all("t1")
	if r, used, _ := keys.Request(t.Context(), o, destination.Request{}, now); r.Header.Get("Authorization") != "Bearer t1" {
		t.Error("the token is not kept")
	} else if again, err := keys.Refused(used, now); !again || err != nil {
		t.Error("the token is not kept")
	}
	all("t2")
	if n := e.asked.Load(); n != 2 {
		t.Errorf("the endpoint was asked %d times, want 2", n)
	}
	late := auth.Used{} // that of a request without a token
	if again, _ := keys.Refused(late, now); again {
		t.Error("a request without a token is worth another try")
	}
	if r, _, err := keys.Request(t.Context(), o, destination.Request{}, now.Add(59*time.Minute+time.Second)); err != nil || r.Header.Get("Authorization") != "Bearer t3" {
		t.Errorf("before its end: %v, %v, want another token", r.Header, err)
	}
	want := url.Values{"grant_type": {"refresh_token"}, "client_id": {"client"}, "client_secret": {"word"}, "refresh_token": {"r0"}}
	if diff := cmp.Diff(want, e.forms[0]); diff != "" || e.forms[1].Get("refresh_token") != "r1" {
		t.Errorf("asked with %v", e.forms)
	}
}

// TestAServiceAccountAsksWithAnAssertion: sixteen lanes ask for one token.
func TestAServiceAccountAsksWithAnAssertion(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "weir@example.com", "token_uri": "https://tokens.example/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
	})
	if err != nil {
		t.Fatal(err)
	}
	var e endpoint
	keys, o := auth.New(e.do), open(t, `auth: [{ type: serviceAccount, key: "{secrets.a}", scope: s1 }]`, string(file))
	var lanes sync.WaitGroup
	for range 16 {
		lanes.Go(func() {
			if r, _, err := keys.Request(t.Context(), o, destination.Request{}, now); err != nil || r.Header.Get("Authorization") != "Bearer t1" {
				t.Errorf("%v, %v", r.Header, err)
			}
		})
	}
	lanes.Wait()
	claims := jwt.MapClaims{}
	_, err = jwt.ParseWithClaims(e.forms[0].Get("assertion"), claims, func(*jwt.Token) (any, error) { return key.Public(), nil }, jwt.WithTimeFunc(func() time.Time { return now }))
	want := jwt.MapClaims{"iss": "weir@example.com", "scope": "s1", "aud": "https://tokens.example/token", "iat": float64(now.Unix()), "exp": float64(now.Unix() + 3600)}
	if diff := cmp.Diff(want, claims); err != nil || diff != "" || e.asked.Load() != 1 || e.forms[0].Get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(e.forms[0]) != 2 {
		t.Errorf("asked %d times, %v: %s", e.asked.Load(), err, diff)
	}
	if _, _, err := keys.Request(t.Context(), open(t, `auth: [{ type: serviceAccount, key: "{secrets.a}", scope: s1 }]`, "no file"), destination.Request{}, now); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("a file that is none: %v, want Unavailable", err)
	}
}

func TestATokenThatIsRefusedIsNotAskedForAgainAtOnce(t *testing.T) {
	t.Parallel()
	var e endpoint
	e.status.Store(400)
	keys, o := auth.New(e.do), open(t, oauth, "client", "word")
	o.Auth = open(t, strings.ReplaceAll(oauth, `, refreshToken: "{secrets.c}"`, ""), "client", "word").Auth
	for range 5 {
		_, _, err := keys.Request(t.Context(), o, destination.Request{}, now)
		v := destination.Judge(nothing{}, destination.Request{Items: []int{0}}, destination.Response{}, err, now)
		if len(v) != 1 || v[0].Outcome != destination.Retry || v[0].Code != "token_refused" || strings.Contains(err.Error(), "invalid_grant") {
			t.Errorf("verdicts %+v on %v, want a retry: token_refused", v, err)
		}
	}
	if n := e.asked.Load(); n != 1 || e.forms[0].Get("grant_type") != "client_credentials" {
		t.Errorf("asked %d times by %v, want once", n, e.forms[0])
	}
	e.status.Store(503)
	if _, _, err := keys.Request(t.Context(), o, destination.Request{}, now.Add(time.Minute)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("an endpoint that is down: %v, want Unavailable", err)
	}
	e.status.Store(0)
	for range 5 {
		if _, _, err := keys.Request(t.Context(), o, destination.Request{}, now.Add(time.Minute)); fault.KindOf(err) != fault.Unavailable || e.asked.Load() != 2 {
			t.Errorf("at once after a failure: %v after %d requests, want Unavailable and no request", err, e.asked.Load())
		}
	}
	if _, _, err := keys.Request(t.Context(), o, destination.Request{}, now.Add(time.Minute+time.Second)); err != nil {
		t.Errorf("an endpoint that is up again: %v", err)
	}
}
