package warehouses_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"weir/dataplane/layout"
	"weir/dataplane/load/loadtest"
	"weir/dataplane/warehouse"
	inlake "weir/dataplane/warehouse/lake"
	lakeiceberg "weir/dataplane/warehouse/lake/iceberg"
	"weir/dataplane/warehouses/iceberg"
	"weir/shared/secret"
)

// restCatalog is a catalogue of Iceberg's REST interface, of one warehouse whose prefix is w1. It
// takes what is documented and nothing else: fields, updates and requirements that it does not
// know are errors. It keeps the metadata of tables and writes it into a bucket.
//
// Source: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml
type restCatalog struct {
	t       testing.TB
	backend *s3mem.Backend
	url     string

	mu         sync.Mutex
	namespaces map[string]bool
	tables     map[string]*restTable
	tokens     int // that were asked for
	commits    int
	refuse     bool
}

// restTable is a table: its metadata, and the object that has it.
type restTable struct {
	metadata map[string]any
	at       string
	n        int
}

const (
	restID, restSecret, restToken = "client", "hush", "t0ken"
	restScope                     = "PRINCIPAL_ROLE:ALL"
)

// refused is an answer that is an error.
type refused struct {
	status int
	kind   string
	text   string
}

func refuse(status int, kind, format string, args ...any) {
	panic(refused{status, kind, fmt.Sprintf(format, args...)})
}

func (c *restCatalog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer func() {
		if x := recover(); x != nil {
			f, ok := x.(refused)
			if !ok {
				f = refused{http.StatusBadRequest, "BadRequestException", fmt.Sprint(x)}
			}
			if f.status == http.StatusBadRequest {
				c.t.Errorf("%s %s is refused: %s", r.Method, r.URL, f.text)
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(f.status)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": f.text, "type": f.kind, "code": f.status}})
		}
	}()
	a := c.answer(r)
	if a == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a)
}

// body decodes a request with known fields.
func body[T any](r *http.Request) (v T) {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		refuse(http.StatusBadRequest, "BadRequestException", "the body: %v", err)
	}
	return v
}

func (c *restCatalog) answer(r *http.Request) any {
	path := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/api/catalog/v1/"), "/")
	for i := range path {
		path[i], _ = url.PathUnescape(path[i])
	}
	what := r.Method + " " + strings.Join(path, "/")
	if what == "POST oauth/tokens" {
		if err := r.ParseForm(); err != nil || r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("client_id") != restID || r.Form.Get("client_secret") != restSecret || r.Form.Get("scope") != restScope {
			refuse(http.StatusUnauthorized, "NotAuthorizedException", "not this client")
		}
		c.tokens++
		return map[string]any{"access_token": restToken, "token_type": "bearer", "expires_in": 3600}
	}
	if c.refuse || r.Header.Get("Authorization") != "Bearer "+restToken {
		refuse(http.StatusForbidden, "ForbiddenException", "this role may not do that")
	}
	if what == "GET config" {
		if got := r.URL.Query().Get("warehouse"); got != "main" {
			refuse(http.StatusBadRequest, "BadRequestException", "there is no warehouse %q", got)
		}
		return map[string]any{"defaults": map[string]string{}, "overrides": map[string]string{"prefix": "w1"}}
	}
	if len(path) < 2 || path[0] != "w1" || path[1] != "namespaces" {
		refuse(http.StatusBadRequest, "BadRequestException", "there is no such path")
	}
	namespace := ""
	if path = path[2:]; len(path) > 0 {
		namespace = path[0]
		if !c.namespaces[namespace] {
			refuse(http.StatusNotFound, "NoSuchNamespaceException", "there is no namespace %s", namespace)
		}
	}
	switch {
	case r.Method == http.MethodPost && len(path) == 0:
		b := body[struct {
			Namespace  []string          `json:"namespace"`
			Properties map[string]string `json:"properties"`
		}](r)
		if c.namespaces[b.Namespace[0]] {
			refuse(http.StatusConflict, "AlreadyExistsException", "the namespace is there")
		}
		c.namespaces[b.Namespace[0]] = true
		return map[string]any{"namespace": b.Namespace, "properties": map[string]string{}}
	case (r.Method == http.MethodGet || r.Method == http.MethodHead) && len(path) == 1:
		if r.Method == http.MethodHead {
			return nil
		}
		return map[string]any{"namespace": path, "properties": map[string]string{}}
	case r.Method == http.MethodPost && len(path) == 2 && path[1] == "tables":
		return c.create(namespace, r)
	case len(path) == 3 && path[1] == "tables":
		t := c.tables[namespace+"."+path[2]]
		if t == nil {
			refuse(http.StatusNotFound, "NoSuchTableException", "there is no table %s", path[2])
		}
		if r.Method == http.MethodPost {
			c.commit(t, r)
		}
		return c.loaded(t)
	}
	refuse(http.StatusBadRequest, "BadRequestException", "there is no such request")
	return nil
}

