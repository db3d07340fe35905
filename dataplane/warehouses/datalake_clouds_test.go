package warehouses_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	azuredatalake "weir/dataplane/warehouses/azure_datalake"
	gcsdatalake "weir/dataplane/warehouses/gcs_datalake"
	"weir/shared/secret"
)

// objects are those of one bucket, with their versions.
type objects struct {
	t testing.TB

	mu    sync.Mutex
	of    map[string]object
	last  int64
	deny  string // what is refused: a method, and a key's end where it has one
	whole bool   // there is no bucket
}

type object struct {
	content []byte
	version int64
}

// folder writes the objects below a prefix into a folder.
func (o *objects) folder() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := o.t.TempDir()
	for key, c := range o.of {
		name := filepath.Join(at, strings.TrimPrefix(key, "weir/"))
		err := os.MkdirAll(filepath.Dir(name), 0o700)
		if err == nil {
			err = os.WriteFile(name, c.content, 0o600)
		}
		if err != nil {
			o.t.Fatal(err)
		}
	}
	return at
}

// denied says whether a request is refused.
func (o *objects) denied(method, key string) bool {
	m, end, _ := strings.Cut(o.deny, " ")
	return m != "" && m == method && strings.HasSuffix(key, end)
}

// put writes an object when its version is the wanted one; -1 for any.
func (o *objects) put(key string, content []byte, when int64) (version int64, ok bool) {
	if when >= 0 && o.of[key].version != when {
		return 0, false
	}
	o.last++
	o.of[key] = object{content, o.last}
	return o.last, true
}

func lakeSetup(t testing.TB, o *objects, server http.Handler, settings string, secrets map[string]secret.String, reserved ...string) loadtest.Setup {
	o.t, o.of = t, map[string]object{}
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	r := &lakeReader{t: t, folder: o.folder}
	return loadtest.Setup{
		Settings: settings, Secrets: secrets,
		Deps: warehouse.Deps{Now: time.Now, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		}},
		Query: r.query, Rows: r.rows, Undoes: loadtest.UndoesNone, Without: withoutWide, Outside: []string{"select 1"},
		SQL: func(q string) string { // names that are reserved words there have an underscore
			return spelled(q, nil, func(name string) string {
				if bare := strings.Trim(name, `"`); name[0] == '"' && slices.Contains(reserved, bare) {
					if bare == "groups" {
						return "_groups"
					}
					return "_" + bare + " as " + name
				}
				return name
			}, func(rest string) string {
				if slices.Contains(reserved, "plan") {
					rest = strings.ReplaceAll(rest, ", plan", ", _plan as plan")
				}
				return rest
			})
		},
	}
}

// only fails a test for what a request has beside the names that its documentation does.
func (o *objects) only(what string, have url.Values, names ...string) {
	for name := range have {
		if !slices.Contains(names, name) {
			o.t.Errorf("%s has %s", what, name)
		}
	}
}

// googleBucket is Cloud Storage's JSON interface with the bucket files.
type googleBucket struct{ objects }

func ofGCSDatalake(t testing.TB) loadtest.Setup {
	s, _ := gcsDatalake(t)
	return s
}

func gcsDatalake(t testing.TB) (loadtest.Setup, *googleBucket) {
	_, key := snowKey()
	if p, _ := pem.Decode([]byte(key)); p == nil {
		t.Fatal("no key")
	}
	credentials, err := json.Marshal(map[string]string{"type": "service_account", "client_email": "weir@analytics.iam.gserviceaccount.com", "private_key": key, "private_key_id": "k1", "token_uri": "http://oauth2.example.com/token"})
	if err != nil {
		t.Fatal(err)
	}
	g := &googleBucket{}
	return lakeSetup(t, &g.objects, g, `{"bucket":"files","baseUrl":"http://storage.example.com"}`, map[string]secret.String{"credentials": secret.NewString(string(credentials))}, "at", "groups"), g
}

