// Package googlesheets keeps rows of a sheet of Google Sheets. A batch reads the first row
// and the column of the identifiers, and is one request of changes, which Google makes
// together or not at all. Values are written as what they are: a text is never a formula.
//
// Sources: https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/request,
// https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets/other#ExtendedValue,
// https://developers.google.com/workspace/sheets/api/limits (two reads and a write for each batch).
package googlesheets

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/serviceaccount"
	"weir/dataplane/destination/trust"
	"weir/dataplane/httpsend"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind google-sheets.
var Kind = destination.DefineSink(spec, open)

// scope is what access tokens are asked for.
const scope = "https://www.googleapis.com/auth/spreadsheets"

// Sizes of answers, in bytes, and how long before its end a token is not used any more.
const (
	maxAnswer = 32 << 20
	maxDetail = 1 << 10
	early     = time.Minute
)

// sink is an open destination.
type sink struct {
	settings    Settings
	account     serviceaccount.Account
	api, tokens *httpsend.Transport
	now         func() time.Time

	mu    sync.Mutex // one batch at a time
	token string
	until time.Time // of token
}

// Check wants the key of a service account.
func (s *Settings) Check() []fault.Problem {
	if text := s.Secrets.Credentials.Reveal(); text != "" {
		if _, err := serviceaccount.Parse(text); err != nil {
			return []fault.Problem{{Path: "secrets.credentials", Code: "malformed", Text: "The secret credentials " + err.Error() + "."}}
		}
	}
	return nil
}

func open(_ context.Context, s Settings, d destination.Deps) (destination.Sink, error) {
	account, err := serviceaccount.Parse(s.Secrets.Credentials.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the secret credentials %w", err)
	}
	secured, err := trust.Of(s.SSLRootCert, s.SSLCert, s.Secrets.SSLKey)
	if err != nil {
		return nil, err
	}
	c := httpsend.Config{Dial: d.Dial, Standard: true}
	tokens := httpsend.New(c)
	if secured != nil {
		c.TLS = secured.Config
	}
	return &sink{settings: s, account: account, api: httpsend.New(c), tokens: tokens, now: d.Now}, nil
}

// refusal is what Google says against a request: a verdict on all rows of the batch.
type refusal struct{ verdict destination.Verdict }

func (r *refusal) Error() string { return r.verdict.Code }

func refused(outcome destination.Outcome, code, detail string) error {
	return &refusal{destination.Verdict{Outcome: outcome, Code: code, Detail: detail}}
}

