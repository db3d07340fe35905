package bq

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/blob"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rows"
)

type connection struct {
	api      *api
	settings Settings
	blobs    blob.Store
	made     bool // the dataset is there
}

// Times of statements.
const (
	statementTime = 20 * time.Minute
	queryTime     = 30 * time.Second
)

// within is a name of the dataset.
func (w *connection) within(name string) string {
	return quote(w.settings.Project) + "." + quote(w.settings.Dataset) + "." + quote(name)
}

// Quote writes a name as BigQuery has it; see room quoting.
func (w *connection) Quote(name string) string { return quote(name) }

// Text writes a text as BigQuery has it; see room quoting.
func (w *connection) Text(s string) string { return text(s) }

// make makes the dataset when it is not there.
func (w *connection) make(ctx context.Context) error {
	if w.made {
		return nil
	}
	at := w.api.base + "/datasets"
	err := w.api.send(ctx, http.MethodGet, at+"/"+w.settings.Dataset, nil, nil)
	var e *apiError
	if errors.As(err, &e) && e.status == http.StatusNotFound {
		err = w.api.send(ctx, http.MethodPost, at, map[string]any{
			"datasetReference": map[string]string{"projectId": w.settings.Project, "datasetId": w.settings.Dataset}, "location": w.settings.Location,
		}, nil)
	}
	w.made = err == nil
	return refusal.Wrap(refusal.Warehouse, failure(warehouse.CodeFailed, err))
}

// Schema implements warehouse.Warehouse. It ends what a crash left of a widening.
func (w *connection) Schema(ctx context.Context, tables []string) (warehouse.Schema, error) {
	out := warehouse.Schema{}
	for _, t := range tables {
		var is struct {
			Type   string `json:"type"`
			Schema struct {
				Fields []field `json:"fields"`
			} `json:"schema"`
		}
		err := w.api.send(ctx, http.MethodGet, w.api.base+"/datasets/"+w.settings.Dataset+"/tables/"+t, nil, &is)
		var e *apiError
		if errors.As(err, &e) && e.status == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, failure(warehouse.CodeFailed, err)
		}
		if is.Type != "TABLE" {
			out[t] = warehouse.TableSchema{Taken: true}
			continue
		}
		s := warehouse.TableSchema{Columns: map[string]warehouse.Column{}, Room: maxColumns - len(is.Schema.Fields)}
		s.RowRoom = s.Room
		for _, f := range is.Schema.Fields {
			name, typ := strings.ToLower(f.Name), nativeOf(f) // names have no case
			s.Columns[name] = warehouse.Column{Type: typeOf(name, typ), Native: typ}
		}
		for name, c := range s.Columns {
			stem, wider := strings.CutSuffix(name, widerEnd)
			if _, narrow := s.Columns[stem]; !wider || narrow {
				continue
			}
			if err := w.api.run(ctx, rename(w.within(t), stem), statementTime, nil); err != nil {
				return nil, failure(warehouse.CodeSchema, err)
			}
			delete(s.Columns, name)
			s.Columns[stem] = c
		}
		out[t] = s
	}
	return out, nil
}

// Alter implements warehouse.Warehouse. What adds columns is one statement.
func (w *connection) Alter(ctx context.Context, changes []warehouse.Change) error {
	if err := w.make(ctx); err != nil || len(changes) == 0 {
		return err
	}
	have, err := w.Schema(ctx, []string{changes[0].Table})
	if err != nil {
		return err
	}
	var missing []warehouse.Change
	for _, c := range changes {
		is, there := have[c.Table].Columns[c.Column]
		switch {
		case c.Column == "":
		case c.From == "" && there && is.Native == native(c.To), c.From != "" && there && is.Type == c.To:
			continue
		case c.From == "" && there, c.From != "" && (!there || is.Type != c.From):
			err := fmt.Errorf("column %s of table %s was changed by somebody else at the same time", c.Column, c.Table)
			return warehouse.Fail(warehouse.CodeFailed, refusal.Wrap(refusal.Busy, err))
		}
		if c.From == "int" && c.To == "float" {
			wide, err := w.ask(ctx, fmt.Sprintf("select 1 as n from %s where %[2]s > 9007199254740992 or %[2]s < -9007199254740992 limit 1", w.within(c.Table), quote(c.Column)))
			if err != nil {
				return err
			}
			if len(wide) > 0 {
				c.To = "string"
			}
		}
		missing = append(missing, c)
	}
	statements, ok := alters(w.within(changes[0].Table), missing)
	if !ok {
		return warehouse.Fail(warehouse.CodeSchema, refusal.Wrap(refusal.Table, errors.New("a column of floats stays as it is: they could be written with other digits than they hold")))
	}
	for _, q := range statements {
		if err := w.api.run(ctx, q, statementTime, nil); err != nil {
			return failure(warehouse.CodeSchema, err)
		}
	}
	return nil
}

// Merge implements warehouse.Warehouse: one MERGE, and of a table that keeps values one for
// each part of the rows, in their order, which give the same when they are repeated.
func (w *connection) Merge(ctx context.Context, t warehouse.Table, files []warehouse.Staged) (m warehouse.Merged, err error) {
	have, err := w.Schema(ctx, []string{t.Name})
	if err != nil {
		return m, err
	}
	var all []string
	for name := range have[t.Name].Columns {
		all = append(all, name)
	}
	shape := rows.Of(t, ofRows)
	name := ""
	defer func() { w.drop(ctx, name) }()
	err = shape.Load(ctx, w.blobs, files, rows.Loading{
		Next: func(ctx context.Context) error {
			w.drop(ctx, name)
			name = "weir_rows_" + strings.ToLower(rand.Text())
			return failure(warehouse.CodeFailed, w.api.run(ctx, create(w.within(name), shape), statementTime, nil))
		},
		Put: func(ctx context.Context, file []byte) error {
			return failure(warehouse.CodeFailed, w.api.load(ctx, name, file))
		},
		Merge: func(ctx context.Context) error {
			return failure(warehouse.CodeFailed, w.api.run(ctx, shape.Merge(dialect, w.within(t.Name), w.within(name), all), statementTime, nil))
		},
		Former: shape.Former(dialect, w.within(t.Name), text, w.ask),
	})
	return m, err
}

