package salesforce_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations/salesforce"
	"weir/shared/fault"
	"weir/shared/secret"
)

// org is an org with leads and web events, which refuses what Salesforce refuses.
type org struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	tokens  int               // given so far; the last one alone is good
	grants  []string          // by which they were asked for
	leads   []map[string]any  // with Id
	events  map[string]string // Name__c by Message__c
	asked   []string          // methods and paths of the API
	locked  int               // so many records are locked
	expired bool              // the session of the next request has expired
}

func newOrg(t *testing.T) *org {
	o := &org{t: t, events: map[string]string{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/services/oauth2/token" {
		o.token(w, r)
		return
	}
	fail := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `[{"message":"no","errorCode":%q}]`, code)
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/services/data/v62.0")
	o.asked = append(o.asked, r.Method+" "+path)
	switch {
	case o.expired || r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", o.tokens):
		o.expired = false
		fail(401, "INVALID_SESSION_ID")
	case !ok:
		fail(404, "NOT_FOUND")
	case r.Method == http.MethodGet && path == "/query":
		o.query(w, r, fail)
	case path == "/composite/sobjects" || strings.HasPrefix(path, "/composite/sobjects/"):
		o.write(w, r, strings.TrimPrefix(path, "/composite/sobjects"), fail)
	default:
		fail(404, "NOT_FOUND")
	}
}

func (o *org) token(w http.ResponseWriter, r *http.Request) {
	grant := r.PostFormValue("grant_type")
	if r.PostFormValue("client_id") != "made-up-client" || r.PostFormValue("client_secret") != "made-up-secret" ||
		grant != "client_credentials" && (grant != "refresh_token" || r.PostFormValue("refresh_token") != "made-up-refresh") {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"invalid_grant","error_description":"expired access/refresh token"}`)
		return
	}
	o.tokens++
	o.grants = append(o.grants, grant)
	fmt.Fprintf(w, `{"access_token":"token-%d","instance_url":%q,"token_type":"Bearer","issued_at":"1"}`, o.tokens, o.URL)
}

// soql is the one form of a query that this org understands.
var soql = regexp.MustCompile(`^SELECT Id FROM Lead WHERE (\w+) = '((?:[^'\\]|\\['\\])*)' ORDER BY CreatedDate LIMIT 1$`)

func (o *org) query(w http.ResponseWriter, r *http.Request, fail func(int, string)) {
	m := soql.FindStringSubmatch(r.URL.Query().Get("q"))
	if m == nil {
		fail(400, "MALFORMED_QUERY")
		return
	}
	value := strings.NewReplacer(`\\`, `\`, `\'`, `'`).Replace(m[2])
	records := []map[string]any{}
	for _, l := range o.leads {
		if text, _ := l[m[1]].(string); text == value && len(records) == 0 {
			records = append(records, map[string]any{"Id": l["Id"]})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"totalSize": len(records), "done": true, "records": records})
}

// write answers as a collection: many records, each by itself.
func (o *org) write(w http.ResponseWriter, r *http.Request, rest string, fail func(int, string)) {
	var in struct {
		AllOrNone *bool            `json:"allOrNone"`
		Records   []map[string]any `json:"records"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if d.Decode(&in) != nil || in.AllOrNone == nil || *in.AllOrNone || len(in.Records) == 0 || len(in.Records) > 200 {
		fail(400, "JSON_PARSER_ERROR")
		return
	}
	var out []map[string]any
	seen := map[string]bool{}
	for _, rec := range in.Records {
		code, id := o.one(r.Method, rest, rec, seen)
		if code != "" {
			out = append(out, map[string]any{"success": false, "errors": []any{map[string]any{"statusCode": code, "message": "no", "fields": []any{}}}})
			continue
		}
		out = append(out, map[string]any{"id": id, "success": true, "errors": []any{}})
	}
	_ = json.NewEncoder(w).Encode(out)
}

// one writes a record, and returns the code of an error or its Id.
func (o *org) one(method, rest string, rec map[string]any, seen map[string]bool) (code, id string) {
	attributes, _ := rec["attributes"].(map[string]any)
	delete(rec, "attributes")
	typ, _ := attributes["type"].(string)
	if o.locked > 0 {
		o.locked--
		return "UNABLE_TO_LOCK_ROW", ""
	}
	by := "id"
	if rest != "" {
		by = rest[strings.LastIndexByte(rest, '/')+1:]
	}
	key, _ := rec[by].(string)
	switch {
	case typ == "Web_Event__c" && rest == "/Web_Event__c/Message__c" && method == http.MethodPatch && key != "":
		name, _ := rec["Name__c"].(string)
		o.events[key] = name
		return "", key
	case typ != "Lead" || rest != "" && !strings.HasPrefix(rest, "/Lead/") || method == http.MethodPost && (rest != "" || key != ""):
		return "INVALID_TYPE", ""
	case method == http.MethodPatch && (key == "" || seen[key]):
		return "DUPLICATE_VALUE", ""
	}
	seen[key] = true
	if by == "id" {
		by = "Id"
	}
	for _, l := range o.leads {
		if method == http.MethodPatch && l[by] == key {
			for k, v := range rec {
				l[k] = v
			}
			return "", key
		}
	}
	if method == http.MethodPatch && by == "Id" {
		return "ENTITY_IS_DELETED", ""
	}
	if rec["LastName"] == nil || rec["Company"] == nil {
		return "REQUIRED_FIELD_MISSING", ""
	}
	rec["Id"] = fmt.Sprintf("00Q%d", len(o.leads)+1)
	o.leads = append(o.leads, rec)
	return "", rec["Id"].(string)
}