// Write makes the changes of the batch.
func (s *sink) Write(ctx context.Context, b destination.Batch) ([]destination.Verdict, error) {
	verdicts := make([]destination.Verdict, len(b.Items))
	set := func(item int, v destination.Verdict) {
		v.Item = item
		verdicts[item] = v
	}
	var rows []*row
	for i := range b.Items {
		r, v := read(i, &b.Items[i])
		if v.Outcome == 0 {
			rows = append(rows, r)
			v.Outcome = destination.Delivered
		}
		set(i, v)
	}
	if len(rows) == 0 {
		return verdicts, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(rows) > 0 {
		var now, later []*row
		for _, r := range rows { // what one request changes has one column of identifiers, and a row once
			if len(now) > 0 && (r.column != now[0].column || r.key != "" && has(now, r.key)) {
				later = append(later, r)
				continue
			}
			now = append(now, r)
		}
		err := s.change(ctx, now, set)
		var no *refusal
		switch {
		case errors.As(err, &no):
			for _, r := range rows { // those behind it are not tried
				set(r.item, no.verdict)
			}
			return verdicts, nil
		case err != nil:
			return nil, err
		}
		rows = later
	}
	return verdicts, nil
}

// change makes the changes of rows.
func (s *sink) change(ctx context.Context, rows []*row, set func(int, destination.Verdict)) error {
	g, err := s.grid(ctx)
	if err != nil {
		return err
	}
	if rows[0].column != "" {
		if at, there := g.columns[rows[0].column]; there {
			if g.keys, err = s.keys(ctx, at); err != nil {
				return err
			}
		} else if len(g.columns) > 0 {
			for _, r := range rows {
				set(r.item, destination.Verdict{Outcome: destination.Dead, Code: CodeNoColumn, Detail: "The first row of the sheet has no cell " + r.column + "."})
			}
			return nil
		}
	}
	changes, missing := g.plan(rows)
	for _, r := range missing {
		set(r.item, destination.Verdict{Outcome: destination.Dead, Code: CodeNoRow})
	}
	if len(changes) == 0 {
		return nil
	}
	body, err := json.Marshal(map[string]any{"requests": changes})
	if err != nil {
		return err
	}
	_, err = s.ask(ctx, http.MethodPost, ":batchUpdate?fields=spreadsheetId", body)
	return err
}

// tab is the sheet's name in A1 notation.
func (s *sink) tab() string { return "'" + strings.ReplaceAll(s.settings.Sheet, "'", "''") + "'" }

// grid asks for the sheet's size and its first row.
func (s *sink) grid(ctx context.Context) (*grid, error) {
	query := url.Values{"ranges": {s.tab() + "!1:1"}, "fields": {"sheets(properties(sheetId,title,gridProperties(rowCount,columnCount,frozenRowCount)),data(rowData(values(effectiveValue))))"}}
	text, err := s.ask(ctx, http.MethodGet, "?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Sheets []struct {
			Properties struct {
				SheetID int64  `json:"sheetId"`
				Title   string `json:"title"`
				Grid    struct {
					Rows    int `json:"rowCount"`
					Columns int `json:"columnCount"`
					Frozen  int `json:"frozenRowCount"`
				} `json:"gridProperties"`
			} `json:"properties"`
			Data []struct {
				Rows []struct {
					Values []struct {
						Value value `json:"effectiveValue"`
					} `json:"values"`
				} `json:"rowData"`
			} `json:"data"`
		} `json:"sheets"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Sheets) != 1 || answer.Sheets[0].Properties.Title != s.settings.Sheet {
		return nil, refused(destination.Retry, CodeNoSheet, "The spreadsheet has no sheet "+s.settings.Sheet+".")
	}
	p := answer.Sheets[0].Properties
	g := &grid{sheet: p.SheetID, rows: p.Grid.Rows, width: p.Grid.Columns, frozen: p.Grid.Frozen, columns: map[string]int{}, keys: map[string]int{}}
	for _, d := range answer.Sheets[0].Data {
		for _, r := range d.Rows {
			for i, v := range r.Values {
				if name := v.Value.text(); name != "" {
					if _, twice := g.columns[name]; !twice {
						g.columns[name] = i
					}
					g.used = i + 1
				}
			}
		}
	}
	return g, nil
}

// keys asks for the rows by what stands in a column, from 0. Of equal ones the first counts.
func (s *sink) keys(ctx context.Context, column int) (map[string]int, error) {
	name := letters(column)
	query := url.Values{"majorDimension": {"COLUMNS"}, "valueRenderOption": {"UNFORMATTED_VALUE"}, "dateTimeRenderOption": {"FORMATTED_STRING"}}
	text, err := s.ask(ctx, http.MethodGet, "/values/"+url.PathEscape(s.tab()+"!"+name+":"+name)+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Values [][]json.RawMessage `json:"values"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, refused(destination.Retry, CodeTooLarge, "")
	}
	all := map[string]int{}
	for _, c := range answer.Values {
		for i, raw := range c {
			if key := textOf(raw); i > 0 && key != "" {
				if _, twice := all[key]; !twice {
					all[key] = i
				}
			}
		}
	}
	return all, nil
}

