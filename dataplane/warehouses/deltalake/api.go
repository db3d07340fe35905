package deltalake

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/dataplane/warehouse/rest"
	"weir/shared/delay"
)

// api speaks to the interfaces of a workspace. It is for one caller at a time.
type api struct {
	base     string
	client   *rest.Client
	now      func() time.Time
	settings Settings

	token string // of the service principal
	until time.Time
}

// Times of tokens and statements.
const (
	tokenEarly = time.Minute // so long before its end another is asked for
	firstPoll  = 200 * time.Millisecond
	lastPoll   = 5 * time.Second
	startTime  = 15 * time.Minute // that a SQL warehouse may take to start
	cancelTime = 5 * time.Second
)

// column is a column of a result.
type column struct {
	Name string `json:"name"`
	Type string `json:"type_name"`
}

// chunk is a part of the rows of a result.
type chunk struct {
	Data [][]*string `json:"data_array"`
	Next *int        `json:"next_chunk_index"`
}

// answer is what the API says of a statement.
type answer struct {
	ID     string `json:"statement_id"`
	Status struct {
		State string `json:"state"`
		Error struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		} `json:"error"`
		SQLState string `json:"sql_state"`
	} `json:"status"`
	Manifest struct {
		Schema struct {
			Columns []column `json:"columns"`
		} `json:"schema"`
	} `json:"manifest"`
	Result chunk `json:"result"`
}

// sqlError is what Databricks says against a statement.
type sqlError struct{ code, state, message string }

func (e *sqlError) Error() string { return e.message + " (" + e.code + ", " + e.state + ")" }

// apiError is what it says against a request.
type apiError struct {
	status        int
	code, message string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("status %d: %s (%s)", e.status, e.message, e.code)
}

// bearer is the token of requests: the secret, or one that is asked for with the secret of
// the service principal.
func (a *api) bearer(ctx context.Context) (string, error) {
	if a.settings.ClientID == "" {
		return a.settings.Secrets.Token.Reveal(), nil
	}
	if a.token != "" && a.now().Before(a.until) {
		return a.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"all-apis"}}
	basic := base64.StdEncoding.EncodeToString([]byte(a.settings.ClientID + ":" + a.settings.Secrets.ClientSecret.Reveal()))
	res, err := a.client.Do(ctx, http.MethodPost, a.base+"/oidc/v1/token", http.Header{"Authorization": {"Basic " + basic}, "Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}, []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	var out struct {
		Token   string `json:"access_token"`
		Seconds int64  `json:"expires_in"`
	}
	switch {
	case res.Status == http.StatusUnauthorized || res.Status == http.StatusBadRequest || res.Status == http.StatusForbidden:
		return "", warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the workspace does not take the secret of the service principal %s: check clientId and clientSecret, and that it belongs to the workspace", a.settings.ClientID))
	case res.Status != http.StatusOK:
		return "", warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the workspace answers a sign-in with status %d", res.Status))
	case json.Unmarshal(res.Body, &out) != nil || out.Token == "":
		return "", warehouse.Fail(warehouse.CodeUnreachable, errors.New("the answer to a sign-in is none of Databricks'"))
	}
	a.token, a.until = out.Token, a.now().Add(time.Duration(out.Seconds)*time.Second-tokenEarly)
	return a.token, nil
}

// send sends a request, and reads its answer into out when it is there.
func (a *api) send(ctx context.Context, method, path, typ string, body []byte, out any) error {
	token, err := a.bearer(ctx)
	if err != nil {
		return err
	}
	res, err := a.client.Do(ctx, method, a.base+path, http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {typ}, "Accept": {"application/json"}}, body)
	if err != nil {
		return err
	}
	if res.Status >= http.StatusMultipleChoices {
		e := &apiError{status: res.Status}
		var says struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		}
		if json.Unmarshal(res.Body, &says) == nil { // else the status says it all
			e.code, e.message = says.Code, says.Message
		}
		if res.Status == http.StatusUnauthorized {
			a.token = ""
			return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the workspace does not take the token: %w", e))
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(res.Body, out); err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, errors.New("an answer is none of Databricks'"))
	}
	return nil
}

const jsonType = "application/json"

