package snowflake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rest"
	"weir/shared/delay"
)

// api is the SQL API.
type api struct {
	base     string
	client   *rest.Client
	sign     *signer
	now      func() time.Time
	settings Settings
}

// column is a column of a result.
type column struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Scale int    `json:"scale"`
}

// answer is what the API says of a statement, or of several.
type answer struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	SQLState  string `json:"sqlState"`
	Handle    string `json:"statementHandle"`
	StatusURL string `json:"statementStatusUrl"`
	Meta      struct {
		Columns    []column `json:"rowType"`
		Partitions []any    `json:"partitionInfo"`
	} `json:"resultSetMetaData"`
	Data [][]*string `json:"data"`
}

// sqlError is what Snowflake says against a statement.
type sqlError struct{ code, state, message string }

func (e *sqlError) Error() string { return e.message + " (" + e.code + ", " + e.state + ")" }

const (
	firstPoll = 200 * time.Millisecond
	lastPoll  = 5 * time.Second
)

// header is that of every request.
func (a *api) header() (http.Header, error) {
	token, err := a.sign.at(a.now())
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeAuth, err)
	}
	return http.Header{
		"Authorization": {"Bearer " + token}, "X-Snowflake-Authorization-Token-Type": {"KEYPAIR_JWT"},
		"Content-Type": {"application/json"}, "Accept": {"application/json"},
	}, nil
}

func (a *api) send(ctx context.Context, method, path string, body []byte) (*answer, int, error) {
	header, err := a.header()
	if err != nil {
		return nil, 0, err
	}
	res, err := a.client.Do(ctx, method, a.base+path, header, body)
	if err != nil {
		return nil, 0, err
	}
	var out answer
	if err := json.Unmarshal(res.Body, &out); err != nil && res.Status < http.StatusMultipleChoices {
		return nil, 0, warehouse.Fail(warehouse.CodeUnreachable, errors.New("the answer is no JSON"))
	}
	switch res.Status {
	case http.StatusOK, http.StatusAccepted:
		return &out, res.Status, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, 0, warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the account does not take the key of user %s: its public key has to be the user's rsa_public_key, and its name right: %s", a.settings.User, out.Message))
	case http.StatusUnprocessableEntity, http.StatusRequestTimeout:
		return nil, 0, &sqlError{out.Code, out.SQLState, out.Message}
	}
	return nil, 0, warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the account answers with status %d", res.Status))
}

// run runs count statements, which have semicolons between them, in one session, and
// waits for their end: the answer is that of the first. most is how long they may take.
func (a *api) run(ctx context.Context, sql string, count int, most time.Duration) (*answer, error) {
	out, err := a.start(ctx, sql, count, most)
	var e *sqlError
	if errors.As(err, &e) && e.code == noWarehouse { // it does not resume by itself
		if _, err := a.start(ctx, "alter warehouse "+quote(a.settings.Warehouse)+" resume if suspended", 1, most); err != nil {
			return nil, failure(warehouse.CodeAuth, fmt.Errorf("the warehouse %s is suspended, or there is none for this role: grant usage, operate on warehouse %[1]s: %w", a.settings.Warehouse, err))
		}
		out, err = a.start(ctx, sql, count, most)
	}
	return out, err
}

// noWarehouse is the code of a statement that has no running warehouse.
const noWarehouse = "000606"

func (a *api) start(ctx context.Context, sql string, count int, most time.Duration) (*answer, error) {
	request := map[string]any{
		"statement": sql, "timeout": int(most / time.Second), "warehouse": strings.ToUpper(a.settings.Warehouse),
		"database": strings.ToUpper(a.settings.Database), "schema": strings.ToUpper(a.settings.Schema),
		"parameters": map[string]string{"MULTI_STATEMENT_COUNT": strconv.Itoa(count), "TIMEZONE": "UTC", "QUERY_TAG": "weir"},
	}
	if a.settings.Role != "" {
		request["role"] = strings.ToUpper(a.settings.Role)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	out, status, err := a.send(ctx, http.MethodPost, "/api/v2/statements?requestId="+uuid.NewString(), body)
	for wait := firstPoll; err == nil && status == http.StatusAccepted; wait = min(2*wait, lastPoll) {
		handle := url.PathEscape(out.Handle)
		if !delay.For(ctx, wait) {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastPoll)
			_, _, _ = a.send(stop, http.MethodPost, "/api/v2/statements/"+handle+"/cancel", nil) // it ends by its timeout otherwise
			cancel()
			return nil, warehouse.Fail(warehouse.CodeFailed, context.Cause(ctx))
		}
		out, status, err = a.send(ctx, http.MethodGet, "/api/v2/statements/"+handle, nil)
	}
	return out, err
}

// each gives the rows of a result, partition by partition.
func (a *api) each(ctx context.Context, out *answer, row func([]*string) error) error {
	for p := 0; ; p++ {
		for _, r := range out.Data {
			if len(r) != len(out.Meta.Columns) {
				return warehouse.Fail(warehouse.CodeUnreachable, errors.New("a row has another number of values than columns"))
			}
			if err := row(r); err != nil {
				return err
			}
		}
		if p+1 >= len(out.Meta.Partitions) {
			return nil
		}
		next, _, err := a.send(ctx, http.MethodGet, "/api/v2/statements/"+url.PathEscape(out.Handle)+"?partition="+strconv.Itoa(p+1), nil)
		if err != nil {
			return err
		}
		out.Data = next.Data
	}
}

// failure gives an error its code and its scope; code is that of others.
// Source: the states of errors, https://docs.snowflake.com/en/developer-guide/sql-api/handling-responses
func failure(code string, err error) error {
	var e *sqlError
	if err == nil || !errors.As(err, &e) {
		return warehouse.Fail(code, err)
	}
	scope := refusal.Warehouse
	switch {
	case e.state == "42501" || e.code == "003001":
		code = warehouse.CodeAuth
	case e.code == noWarehouse:
		code = warehouse.CodeAuth
	case e.state == "57014":
		code = warehouse.CodeSlow
	case strings.HasPrefix(e.state, "22") || strings.HasPrefix(e.state, "23"):
		scope = refusal.Rows
	case strings.HasPrefix(e.state, "42") || strings.HasPrefix(e.state, "02") || strings.HasPrefix(e.state, "0A"):
		code, scope = warehouse.CodeSchema, refusal.Table
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// refused gives an error of a customer's statement its code.
func refused(err error) error {
	var e *sqlError
	if !errors.As(err, &e) || e.code == noWarehouse {
		return failure(warehouse.CodeFailed, err)
	}
	code := warehouse.CodeOf(failure(warehouse.CodeFailed, err))
	if code == warehouse.CodeAuth || code == warehouse.CodeSlow {
		code = warehouse.CodeFailed
	}
	return warehouse.Refuse(code, err)
}
