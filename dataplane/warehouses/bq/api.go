package bq

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rest"
	"weir/shared/delay"
)

// api is the REST interface of one project.
type api struct {
	base, uploads string
	client        *rest.Client
	settings      Settings
	tokens        *rest.Google
}

// apiError is what BigQuery says against a request or a job.
type apiError struct {
	status          int // of a request; 0 for a job
	reason, message string
}

func (e *apiError) Error() string { return e.message + " (" + e.reason + ")" }

const scope = "https://www.googleapis.com/auth/bigquery"

// send sends a request with a JSON body, nil for none, and reads the answer into out.
func (a *api) send(ctx context.Context, method, address string, body, out any) error {
	var b []byte
	header := http.Header{}
	if body != nil {
		var err error
		if b, err = json.Marshal(body); err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
		header.Set("Content-Type", "application/json")
	}
	return a.raw(ctx, method, address, header, b, out)
}

func (a *api) raw(ctx context.Context, method, address string, header http.Header, body []byte, out any) error {
	token, err := a.tokens.Token(ctx)
	if err != nil {
		return err
	}
	header.Set("Authorization", "Bearer "+token)
	res, err := a.client.Do(ctx, method, address, header, body)
	if err != nil {
		return err
	}
	if res.Status >= http.StatusMultipleChoices {
		var said struct {
			Error struct {
				Message string
				Errors  []struct{ Reason string }
			}
		}
		_ = json.Unmarshal(res.Body, &said) // the status says enough
		e := &apiError{status: res.Status, message: said.Error.Message}
		if len(said.Error.Errors) > 0 {
			e.reason = said.Error.Errors[0].Reason
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, errors.New("the answer is no JSON"))
	}
	return nil
}

// reference names a job that no other has.
func (a *api) reference() map[string]string {
	return map[string]string{"projectId": a.settings.Project, "jobId": "weir_" + rand.Text(), "location": a.settings.Location}
}

// field is a column of a result or of a table.
type field struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Mode      string `json:"mode"`
	MaxLength string `json:"maxLength"`
	Precision string `json:"precision"`
	Scale     string `json:"scale"`
}

// result is a page of what a query gives.
type result struct {
	Complete bool   `json:"jobComplete"`
	Next     string `json:"pageToken"`
	Schema   struct {
		Fields []field `json:"fields"`
	} `json:"schema"`
	Rows []struct {
		F []struct {
			V any `json:"v"`
		} `json:"f"`
	} `json:"rows"`
}

// job is a job and how it is.
type job struct {
	Status struct {
		State string `json:"state"`
		Error *struct {
			Reason  string `json:"reason"`
			Message string `json:"message"`
		} `json:"errorResult"`
	} `json:"status"`
	Statistics struct {
		Query struct {
			StatementType string `json:"statementType"`
		} `json:"query"`
	} `json:"statistics"`
}

// query is the configuration of a query.
func (a *api) query(sql string, most time.Duration, dry bool) map[string]any {
	return map[string]any{
		"jobReference": a.reference(),
		"configuration": map[string]any{
			"dryRun": dry, "jobTimeoutMs": fmt.Sprint(most.Milliseconds()), "labels": map[string]string{"application": "weir"},
			"query": map[string]any{"query": sql, "useLegacySql": false, "defaultDataset": map[string]string{"projectId": a.settings.Project, "datasetId": a.settings.Dataset}},
		},
	}
}

// reads says whether a statement only reads: BigQuery says so without running it.
func (a *api) reads(ctx context.Context, sql string) (bool, error) {
	var j job
	err := a.send(ctx, http.MethodPost, a.base+"/jobs", a.query(sql, time.Minute, true), &j)
	return j.Statistics.Query.StatementType == "SELECT", err
}

// pageRows is how many rows one page of a result has at most.
const pageRows = "5000"

// run runs a statement, waits for its end and gives the pages of its result.
func (a *api) run(ctx context.Context, sql string, most time.Duration, page func(*result) error) error {
	q := a.query(sql, most, false)
	if err := a.send(ctx, http.MethodPost, a.base+"/jobs", q, &job{}); err != nil {
		return err
	}
	id := q["jobReference"].(map[string]string)["jobId"]
	args := url.Values{"location": {a.settings.Location}, "timeoutMs": {"10000"}, "maxResults": {pageRows}, "formatOptions.useInt64Timestamp": {"true"}}
	for {
		var r result
		if err := a.send(ctx, http.MethodGet, a.base+"/queries/"+id+"?"+args.Encode(), nil, &r); err != nil {
			if ctx.Err() != nil {
				a.cancel(ctx, id)
			}
			return err
		}
		if !r.Complete { // it waited as long as timeoutMs says
			continue
		}
		if page != nil {
			if err := page(&r); err != nil {
				return err
			}
		}
		if r.Next == "" {
			return nil
		}
		args.Set("pageToken", r.Next)
	}
}