func (c *restCatalog) loaded(t *restTable) any {
	// Credentials that a catalogue hands out, and files that are not those of the tables.
	return map[string]any{"metadata-location": t.at, "metadata": t.metadata, "config": map[string]string{"s3.access-key-id": "other", "s3.endpoint": "http://127.0.0.1:1"}}
}

// write puts the metadata of a table into the bucket.
func (c *restCatalog) write(t *restTable) {
	t.metadata["last-updated-ms"] = time.Now().UnixMilli()
	content, err := json.Marshal(t.metadata)
	if err != nil {
		panic(err)
	}
	t.at = fmt.Sprintf("%s/metadata/%05d-%s.metadata.json", t.metadata["location"], t.n, t.metadata["table-uuid"])
	t.n++
	if _, err := c.backend.PutObject("files", strings.TrimPrefix(t.at, "s3://files/"), nil, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		panic(err)
	}
	t.metadata = map[string]any{}
	d := json.NewDecoder(bytes.NewReader(content)) // as others read it
	d.UseNumber()
	if err := d.Decode(&t.metadata); err != nil {
		panic(err)
	}
}

func (c *restCatalog) create(namespace string, r *http.Request) any {
	b := body[struct {
		Name        string            `json:"name"`
		Location    string            `json:"location"`
		Schema      map[string]any    `json:"schema"`
		Spec        map[string]any    `json:"partition-spec"`
		Order       map[string]any    `json:"write-order"`
		StageCreate bool              `json:"stage-create"`
		Properties  map[string]string `json:"properties"`
	}](r)
	name := namespace + "." + b.Name
	if c.tables[name] != nil {
		refuse(http.StatusConflict, "AlreadyExistsException", "the table is there")
	}
	if b.StageCreate || b.Schema == nil || !strings.HasPrefix(b.Location, "s3://files/") {
		refuse(http.StatusBadRequest, "BadRequestException", "a table without a schema, or elsewhere: %v", b)
	}
	delete(b.Properties, "format-version")
	b.Schema["schema-id"] = 0
	last, lastPart := 0, 999
	for _, f := range b.Schema["fields"].([]any) {
		last = max(last, number(f.(map[string]any)["id"]))
	}
	if b.Spec == nil {
		b.Spec = map[string]any{"fields": []any{}}
	}
	b.Spec["spec-id"] = 0
	for _, f := range b.Spec["fields"].([]any) {
		lastPart = max(lastPart, number(f.(map[string]any)["field-id"]))
	}
	t := &restTable{metadata: map[string]any{
		"format-version": 2, "table-uuid": fmt.Sprintf("00000000-0000-4000-8000-%012d", len(c.tables)+1), "location": b.Location, "last-sequence-number": 0, "last-column-id": last,
		"schemas": []any{b.Schema}, "current-schema-id": 0, "partition-specs": []any{b.Spec}, "default-spec-id": 0, "last-partition-id": lastPart, "properties": b.Properties,
		"current-snapshot-id": -1, "snapshots": []any{}, "snapshot-log": []any{}, "metadata-log": []any{}, "sort-orders": []any{map[string]any{"order-id": 0, "fields": []any{}}}, "default-sort-order-id": 0, "refs": map[string]any{},
	}}
	c.write(t)
	c.tables[name] = t
	return c.loaded(t)
}

func number(v any) int {
	n, err := v.(json.Number).Int64()
	if err != nil {
		panic(err)
	}
	return int(n)
}

