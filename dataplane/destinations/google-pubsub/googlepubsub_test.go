package googlepubsub_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	googlepubsub "weir/dataplane/destinations/google-pubsub"
	"weir/dataplane/syncs/syncstest"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

// project is Pub/Sub with its token endpoint, which refuse what those of Google refuse.
type project struct {
	*httptest.Server
	t      *testing.T
	key    *rsa.PrivateKey
	mu     sync.Mutex
	tokens int      // given so far; the last one alone is good
	taken  []string // messages, as topic, ordering key and messageId
	data   [][]byte // of these messages
	answer func(request int) (status int, body string)
	asked  int
}

func newProject(t *testing.T) *project {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &project{t: t, key: key}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

// credentials is the file of the service account's key.
func (p *project) credentials() string {
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		p.t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "weir@acme-events.iam.gserviceaccount.com", "private_key_id": "k1", "token_uri": p.URL + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *project) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fail := func(status int, name, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"status":%q,"message":%q}}`, status, name, text)
	}
	if r.URL.Path == "/token" {
		p.token(w, r)
		return
	}
	p.asked++
	topic, ok := strings.CutPrefix(r.URL.Path, "/v1/projects/acme-events/topics/")
	topic, publish := strings.CutSuffix(topic, ":publish")
	var in struct {
		Messages []struct {
			Data        []byte            `json:"data"`
			Attributes  map[string]string `json:"attributes"`
			OrderingKey string            `json:"orderingKey"`
		} `json:"messages"`
	}
	body, err := io.ReadAll(r.Body)
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	switch {
	case !ok || !publish || r.Method != http.MethodPost:
		fail(404, "NOT_FOUND", "There is no such method.")
		return
	case r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", p.tokens):
		fail(401, "UNAUTHENTICATED", "The credentials are not good.")
		return
	case topic != "weir":
		fail(404, "NOT_FOUND", "Resource not found (resource="+topic+").")
		return
	case err != nil || r.Header.Get("Content-Type") != "application/json" || d.Decode(&in) != nil || len(in.Messages) == 0 || len(in.Messages) > 1000 || len(body) > 10_000_000:
		fail(400, "INVALID_ARGUMENT", "The request is malformed.")
		return
	}
	if p.answer != nil {
		if status, text := p.answer(p.asked); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
	}
	var ids, taken []string
	var data [][]byte
	for _, m := range in.Messages {
		var e struct{ MessageID, Event string }
		if json.Unmarshal(m.Data, &e) != nil || e.Event == "Odd" || len(m.OrderingKey) > 1024 || len(m.Attributes) > 100 {
			fail(400, "INVALID_ARGUMENT", "Message failed schema validation.")
			return
		}
		ids, taken = append(ids, fmt.Sprint(len(p.taken)+len(ids))), append(taken, topic+" "+m.OrderingKey+" "+e.MessageID)
		data = append(data, m.Data)
	}
	p.taken, p.data = append(p.taken, taken...), append(p.data, data...)
	_ = json.NewEncoder(w).Encode(map[string]any{"messageIds": ids})
}

// token answers as https://developers.google.com/identity/protocols/oauth2/service-account#httprest says.
func (p *project) token(w http.ResponseWriter, r *http.Request) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(r.PostFormValue("assertion"), claims, func(t *jwt.Token) (any, error) { return p.key.Public(), nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience(p.URL+"/token"), jwt.WithIssuer("weir@acme-events.iam.gserviceaccount.com"), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
	if err != nil || r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || claims["scope"] != "https://www.googleapis.com/auth/pubsub" {
		p.t.Errorf("the assertion %v: %v", claims, err)
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		return
	}
	p.tokens++
	fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3599,"token_type":"Bearer"}`, p.tokens)
}

func (p *project) send(settings string, events ...string) []string {
	p.t.Helper()
	return destinationtest.Send(p.t, googlepubsub.Kind(), fmt.Sprintf(`{"project":"acme-events","baseUrl":%q%s}`, p.URL, settings),
		map[string]string{"credentials": p.credentials()}, events...)
}

func event(n int, user, name string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":%q,"event":%q}`, n, user, name)
}