// dropTime is how long dropping a table may take.
const dropTime = 30 * time.Second

// drop drops the table of a merge, "" for none; it expires otherwise.
func (w *connection) drop(ctx context.Context, name string) {
	if name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropTime)
	defer cancel()
	_ = w.api.send(ctx, http.MethodDelete, w.api.base+"/datasets/"+w.settings.Dataset+"/tables/"+name, nil, nil)
}

// ask runs a query of Weir's own and returns its rows as texts.
func (w *connection) ask(ctx context.Context, sql string) (all [][]string, err error) {
	err = w.api.run(ctx, sql, statementTime, func(r *result) error {
		for _, row := range r.Rows {
			values := make([]string, len(row.F))
			for i, f := range row.F {
				values[i] = fmt.Sprint(f.V)
			}
			all = append(all, values)
		}
		return nil
	})
	return all, failure(warehouse.CodeFailed, err)
}

// Query implements warehouse.Warehouse. BigQuery says of a statement, before it runs, whether
// it is a select.
func (w *connection) Query(ctx context.Context, query string, row func([]byte) error) error {
	switch reads, err := w.api.reads(ctx, query); {
	case err != nil:
		return refused(err)
	case !reads:
		return warehouse.Refuse(warehouse.CodeFailed, errors.New("a query only reads: give one select"))
	}
	err := w.api.run(ctx, query, queryTime, func(r *result) error {
		names := make([]string, len(r.Schema.Fields))
		for i, f := range r.Schema.Fields {
			names[i] = f.Name
		}
		for _, found := range r.Rows {
			if len(found.F) != len(names) {
				return warehouse.Fail(warehouse.CodeUnreachable, errors.New("a row has another number of values than columns"))
			}
			values := make([]any, len(names))
			for i, v := range found.F {
				values[i] = value(r.Schema.Fields[i], v.V)
			}
			b, err := warehouse.RowJSON(names, values)
			if err != nil {
				return warehouse.Fail(warehouse.CodeFailed, err)
			}
			if err := row(b); err != nil {
				return given{err}
			}
		}
		return nil
	})
	var g given
	if errors.As(err, &g) {
		return g.error
	}
	return refused(err)
}

// given is an error of whoever takes rows.
type given struct{ error }

// value reads a value of a result; lists, records and what is none of its type stay as they
// are.
// Source: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/getQueryResults
func value(f field, v any) any {
	s, ok := v.(string)
	if !ok || f.Mode == "REPEATED" {
		return v
	}
	switch nativeOf(field{Type: f.Type}) {
	case "int64", "numeric", "bignumeric":
		if json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case "float64":
		if n, err := strconv.ParseFloat(s, 64); err == nil {
			return n
		}
	case "bool":
		return s == "true"
	case "date":
		if t, err := time.Parse("2006-01-02", s); err == nil {
			return t
		}
	case "datetime":
		if t, err := time.Parse("2006-01-02T15:04:05.999999", s); err == nil {
			return t
		}
	case "timestamp": // microseconds since 1970
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return time.UnixMicro(n).UTC()
		}
	}
	return s
}

// Exec implements warehouse.Warehouse: a transaction of BigQuery makes no tables.
func (w *connection) Exec(context.Context, []string) (int64, error) {
	return 0, warehouse.Refuse(warehouse.CodeUnsupported, errors.New("statements that make or change tables cannot be taken back here, so several cannot count as one"))
}

// Test implements warehouse.Warehouse: it does what a load does, with a file of no rows.
func (w *connection) Test(ctx context.Context) error {
	lacks := func(role, on string, err error) error {
		var e *apiError
		if !errors.As(err, &e) || warehouse.CodeOf(failure("", err)) != warehouse.CodeAuth {
			return failure(warehouse.CodeFailed, err)
		}
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the service account lacks a right: give it %s on %s: %w", role, on, err))
	}
	if err := w.api.run(ctx, "select 1 as n", queryTime, nil); err != nil {
		return lacks("roles/bigquery.jobUser", "the project "+w.settings.Project, err)
	}
	dataset := "the dataset " + w.settings.Dataset
	if err := w.make(ctx); err != nil {
		return lacks("roles/bigquery.dataEditor", dataset+", or roles/bigquery.user on the project to make it", err)
	}
	shape := rows.Of(warehouse.Table{Columns: []warehouse.Target{{Name: "id", Native: "string", Type: "string"}}}, ofRows)
	empty, err := shape.Empty()
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	name := "weir_test_" + strings.ToLower(rand.Text())
	defer w.drop(ctx, name)
	if err := w.api.run(ctx, create(w.within(name), shape), statementTime, nil); err != nil {
		return lacks("roles/bigquery.dataEditor", dataset, err)
	}
	if err := w.api.load(ctx, name, empty); err != nil {
		return lacks("roles/bigquery.dataEditor", dataset, err)
	}
	return nil
}

// Close implements warehouse.Warehouse.
func (w *connection) Close() error {
	w.api.client.Close()
	return nil
}