// commit changes a table when what it requires is so.
func (c *restCatalog) commit(t *restTable, r *http.Request) {
	b := body[struct {
		Identifier   map[string]any   `json:"identifier"`
		Requirements []map[string]any `json:"requirements"`
		Updates      []map[string]any `json:"updates"`
	}](r)
	m := t.metadata
	refs := m["refs"].(map[string]any)
	for _, q := range b.Requirements {
		holds := false
		switch q["type"] {
		case "assert-table-uuid":
			holds = q["uuid"] == m["table-uuid"]
		case "assert-current-schema-id":
			holds = q["current-schema-id"] == m["current-schema-id"]
		case "assert-last-assigned-field-id":
			holds = q["last-assigned-field-id"] == m["last-column-id"]
		case "assert-default-spec-id":
			holds = q["default-spec-id"] == m["default-spec-id"]
		case "assert-ref-snapshot-id":
			ref, _ := refs[q["ref"].(string)].(map[string]any)
			if holds = q["snapshot-id"] == nil && ref == nil; ref != nil {
				holds = q["snapshot-id"] == ref["snapshot-id"]
			}
		default:
			refuse(http.StatusBadRequest, "BadRequestException", "there is no requirement %v", q["type"])
		}
		if !holds {
			refuse(http.StatusConflict, "CommitFailedException", "%v does not hold", q["type"])
		}
	}
	for _, u := range b.Updates {
		switch u["action"] {
		case "set-properties":
			for k, v := range u["updates"].(map[string]any) {
				m["properties"].(map[string]any)[k] = v
			}
		case "add-schema":
			s := u["schema"].(map[string]any)
			s["schema-id"] = json.Number(fmt.Sprint(len(m["schemas"].([]any))))
			m["schemas"] = append(m["schemas"].([]any), s)
			for _, f := range s["fields"].([]any) {
				if id := f.(map[string]any)["id"]; number(id) > number(m["last-column-id"]) {
					m["last-column-id"] = id
				}
			}
		case "set-current-schema":
			if m["current-schema-id"] = u["schema-id"]; number(u["schema-id"]) == -1 {
				m["current-schema-id"] = json.Number(fmt.Sprint(len(m["schemas"].([]any)) - 1))
			}
		case "add-snapshot":
			s := u["snapshot"].(map[string]any)
			if number(s["sequence-number"]) <= number(m["last-sequence-number"]) {
				refuse(http.StatusBadRequest, "BadRequestException", "the sequence number %v was there", s["sequence-number"])
			}
			if !c.has(s["manifest-list"].(string)) {
				refuse(http.StatusBadRequest, "BadRequestException", "the manifest list is not there")
			}
			m["snapshots"], m["last-sequence-number"] = append(m["snapshots"].([]any), s), s["sequence-number"]
		case "set-snapshot-ref":
			refs[u["ref-name"].(string)] = map[string]any{"snapshot-id": u["snapshot-id"], "type": u["type"]}
			if u["ref-name"] == "main" {
				m["current-snapshot-id"] = u["snapshot-id"]
				m["snapshot-log"] = append(m["snapshot-log"].([]any), map[string]any{"snapshot-id": u["snapshot-id"], "timestamp-ms": time.Now().UnixMilli()})
			}
		case "remove-snapshots":
			m["snapshots"] = slices.DeleteFunc(m["snapshots"].([]any), func(s any) bool {
				return slices.Contains(u["snapshot-ids"].([]any), s.(map[string]any)["snapshot-id"])
			})
		default:
			refuse(http.StatusBadRequest, "BadRequestException", "there is no update %v", u["action"])
		}
	}
	c.commits++
	c.write(t)
}

func (c *restCatalog) has(at string) bool {
	_, err := c.backend.HeadObject("files", strings.TrimPrefix(at, "s3://files/"))
	return err == nil
}

// icebergInBucket is a catalogue with its tables in a bucket; over REST, or files.
func icebergInBucket(t testing.TB, rest bool) (loadtest.Setup, *icebergReader, *restCatalog) {
	if err := icebergProgram(); err != nil {
		t.Fatal(err)
	}
	o := &objectStore{backend: s3mem.New()}
	if err := o.backend.CreateBucket("files"); err != nil {
		t.Fatal(err)
	}
	store := httptest.NewServer(gofakes3.New(o.backend, gofakes3.WithoutVersioning(), gofakes3.WithTimeSkewLimit(0)).Server())
	t.Cleanup(store.Close)
	c := &restCatalog{t: t, backend: o.backend, namespaces: map[string]bool{}, tables: map[string]*restTable{}}
	catalogue := httptest.NewServer(c)
	c.url = catalogue.URL
	t.Cleanup(catalogue.Close)
	s := loadtest.Setup{
		Settings: fmt.Sprintf(`{"bucket":"files","baseUrl":%q}`, store.URL),
		Secrets:  map[string]secret.String{"accessKey": secret.NewString("AKIA"), "secretKey": secret.NewString("hush")},
		Deps:     warehouse.Deps{Dial: (&net.Dialer{}).DialContext, Now: time.Now},
		Undoes:   loadtest.UndoesNone, Without: withoutWide, Outside: []string{"select 1"},
	}
	at := t.TempDir()
	r := &icebergReader{t: t, folder: func() string { o.write(t, "", at); return at }, root: func(string) string { return "s3://files" }, prefix: "/weir"}
	if rest {
		s.Settings = fmt.Sprintf(`{"bucket":"files","baseUrl":%q,"catalogUrl":%q,"catalogWarehouse":"main","catalogScope":%q}`, store.URL, catalogue.URL+"/api/catalog", restScope)
		s.Secrets["catalogCredential"] = secret.NewString(restID + ":" + restSecret)
		r.rest = &lakeiceberg.REST{URL: catalogue.URL + "/api/catalog", Warehouse: "main", Token: restToken}
	}
	s.Query, s.Rows = r.query, r.rows
	return s, r, c
}