func (g *googleBucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.URL.Path == "/token" {
		key, _ := snowKey()
		_ = r.ParseForm()
		_, err := jwt.Parse(r.Form.Get("assertion"), func(*jwt.Token) (any, error) { return &key.PublicKey, nil }, jwt.WithValidMethods([]string{"RS256"}), jwt.WithAudience("http://oauth2.example.com/token"))
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"`+bigToken+`","expires_in":3599}`)
		return
	}
	args := r.URL.Query()
	refuse := func(status int) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d}}`, status)
	}
	if r.Header.Get("Authorization") != "Bearer "+bigToken {
		refuse(http.StatusUnauthorized)
		return
	}
	key, isObject := strings.CutPrefix(r.URL.EscapedPath(), "/storage/v1/b/files/o/")
	key, err := url.PathUnescape(key)
	if err != nil || isObject && strings.Contains(strings.TrimPrefix(r.URL.EscapedPath(), "/storage/v1/b/files/o/"), "/") {
		g.t.Errorf("%s is no path of an object", r.URL.EscapedPath())
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/upload/storage/v1/b/files/o":
		g.only("an upload", args, "uploadType", "name", "ifGenerationMatch")
		if g.denied("POST", args.Get("name")) {
			refuse(http.StatusForbidden)
			return
		}
		if g.whole {
			refuse(http.StatusNotFound)
			return
		}
		when := int64(-1)
		if s := args.Get("ifGenerationMatch"); s != "" {
			if when, err = strconv.ParseInt(s, 10, 64); err != nil {
				refuse(http.StatusBadRequest)
				return
			}
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || args.Get("uploadType") != "media" || args.Get("name") == "" || r.Header.Get("Content-Type") == "" {
			refuse(http.StatusBadRequest)
			return
		}
		version, ok := g.put(args.Get("name"), body, when)
		if !ok {
			refuse(http.StatusPreconditionFailed)
			return
		}
		fmt.Fprintf(w, `{"kind":"storage#object","generation":"%d"}`, version)
	case isObject && r.Method == http.MethodGet && args.Get("alt") == "media":
		g.only("a download", args, "alt")
		is, there := g.of[key]
		switch {
		case g.denied("GET", key):
			refuse(http.StatusForbidden)
		case !there:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "No such object: files/"+key)
		default:
			w.Header().Set("X-Goog-Generation", fmt.Sprint(is.version))
			_, _ = w.Write(is.content)
		}
	case isObject && r.Method == http.MethodDelete:
		delete(g.of, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		g.t.Errorf("%s %s is nothing of Cloud Storage's", r.Method, r.URL)
		refuse(http.StatusNotFound)
	}
}

// azureContainer is Blob Storage's interface with the container files of the account acme.
type azureContainer struct{ objects }

var azureKey = base64.StdEncoding.EncodeToString([]byte("hush hush hush hush hush hush hush"))

func ofAzureDatalake(t testing.TB) loadtest.Setup {
	s, _ := azureDatalake(t)
	return s
}

func azureDatalake(t testing.TB) (loadtest.Setup, *azureContainer) {
	a := &azureContainer{}
	return lakeSetup(t, &a.objects, a, `{"account":"acme","container":"files","baseUrl":"http://acme.blob.example.com"}`, map[string]secret.String{"accountKey": secret.NewString(azureKey)}, "at", "count", "plan"), a
}

// signed says whether a request has the signature of the account's key.
// Source: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
func signed(r *http.Request) bool {
	length := r.Header.Get("Content-Length")
	if r.ContentLength > 0 {
		length = strconv.FormatInt(r.ContentLength, 10)
	}
	lines := []string{r.Method}
	for _, name := range []string{"Content-Encoding", "Content-Language", "", "Content-MD5", "Content-Type", "Date", "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"} {
		if name == "" {
			lines = append(lines, strings.TrimPrefix(length, "0"))
			continue
		}
		lines = append(lines, r.Header.Get(name))
	}
	own := map[string]string{}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-ms-") {
			own[lower] = r.Header.Get(name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		lines = append(lines, name+":"+own[name])
	}
	lines = append(lines, "/acme"+r.URL.EscapedPath())
	for name, values := range r.URL.Query() {
		lines = append(lines, strings.ToLower(name)+":"+strings.Join(values, ","))
	}
	key, err := base64.StdEncoding.DecodeString(azureKey)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, strings.Join(lines, "\n"))
	return r.Header.Get("Authorization") == "SharedKey acme:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (a *azureContainer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	refuse := func(status int, code string) {
		w.Header().Set("X-Ms-Error-Code", code)
		w.WriteHeader(status)
	}
	key, ok := strings.CutPrefix(r.URL.Path, "/files/")
	is, there := a.of[key]
	tag := fmt.Sprintf(`"0x%X"`, is.version)
	sas := r.URL.Query().Get("sig")
	switch {
	case sas == "" && !signed(r), sas != "" && sas != "hush", r.Header.Get("X-Ms-Version") == "":
		refuse(http.StatusForbidden, "AuthenticationFailed")
	case a.denied(r.Method, key):
		refuse(http.StatusForbidden, "AuthorizationPermissionMismatch")
	case !ok:
		refuse(http.StatusNotFound, "ContainerNotFound")
	case r.Method == http.MethodPut && r.Header.Get("X-Ms-Blob-Type") == "BlockBlob":
		body, err := io.ReadAll(r.Body)
		if err != nil || int64(len(body)) != r.ContentLength {
			refuse(http.StatusBadRequest, "InvalidInput")
			return
		}
		match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
		switch {
		case none == "*" && there:
			refuse(http.StatusConflict, "BlobAlreadyExists")
			return
		case match != "" && (!there || match != tag):
			refuse(http.StatusPreconditionFailed, "ConditionNotMet")
			return
		}
		version, _ := a.put(key, body, -1)
		w.Header().Set("Etag", fmt.Sprintf(`"0x%X"`, version))
		w.WriteHeader(http.StatusCreated)
	case !there:
		refuse(http.StatusNotFound, "BlobNotFound")
	case r.Method == http.MethodGet:
		w.Header().Set("Etag", tag)
		_, _ = w.Write(is.content)
	case r.Method == http.MethodDelete:
		delete(a.of, key)
		w.WriteHeader(http.StatusAccepted)
	default:
		a.t.Errorf("%s %s is nothing of Blob Storage's", r.Method, r.URL)
		refuse(http.StatusBadRequest, "InvalidInput")
	}
}