// cancelTime is how long asking for the end of a job may take.
const cancelTime = 5 * time.Second

func (a *api) cancel(ctx context.Context, id string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer stop()
	_ = a.send(ctx, http.MethodPost, a.base+"/jobs/"+id+"/cancel?location="+url.QueryEscape(a.settings.Location), nil, nil) // it ends by its timeout otherwise
}

const (
	firstPoll = 100 * time.Millisecond
	lastPoll  = 5 * time.Second
)

// load appends a Parquet file to a table, and waits for the end of the job.
func (a *api) load(ctx context.Context, table string, file []byte) error {
	ref := a.reference()
	about, err := json.Marshal(map[string]any{"jobReference": ref, "configuration": map[string]any{"load": map[string]any{
		"destinationTable": map[string]string{"projectId": a.settings.Project, "datasetId": a.settings.Dataset, "tableId": table},
		"sourceFormat":     "PARQUET", "createDisposition": "CREATE_NEVER", "writeDisposition": "WRITE_APPEND",
	}}})
	if err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, p := range []struct {
		typ  string
		text []byte
	}{{"application/json; charset=UTF-8", about}, {"application/octet-stream", file}} {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {p.typ}})
		if err == nil {
			_, err = part.Write(p.text)
		}
		if err != nil {
			return warehouse.Fail(warehouse.CodeFailed, err)
		}
	}
	if err := w.Close(); err != nil {
		return warehouse.Fail(warehouse.CodeFailed, err)
	}
	var j job
	err = a.raw(ctx, http.MethodPost, a.uploads+"/jobs?uploadType=multipart", http.Header{"Content-Type": {"multipart/related; boundary=" + w.Boundary()}}, body.Bytes(), &j)
	for wait := firstPoll; err == nil && j.Status.State != "DONE"; wait = min(2*wait, lastPoll) {
		if !delay.For(ctx, wait) {
			a.cancel(ctx, ref["jobId"])
			return warehouse.Fail(warehouse.CodeFailed, context.Cause(ctx))
		}
		j = job{}
		err = a.send(ctx, http.MethodGet, a.base+"/jobs/"+ref["jobId"]+"?location="+url.QueryEscape(a.settings.Location), nil, &j)
	}
	if err == nil && j.Status.Error != nil {
		return &apiError{reason: j.Status.Error.Reason, message: j.Status.Error.Message}
	}
	return err
}

// failure gives an error its code and its scope; code is that of others.
// Source: https://cloud.google.com/bigquery/docs/error-messages
func failure(code string, err error) error {
	var e *apiError
	if err == nil || !errors.As(err, &e) {
		return warehouse.Fail(code, err)
	}
	scope := refusal.Warehouse
	switch {
	case e.reason == "rateLimitExceeded" || e.reason == "quotaExceeded" || e.reason == "jobRateLimitExceeded" || e.reason == "backendError" || e.reason == "internalError" || e.status >= http.StatusInternalServerError:
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("BigQuery has no room for this now, and the next load tries it again: %w", err))
	case e.reason == "accessDenied" || e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		code = warehouse.CodeAuth
	case e.reason == "stopped" || e.reason == "timeout":
		code = warehouse.CodeSlow
	case e.reason == "notFound" || e.reason == "invalidQuery" && !strings.Contains(e.message, "Bad ") || e.reason == "duplicate":
		code, scope = warehouse.CodeSchema, refusal.Table
	case e.reason == "invalid" || e.reason == "invalidQuery": // a value
		scope = refusal.Rows
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// refused gives an error of a customer's statement its code.
func refused(err error) error {
	var e *apiError
	if !errors.As(err, &e) || e.status == http.StatusUnauthorized {
		return failure(warehouse.CodeFailed, err)
	}
	code := warehouse.CodeOf(failure(warehouse.CodeFailed, err))
	switch code {
	case warehouse.CodeUnreachable:
		return failure(code, err)
	case warehouse.CodeAuth, warehouse.CodeSlow:
		code = warehouse.CodeFailed
	}
	return warehouse.Refuse(code, err)
}