// TestIcebergInBucket runs the parts of the kit that are about commits in a bucket, with a
// catalogue of files and with one that is a server.
func TestIcebergInBucket(t *testing.T) {
	for name, rest := range map[string]bool{"files": false, "rest": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loadtest.Check(t, iceberg.Kind(), func(t testing.TB) loadtest.Setup {
				s, _, _ := icebergInBucket(t, rest)
				return s
			}, "calls", "repeat", "values")
		})
	}
}

// memory is a store in memory. lost, when not nil, is told of every version of metadata that
// is to be written, before and after.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	lost    func(after bool)
}

func (m *memory) Get(_ context.Context, key string) ([]byte, string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, ok := m.objects[key]
	if !ok {
		return nil, "", nil
	}
	return content, "there", nil
}

func (m *memory) Put(_ context.Context, key string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = content
	return nil
}

func (m *memory) Swap(ctx context.Context, key string, content []byte, _ string) error {
	if m.lost != nil {
		m.lost(false)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	_, there := m.objects[key]
	m.mu.Unlock()
	if there {
		return inlake.ErrChanged
	}
	_ = m.Put(ctx, key, content)
	if m.lost != nil {
		m.lost(true)
	}
	return nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

func (m *memory) Close() error { return nil }

// TestIcebergProcessDies kills the process of a commit before the commit counts and after it
// did, when nobody heard so: the load is in the table once.
func TestIcebergProcessDies(t *testing.T) {
	t.Parallel()
	if err := icebergProgram(); err != nil {
		t.Fatal(err)
	}
	store := &memory{objects: map[string][]byte{}}
	tables, err := lakeiceberg.New(lakeiceberg.Config{Store: store, Root: "s3://files", Location: "s3://files/weir", Namespace: "events"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tables.Close() }()
	if _, _, err := tables.Settle(t.Context(), "pages", "l0", "", []inlake.Field{{Name: "id", Type: layout.String}}); err != nil {
		t.Fatal(err)
	}
	for i, after := range []bool{false, true} {
		load := fmt.Sprint("l", i+1)
		file := inlake.File{Key: "weir/events/pages/data/" + load + ".parquet", Size: 100, Rows: 1, Columns: []inlake.Stat{{ID: 1, Values: 1}}}
		ctx, kill := context.WithCancel(t.Context())
		store.lost = func(now bool) {
			if now == after {
				kill()
			}
		}
		if err := tables.Commit(ctx, "pages", load, []inlake.File{file}); err == nil {
			t.Errorf("a commit whose process was killed (after it: %t) is none that failed", after)
		}
		store.lost = nil
		before := len(store.objects)
		if err := tables.Commit(t.Context(), "pages", load, []inlake.File{file}); err != nil {
			t.Fatal(err)
		}
		if changed := len(store.objects) != before; changed == after {
			t.Errorf("the repetition of a commit that counted (%t) wrote objects: %t", after, changed)
		}
		keys, err := tables.Files(t.Context(), "pages")
		if err != nil || len(keys) != i+1 {
			t.Errorf("after load %s the files are %v (%v)", load, keys, err)
		}
	}
}

// TestIcebergTells wants of a connection test what a catalogue refuses, and that no connection
// goes out but by the plane's dialer.
func TestIcebergTells(t *testing.T) {
	t.Parallel()
	s, _, c := icebergInBucket(t, true)
	test := func() error {
		return withOpened(t, iceberg.Kind(), s, func(w warehouse.Warehouse) error { return w.Test(t.Context()) })
	}
	if err := test(); err != nil {
		t.Fatal(err)
	}
	if c.tokens == 0 || !c.namespaces["events"] {
		t.Errorf("%d tokens were asked for, the namespaces are %v", c.tokens, c.namespaces)
	}
	c.mu.Lock()
	c.refuse = true
	c.mu.Unlock()
	if err := test(); warehouse.CodeOf(err) != warehouse.CodeAuth {
		t.Errorf("a catalogue that refuses the plane: %v", err)
	}
	catalogue := strings.TrimPrefix(c.url, "http://")
	s.Deps.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == catalogue {
			return nil, errors.New("the plane's rules forbid this address")
		}
		return (&net.Dialer{}).DialContext(ctx, network, addr)
	}
	if err := test(); warehouse.CodeOf(err) != warehouse.CodeUnreachable || !strings.Contains(err.Error(), "rules forbid") {
		t.Errorf("a catalogue that the plane may not reach: %v", err)
	}
}