// ask sends a request about the spreadsheet, once more with another token where that is
// refused.
func (s *sink) ask(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	for again := false; ; again = true {
		token, err := s.access(ctx)
		if err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, method, s.settings.Base+"/v4/spreadsheets/"+s.settings.SpreadsheetID+path, bytes.NewReader(body))
		if err != nil {
			return nil, errors.New("the address is none")
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("User-Agent", "Weir/1")
		if len(body) > 0 {
			req.Header.Set("Content-Type", "application/json")
		}
		status, text, err := exchange(s.api, req)
		if err != nil {
			return nil, err
		}
		switch {
		case status == http.StatusOK && len(text) > maxAnswer:
			return nil, refused(destination.Retry, CodeTooLarge, "")
		case status == http.StatusOK:
			return text, nil
		case status == http.StatusUnauthorized && !again:
			s.token = ""
			continue
		}
		return nil, ofAnswer(status, text)
	}
}

// exchange sends a request and reads its answer, a byte more than maxAnswer at most.
func exchange(by *httpsend.Transport, req *http.Request) (status int, text []byte, err error) {
	res, err := by.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }() // what counts was read
	text, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	return res.StatusCode, text, err
}

// ofAnswer is what an answer means that is not 200: all of it is about the spreadsheet, and
// none about a row.
func ofAnswer(status int, text []byte) error {
	var answer struct {
		Error struct{ Message string }
	}
	_ = json.Unmarshal(text, &answer) // what is not read says nothing
	detail := answer.Error.Message
	detail = strings.ToValidUTF8(detail[:min(len(detail), maxDetail)], "")
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusBadRequest && strings.Contains(detail, "protected"):
		return refused(destination.Retry, CodeDenied, detail)
	case status == http.StatusNotFound || status == http.StatusBadRequest && strings.Contains(detail, "Unable to parse range"):
		return refused(destination.Retry, CodeNoSheet, detail)
	case status == http.StatusBadRequest:
		return refused(destination.Retry, CodeRefused, detail)
	}
	v := destination.Classify(destination.Request{Items: []int{0}}, destination.Response{Status: status})[0]
	return refused(destination.Retry, v.Code, detail)
}

// access returns a token, a new one where there is none that is good.
func (s *sink) access(ctx context.Context) (string, error) {
	now := s.now()
	if s.token != "" && now.Before(s.until) {
		return s.token, nil
	}
	assertion, err := s.account.Assertion(scope, now)
	if err != nil {
		return "", errors.New("the assertion could not be signed")
	}
	form := url.Values{"grant_type": {serviceaccount.Grant}, "assertion": {assertion}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.account.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return "", errors.New("the address of tokens is none")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Weir/1")
	status, text, err := exchange(s.tokens, req)
	if err != nil {
		return "", err
	}
	var answer struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if status != http.StatusOK || json.Unmarshal(text, &answer) != nil || answer.Token == "" {
		if status >= 500 || status == http.StatusTooManyRequests {
			return "", ofAnswer(status, nil)
		}
		return "", refused(destination.Retry, "token_refused", "Google gives no access token for these credentials.")
	}
	s.token, s.until = answer.Token, now.Add(time.Duration(answer.Expires)*time.Second-early)
	return s.token, nil
}

// Test asks for the sheet's first row.
func (s *sink) Test(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.grid(ctx)
	var no *refusal
	if errors.As(err, &no) {
		return fmt.Errorf("%s: %s", no.verdict.Code, no.verdict.Detail)
	}
	return err
}

// Close closes idle connections.
func (s *sink) Close() error {
	s.api.CloseIdleConnections()
	s.tokens.CloseIdleConnections()
	return nil
}

// Preview returns the rows of a batch as requests: what is done as method, the sheet as
// address, and the cells by their columns as body.
func (s *sink) Preview(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	for i := range b.Items {
		r, v := read(i, &b.Items[i])
		if v.Outcome != 0 {
			v.Item = i
			verdicts = append(verdicts, v)
			continue
		}
		body, _ := json.Marshal(r.shown) // JSON always encodes
		reqs = append(reqs, destination.Request{
			Method: strings.ToUpper(r.do), URL: "https://docs.google.com/spreadsheets/d/" + s.settings.SpreadsheetID + "/edit#" + url.PathEscape(s.settings.Sheet), Body: body, Items: []int{i},
		})
	}
	return reqs, verdicts
}