// TestDatalakesTell wants of connection tests which right is missing.
func TestDatalakesTell(t *testing.T) {
	t.Parallel()
	google, g := gcsDatalake(t)
	azure, a := azureDatalake(t)
	for _, c := range []struct {
		kind  warehouse.Kind
		setup loadtest.Setup
		of    *objects
		deny  string
		want  string
	}{
		{gcsdatalake.Kind(), google, &g.objects, "", ""},
		{gcsdatalake.Kind(), google, &g.objects, "POST", "storage.objects.create"},
		{gcsdatalake.Kind(), google, &g.objects, "GET", "storage.objects.get"},
		{gcsdatalake.Kind(), google, &g.objects, "GET -missing", "storage.objects.list"},
		{azuredatalake.Kind(), azure, &a.objects, "", ""},
		{azuredatalake.Kind(), azure, &a.objects, "PUT", "Create and Write"},
		{azuredatalake.Kind(), azure, &a.objects, "GET", "Read and List"},
	} {
		c.of.mu.Lock()
		c.of.deny = c.deny
		c.of.mu.Unlock()
		err := withOpened(t, c.kind, c.setup, func(w warehouse.Warehouse) error { return w.Test(t.Context()) })
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.kind.Spec.Name, err)
		case c.want != "" && (warehouse.CodeOf(err) != warehouse.CodeAuth || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s without the right to %s says %v, want %s", c.kind.Spec.Name, c.deny, err, c.want)
		}
	}
	a.deny = ""
	for token, good := range map[string]bool{"?sv=2026-01-01&sig=hush": true, "sv=2026-01-01&sig=other": false} {
		azure.Secrets = map[string]secret.String{"sasToken": secret.NewString(token)}
		err := withOpened(t, azuredatalake.Kind(), azure, func(w warehouse.Warehouse) error { return w.Test(t.Context()) })
		if good != (err == nil) || !good && warehouse.CodeOf(err) != warehouse.CodeAuth || err != nil && strings.Contains(err.Error(), "sig=") {
			t.Errorf("with the signature %s the test says %v", token, err)
		}
	}
	azure.Settings = strings.Replace(azure.Settings, `"files"`, `"other"`, 1)
	azure.Secrets = map[string]secret.String{"accountKey": secret.NewString(azureKey)}
	err := withOpened(t, azuredatalake.Kind(), azure, func(w warehouse.Warehouse) error { return w.Test(t.Context()) })
	if warehouse.CodeOf(err) != warehouse.CodeUnreachable || !strings.Contains(err.Error(), "there is no container other") {
		t.Errorf("without a container the test says %v", err)
	}
	g.whole = true
	err = withOpened(t, gcsdatalake.Kind(), google, func(w warehouse.Warehouse) error { return w.Test(t.Context()) })
	if warehouse.CodeOf(err) != warehouse.CodeUnreachable || !strings.Contains(err.Error(), "there is no bucket files") {
		t.Errorf("without a bucket the test says %v", err)
	}
}