// TestPublishing publishes with a token of the service account, in order, all but what the
// topic's schema does not allow.
func TestPublishing(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	got := p.send(`,"topic":"weir"`, event(1, "ada", "A"), event(2, "eve", "Odd"), event(3, "ada", "B"), event(4, "eve", "C"))
	if want := []string{"delivered", "dead google_pubsub_refused", "delivered", "delivered"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if want := []string{"weir ada m1", "weir ada m3", "weir eve m4"}; !slices.Equal(p.taken, want) || p.tokens != 1 {
		t.Errorf("%q was taken with %d tokens, want %q with one", p.taken, p.tokens, want)
	}
}

// TestSyncs has the rows of a model as messages, from which their state can be read, whatever
// is lost on the way; a row's key is the ordering key of its messages.
func TestSyncs(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	o, err := googlepubsub.Kind().Open(fmt.Appendf(nil, `{"project":"acme-events","topic":"weir","baseUrl":%q}`, p.URL), map[string]secret.String{"credentials": secret.NewString(p.credentials())})
	if err != nil {
		t.Fatal(err)
	}
	syncstest.Keeps(t, syncstest.Kept{
		Opened: o, Sync: activation.Sync{Object: "record"},
		Records: func() map[string]string {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, of := range p.taken {
				if !strings.HasPrefix(of, "weir p") {
					t.Fatalf("a message is %q, want the row's key as its ordering key", of)
				}
			}
			return syncstest.Replay(t, p.data...)
		},
		Break: func(broken bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.answer = nil; broken {
				p.answer = func(int) (int, string) { return 403, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}` }
			}
		},
	}, 4)
}

// TestATokenThatIsRefused is replaced once.
func TestATokenThatIsRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.answer = func(request int) (int, string) {
		if request == 1 {
			return 401, `{"error":{"code":401,"status":"UNAUTHENTICATED"}}`
		}
		return 0, ""
	}
	if got := p.send(`,"topic":"weir"`, event(1, "ada", "A")); got[0] != "delivered" || p.tokens != 2 {
		t.Errorf("%q with %d tokens, want it delivered with the second", got, p.tokens)
	}
	p.answer = func(int) (int, string) { return 401, `{"error":{"code":401,"status":"UNAUTHENTICATED"}}` }
	if got := p.send(`,"topic":"weir"`, event(1, "ada", "A")); got[0] != "retry google_pubsub_denied" || p.asked > 4 {
		t.Errorf("%q after %d requests, want a retry after one more", got, p.asked)
	}
}

// TestATopicThatIsNotThere holds everything up when it is everybody's, and nobody else when
// it is one event's.
func TestATopicThatIsNotThere(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if got := p.send(`,"topic":"other"`, event(1, "ada", "A")); got[0] != "retry google_pubsub_no_topic" {
		t.Errorf("a topic of all: %q", got)
	}
	if got, want := p.send(`,"topic":"{event}"`, event(1, "ada", "other"), event(2, "ada", "weir")), []string{"dead google_pubsub_no_topic", "delivered"}; !slices.Equal(got, want) {
		t.Errorf("topics of their own: %q, want %q", got, want)
	}
}

// TestTheTestAsksForThePermission, where there are credentials and one topic.
func TestTheTestAsksForThePermission(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	for name, tc := range map[string]struct {
		settings, credentials, url string
	}{
		"credentials":     {`{"project":"acme-events","topic":"weir"}`, p.credentials(), "https://pubsub.googleapis.com/v1/projects/acme-events/topics/weir:testIamPermissions"},
		"the machine":     {`{"project":"acme-events","topic":"weir","machineRole":true}`, "", "https://pubsub.googleapis.com/v1/projects/acme-events/topics/weir:testIamPermissions"},
		"an emulator":     {`{"project":"acme-events","topic":"weir"}`, "", ""},
		"topics of their": {`{"project":"acme-events","topic":"{event}"}`, p.credentials(), ""},
	} {
		secrets := map[string]secret.String{}
		if tc.credentials != "" {
			secrets["credentials"] = secret.NewString(tc.credentials)
		}
		o, err := googlepubsub.Kind().Open([]byte(tc.settings), secrets)
		if err != nil {
			t.Fatal(err)
		}
		kind, _ := o.HTTP.(interface {
			Test(time.Time) (destination.Request, bool)
			Accepted(destination.Response) bool
		})
		r, ok := kind.Test(time.Now())
		if ok != (tc.url != "") || r.URL != tc.url || ok && string(r.Body) != `{"permissions":["pubsub.topics.publish"]}` {
			t.Errorf("%s: %v %s %s, want %s", name, ok, r.URL, r.Body, tc.url)
		}
		if machine := name == "the machine"; machine != (len(o.Auth) > 0 && o.Auth[0].Machine) {
			t.Errorf("%s: authorised by %+v", name, o.Auth)
		}
		for body, want := range map[string]bool{`{"permissions":["pubsub.topics.publish"]}`: true, `{}`: false, `x`: false} {
			if got := kind.Accepted(destination.Response{Status: 200, Body: []byte(body)}); got != want {
				t.Errorf("Accepted(%s) = %v", body, got)
			}
		}
	}
}

// TestWhatIsRefused names the setting or secret that is wrong, and quotes no secret.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	good := p.credentials()
	for name, tc := range map[string]struct{ settings, credentials, path string }{
		"no JSON":        {`{"project":"acme-events","topic":"weir"}`, "made-up-key", "secrets.credentials"},
		"another type":   {`{"project":"acme-events","topic":"weir"}`, strings.Replace(good, "service_account", "authorized_user", 1), "secrets.credentials"},
		"no key":         {`{"project":"acme-events","topic":"weir"}`, strings.Replace(good, "private_key\"", "key\"", 1), "secrets.credentials"},
		"no address":     {`{"project":"acme-events","topic":"weir"}`, strings.Replace(good, "http://", "file://", 1), "secrets.credentials"},
		"a topic":        {`{"project":"acme-events","topic":"google"}`, good, "settings.topic"},
		"an attribute":   {`{"project":"acme-events","topic":"weir","attributes":{"googleX":"y"}}`, good, "settings.attributes.googleX"},
		"a topic's path": {`{"project":"acme-events","topic":"a/../b"}`, good, "settings.topic"},
		"both":           {`{"project":"acme-events","topic":"b","machineRole":true}`, good, "secrets.credentials"},
		"the project":    {`{"project":"acme/events","topic":"b"}`, good, "settings.project"},
	} {
		_, err := googlepubsub.Kind().Open([]byte(tc.settings), map[string]secret.String{"credentials": secret.NewString(tc.credentials)})
		problems := fault.ProblemsOf(err)
		if len(problems) != 1 || problems[0].Path != tc.path || strings.Contains(fmt.Sprint(err, problems), "made-up") {
			t.Errorf("%s: %v, want a problem of %s", name, problems, tc.path)
		}
	}
}