func (o *org) send(settings string, refresh bool, events ...string) []string {
	o.t.Helper()
	secrets := map[string]string{"clientId": "made-up-client", "clientSecret": "made-up-secret"}
	if refresh {
		secrets["refreshToken"] = "made-up-refresh"
	}
	return destinationtest.Send(o.t, salesforce.Kind(), fmt.Sprintf(`{"instanceUrl":"https://acme.my.salesforce.com","baseUrl":%q%s}`, o.URL, settings), secrets, events...)
}

func identify(n int, user, last string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"identify","userId":%q,"traits":{"email":%q,"lastName":%q,"company":"C"}}`, n, user, user+"@example.com", last)
}

// TestLookingUpThenWriting makes one record of each person, also where a batch has two calls
// of one who is new.
func TestLookingUpThenWriting(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	events := []string{identify(1, "ada", "Byron"), identify(2, "o'neill", "O'Neill"), identify(3, "ada", "Lovelace"), identify(4, "eve", "M")}
	if got, want := o.send("", true, events...), []string{"delivered", "delivered", "retry busy", "untried"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	if got, want := o.send("", true, events[2:]...), []string{"delivered", "delivered"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	var names []string
	for _, l := range o.leads {
		names = append(names, fmt.Sprint(l["Email"], " ", l["LastName"]))
	}
	if want := []string{"ada@example.com Lovelace", "o'neill@example.com O'Neill", "eve@example.com M"}; !slices.Equal(names, want) {
		t.Errorf("leads %q, want %q", names, want)
	}
	if want := []string{"refresh_token", "refresh_token"}; !slices.Equal(o.grants, want) { // Send is a plane of its own
		t.Errorf("tokens by %q, want %q", o.grants, want)
	}
}

// TestUpserts writes many records in a request; what is locked or lacks a field is its
// record's fate alone, and a session that expired is renewed.
func TestUpserts(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	o.expired = true
	const settings = `,"externalId":true,"matchField":"User__c","matchWith":"userId"`
	o.leads = []map[string]any{{"Id": "00Q0", "User__c": "eve"}}
	got := o.send(settings, false, identify(1, "ada", "Byron"), identify(2, "eve", "M"), `{"messageId":"m3","type":"identify","userId":"bob","traits":{}}`)
	if want := []string{"delivered", "delivered", "dead salesforce_missing_field"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if want := []string{"client_credentials", "client_credentials"}; !slices.Equal(o.grants, want) || len(o.asked) != 2 || len(o.leads) != 2 {
		t.Errorf("tokens by %q for %q, leads %v", o.grants, o.asked, o.leads)
	}
	o.locked = 1
	if got, want := o.send(settings, false, identify(4, "ada", "King"), identify(5, "eve", "N")), []string{"retry salesforce_locked", "delivered"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestEvents writes an event once, however often it comes.
func TestEvents(t *testing.T) {
	t.Parallel()
	o := newOrg(t)
	const settings = `,"eventObject":"Web_Event__c","eventIdField":"Message__c","eventNameField":"Name__c"`
	for range 2 {
		got := o.send(settings, true, `{"messageId":"m1","type":"track","userId":"ada","event":"Seen"}`, `{"messageId":"m2","type":"track","userId":"ada","event":"Bought"}`)
		if want := []string{"delivered", "delivered"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if len(o.events) != 2 || o.events["m2"] != "Bought" || len(o.asked) != 2 {
		t.Errorf("events %v by %q", o.events, o.asked)
	}
}

// TestWhatIsRefused names the setting that is wrong.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	secrets := map[string]secret.String{"clientId": secret.NewString("c"), "clientSecret": secret.NewString("s")}
	for settings, path := range map[string]string{
		`{"instanceUrl":"https://acme.my.salesforce.com","sandbox":true}`:                 "settings.instanceUrl",
		`{"instanceUrl":"https://acme--test.sandbox.my.salesforce.com","sandbox":true}`:   "",
		`{"instanceUrl":"https://acme.my.salesforce.com","eventObject":"E__c"}`:           "settings.eventIdField",
		`{"instanceUrl":"https://acme.my.salesforce.com/x"}`:                              "settings.instanceUrl",
		`{"instanceUrl":"http://acme.my.salesforce.com"}`:                                 "settings.instanceUrl",
		`{"instanceUrl":"https://acme.my.salesforce.com","matchField":"Id = '' OR Name"}`: "settings.matchField",
	} {
		_, err := salesforce.Kind().Open([]byte(settings), secrets)
		problems := fault.ProblemsOf(err)
		if path == "" && err != nil || path != "" && (len(problems) != 1 || problems[0].Path != path) {
			t.Errorf("%s: %v, want a problem of %q", settings, err, path)
		}
	}
}
