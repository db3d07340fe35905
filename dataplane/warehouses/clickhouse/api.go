package clickhouse

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/httpsend"
	"weir/dataplane/warehouse"
	"weir/dataplane/warehouse/refusal"
	"weir/shared/delay"
)

// api sends statements.
// Source: https://clickhouse.com/docs/en/interfaces/http
type api struct {
	address, user, password, database string
	transport                         *httpsend.Transport
}

func newAPI(address, user, password, database string, dial func(context.Context, string, string) (net.Conn, error), protected *tls.Config) *api {
	return &api{address: address, user: user, password: password, database: database, transport: httpsend.New(httpsend.Config{Dial: dial, Standard: true, TLS: protected})}
}

// apiError is what the server says against a statement.
type apiError struct {
	code    int // of ErrorCodes.cpp; 0 when the answer has none
	status  int
	message string
}

func (e *apiError) Error() string { return e.message }

// Numbers of errors.
// Source: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
const (
	readOnly       = 164
	sameQueryID    = 216
	databaseDenied = 291
	accessDenied   = 497
)

const (
	maxMessage  = 4 << 10 // of an error, in bytes
	bufferBytes = "65536" // each column of a table has such a buffer, or two
)

// large are the settings of statements with a thousand columns.
func large() url.Values {
	return url.Values{"max_query_size": {"8388608"}, "max_ast_elements": {"1000000"}, "max_expanded_ast_elements": {"1000000"}, "join_use_nulls": {"0"}, "max_read_buffer_size": {bufferBytes}}
}

// send sends a statement and gives the answer's body, which the caller closes. A context
// without a deadline gets none. Errors are apiError, or Failures of the way to the server.
func (a *api) send(ctx context.Context, statement io.Reader, settings url.Values) (io.ReadCloser, error) {
	settings.Set("database", a.database)
	ro := settings.Get("readonly")
	settings.Del("readonly")
	query := settings.Encode()
	if ro != "" { // settings after it would be refused
		query += "&readonly=" + ro
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.address+"?"+query, statement)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeFailed, errors.New("the address is none"))
	}
	req.SetBasicAuth(a.user, a.password)
	req.Header.Set("User-Agent", "Weir/1")
	res, err := a.transport.RoundTrip(req)
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	if res.StatusCode == http.StatusOK {
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	text, err := io.ReadAll(io.LimitReader(res.Body, maxMessage))
	if err != nil {
		return nil, warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("read an answer: %w", err))
	}
	return nil, said(res.StatusCode, string(text))
}

// errorCode finds the number in the text of an error.
var errorCode = regexp.MustCompile(`^Code: (\d+)[.,]`)

func said(status int, text string) *apiError {
	e := &apiError{status: status, message: strings.TrimSpace(text)}
	if m := errorCode.FindStringSubmatch(e.message); m != nil {
		e.code, _ = strconv.Atoi(m[1]) // it has digits only
	}
	if e.message == "" {
		e.message = fmt.Sprintf("the server answers with status %d and no text", status)
	}
	return e
}

// run runs a statement that gives no rows. id, when not empty, is a query id: another
// statement of it is awaited for a while.
func (a *api) run(ctx context.Context, statement, id string) error {
	settings := large()
	if id != "" {
		settings.Set("query_id", id)
	}
	return a.runWith(ctx, statement, settings)
}

// runWith is run with some settings.
func (a *api) runWith(ctx context.Context, statement string, settings url.Values) error {
	settings.Set("wait_end_of_query", "1")
	until, wait := time.Now().Add(lockTime), firstPoll
	for {
		body, err := a.send(ctx, strings.NewReader(statement), settings)
		var e *apiError
		if errors.As(err, &e) && e.code == sameQueryID && time.Now().Before(until) {
			if !delay.For(ctx, wait) {
				return warehouse.Fail(warehouse.CodeFailed, context.Cause(ctx))
			}
			wait = min(2*wait, lastPoll)
			continue
		}
		if err != nil {
			return err
		}
		return ended(body)
	}
}

// ended reads the answer to a statement without rows, which has an error in it where the
// statement failed after its status was sent.
func ended(body io.ReadCloser) error {
	text, err := io.ReadAll(io.LimitReader(body, maxMessage))
	_ = body.Close() // what counts was read
	if err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("read an answer: %w", err))
	}
	if errorCode.Match(text) {
		return said(http.StatusOK, string(text))
	}
	return nil
}

// insert runs a statement with data behind it.
func (a *api) insert(ctx context.Context, statement string, data io.Reader) error {
	body, err := a.send(ctx, io.MultiReader(strings.NewReader(statement+"\n"), data), large())
	if err != nil {
		return err
	}
	return ended(body)
}