// run runs one statement and waits for its end, at most most from when the SQL warehouse runs.
// Names without a schema are those of schema, which is there, or "".
func (a *api) run(ctx context.Context, sql, schema string, most time.Duration) (*answer, error) {
	request := map[string]any{
		"statement": sql, "warehouse_id": a.settings.WarehouseID, "catalog": a.settings.Catalog,
		"wait_timeout": "30s", "on_wait_timeout": "CONTINUE", "disposition": "INLINE", "format": "JSON_ARRAY",
	}
	if schema != "" {
		request["schema"] = schema
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, err)
	}
	var out answer
	if err := a.send(ctx, http.MethodPost, "/api/2.0/sql/statements", jsonType, body, &out); err != nil {
		return nil, a.warehouse(err)
	}
	waited, limit := time.Duration(0), startTime
	for wait := firstPoll; out.Status.State == "PENDING" || out.Status.State == "RUNNING"; wait = min(2*wait, lastPoll) {
		if out.Status.State == "RUNNING" && limit == startTime && most != startTime {
			waited, limit = 0, most
		}
		at := "/api/2.0/sql/statements/" + url.PathEscape(out.ID)
		if waited >= limit || !delay.For(ctx, wait) {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
			_ = a.send(stop, http.MethodPost, at+"/cancel", jsonType, nil, nil) // it goes on otherwise
			cancel()
			if err := context.Cause(ctx); err != nil {
				return nil, warehouse.Fail(warehouse.CodeFailed, err)
			}
			return nil, warehouse.Fail(warehouse.CodeSlow, fmt.Errorf("a statement is %s after %s", strings.ToLower(out.Status.State), limit))
		}
		waited += wait
		out = answer{ID: out.ID}
		if err := a.send(ctx, http.MethodGet, at, jsonType, nil, &out); err != nil {
			return nil, a.warehouse(err)
		}
	}
	switch out.Status.State {
	case "SUCCEEDED":
		return &out, nil
	case "CANCELED", "CLOSED":
		return nil, warehouse.Fail(warehouse.CodeSlow, errors.New("somebody cancelled a statement, or it took longer than the SQL warehouse allows"))
	case "FAILED":
		e := out.Status.Error
		return nil, &sqlError{e.Code, stateOf(out.Status.SQLState, e.Message), e.Message}
	}
	return nil, warehouse.Fail(warehouse.CodeUnreachable, errors.New("an answer has no state that is known"))
}

// stateIn is the state of an error in its message.
var stateIn = regexp.MustCompile(`SQLSTATE: ?([0-9A-Z]{5})`)

func stateOf(state, message string) string {
	if m := stateIn.FindStringSubmatch(message); state == "" && m != nil {
		return m[1]
	}
	return state
}

// warehouse says of what a request met what is missing.
func (a *api) warehouse(err error) error {
	var e *apiError
	if !errors.As(err, &e) {
		return err
	}
	switch e.status {
	case http.StatusForbidden:
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("the SQL warehouse %s is refused: give the sign-in CAN USE on it: %w", a.settings.WarehouseID, e))
	case http.StatusNotFound:
		return warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("there is no SQL warehouse %s, or the sign-in may not see it: check warehouseId, and give CAN USE on it: %w", a.settings.WarehouseID, e))
	case http.StatusBadRequest:
		return &sqlError{e.code, stateOf("", e.message), e.message}
	}
	return warehouse.Fail(warehouse.CodeUnreachable, e)
}

// each gives the rows of a result, chunk by chunk.
func (a *api) each(ctx context.Context, out *answer, row func([]*string) error) error {
	part := out.Result
	for n := 0; ; n++ {
		for _, r := range part.Data {
			if len(r) != len(out.Manifest.Schema.Columns) {
				return warehouse.Fail(warehouse.CodeUnreachable, errors.New("a row has another number of values than columns"))
			}
			if err := row(r); err != nil {
				return err
			}
		}
		if part.Next == nil {
			return nil
		}
		if *part.Next != n+1 {
			return warehouse.Fail(warehouse.CodeUnreachable, errors.New("the parts of a result are out of order"))
		}
		path := "/api/2.0/sql/statements/" + url.PathEscape(out.ID) + "/result/chunks/" + strconv.Itoa(n+1)
		part = chunk{}
		if err := a.send(ctx, http.MethodGet, path, jsonType, nil, &part); err != nil {
			return a.warehouse(err)
		}
	}
}

// failure gives an error its code and its scope; code is that of others.
// Source: https://docs.databricks.com/en/error-messages/sqlstates.html
func failure(code string, err error) error {
	var e *sqlError
	if err == nil || !errors.As(err, &e) {
		return warehouse.Fail(code, err)
	}
	scope := refusal.Warehouse
	has := func(classes ...string) bool {
		for _, c := range classes {
			if strings.HasPrefix(e.state, c) {
				return true
			}
		}
		return false
	}
	switch {
	case has("42501", "28") || e.code == "PERMISSION_DENIED" || e.code == "UNAUTHENTICATED":
		code = warehouse.CodeAuth
	case has("08", "53", "58") || e.code == "TEMPORARILY_UNAVAILABLE" || e.code == "SERVICE_UNDER_MAINTENANCE" || e.code == "WORKSPACE_TEMPORARILY_UNAVAILABLE" || e.code == "RESOURCE_EXHAUSTED":
		code = warehouse.CodeUnreachable
	case has("57") || e.code == "DEADLINE_EXCEEDED" || e.code == "CANCELLED":
		code = warehouse.CodeSlow
	case has("2D521", "40", "25"): // somebody changed the table at the same moment
		scope = refusal.Busy
	case has("22", "23"):
		scope = refusal.Rows
	case has("42", "0A", "02", "54", "55", "2B"):
		code, scope = warehouse.CodeSchema, refusal.Table
	}
	return warehouse.Fail(code, refusal.Wrap(scope, err))
}

// refused gives an error of a customer's statement its code.
func refused(err error) error {
	var e *sqlError
	if !errors.As(err, &e) {
		return failure(warehouse.CodeFailed, err)
	}
	code := warehouse.CodeOf(failure(warehouse.CodeFailed, err))
	if code == warehouse.CodeUnreachable {
		return failure(code, err)
	}
	if code == warehouse.CodeAuth || code == warehouse.CodeSlow {
		code = warehouse.CodeFailed
	}
	return warehouse.Refuse(code, err)
}