// field is a column of a result.
type field struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// rows runs a statement that reads, and gives its rows: numbers as json.Number. An error
// of row is returned as it is.
func (a *api) rows(ctx context.Context, statement string, settings url.Values, row func(fields []field, values []any) error) error {
	settings.Set("default_format", "JSONCompact")
	settings.Set("output_format_json_quote_64bit_integers", "0")
	settings.Set("output_format_json_quote_denormals", "1")
	settings.Set("wait_end_of_query", "1")
	body, err := a.send(ctx, strings.NewReader(statement), settings)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // what counts was read
	d := json.NewDecoder(body)
	d.UseNumber()
	var fields []field
	broken := func(err error) error {
		return warehouse.Fail(warehouse.CodeUnreachable, fmt.Errorf("the answer is not whole: %w", err))
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return broken(err)
		}
		switch key {
		case "meta":
			err = d.Decode(&fields)
		case "data":
			if err = each(d, func(values []any) error {
				if len(values) != len(fields) {
					return warehouse.Fail(warehouse.CodeUnreachable, errors.New("a row has another number of values than columns"))
				}
				return row(fields, values)
			}); err != nil {
				return err
			}
		default:
			var skipped json.RawMessage
			err = d.Decode(&skipped)
		}
		if err != nil {
			return broken(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return broken(err)
	}
	return nil
}

// each gives the members of a list of lists.
func each(d *json.Decoder, row func([]any) error) error {
	if _, err := d.Token(); err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	for d.More() {
		var values []any
		if err := d.Decode(&values); err != nil {
			return warehouse.Fail(warehouse.CodeUnreachable, err)
		}
		if err := row(values); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return warehouse.Fail(warehouse.CodeUnreachable, err)
	}
	return nil
}

// count runs a statement that gives one number.
func (a *api) count(ctx context.Context, statement string) (n int64, err error) {
	err = a.rows(ctx, statement, large(), func(_ []field, values []any) error {
		if v, ok := values[0].(json.Number); ok {
			n, err = v.Int64()
			return err
		}
		return warehouse.Fail(warehouse.CodeUnreachable, errors.New("the answer is no number"))
	})
	return n, err
}

// meaning is what a kind says of an error by its number.
type meaning struct {
	code   string
	scope  refusal.Scope
	remedy string
}

var meanings = allMeanings()

func allMeanings() map[int]meaning {
	found := map[int]meaning{}
	all := func(m meaning, codes ...int) {
		for _, c := range codes {
			found[c] = m
		}
	}
	all(meaning{warehouse.CodeAuth, refusal.Warehouse, "check the user, the password, and from where the user may sign in"}, 192, 193, 194, 195, 516, 561)
	all(meaning{warehouse.CodeAuth, refusal.Warehouse, "give the user what the set-up guide of this kind lists"}, databaseDenied, accessDenied, readOnly, 392, 683)
	all(meaning{warehouse.CodeUnreachable, refusal.Warehouse, "make the database, or correct the setting database"}, 81)
	all(meaning{warehouse.CodeUnreachable, refusal.Warehouse, "the server takes no further statement for now: the next load tries it again"}, 201, 202, 203, 209, 210, 225, 236, 242, 252, 279, 285, 319, 394, 410, 415, 425, 439, 745, 999)
	all(meaning{warehouse.CodeFailed, refusal.Warehouse, "the server's disk is full, or its limit of memory is reached"}, 241, 243)
	all(meaning{warehouse.CodeSlow, refusal.Warehouse, ""}, 159, 160)
	all(meaning{warehouse.CodeFailed, refusal.Busy, "another load writes into the table"}, sameQueryID, 473, 517)
	all(meaning{warehouse.CodeFailed, refusal.Rows, ""}, 469, 131, 69, 407, 6, 27, 38, 41, 72, 190)
	all(meaning{warehouse.CodeSchema, refusal.Table, ""}, 8, 10, 15, 16, 20, 36, 42, 43, 44, 46, 47, 48, 50, 53, 57, 60, 62, 70, 80, 122, 198, 218, 349, 352, 386, 422, 423, 431, 450, 524, 719)
	return found
}

// failure gives an error its code and scope; code is that of others.
func failure(code string, err error) error {
	var e *apiError
	if err == nil || !errors.As(err, &e) {
		return warehouse.Fail(code, err)
	}
	m, ok := meanings[e.code]
	switch {
	case ok && m.remedy != "":
		err = fmt.Errorf("%w (%s)", err, m.remedy)
	case ok:
	case e.code == 0 && e.status == http.StatusUnauthorized, e.code == 0 && e.status == http.StatusForbidden:
		m.code = warehouse.CodeAuth
	case e.code == 0: // no ClickHouse answered
		m.code = warehouse.CodeUnreachable
	default:
		m.code = code
	}
	return warehouse.Fail(m.code, refusal.Wrap(m.scope, err))
}

// refused gives an error of a customer's statement its code: what the server says against
// one is the customer's, but for what the server or the user lacks.
func refused(err error) error {
	var e *apiError
	if !errors.As(err, &e) {
		return failure(warehouse.CodeFailed, err)
	}
	f := failure(warehouse.CodeFailed, err)
	switch code := warehouse.CodeOf(f); {
	case code == warehouse.CodeUnreachable, code == warehouse.CodeAuth && e.code != databaseDenied && e.code != accessDenied && e.code != readOnly:
		return f
	case code == warehouse.CodeSchema:
		return warehouse.Refuse(code, err)
	}
	return warehouse.Refuse(warehouse.CodeFailed, err)
}
