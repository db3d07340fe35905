package googlesheets_test

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/tools/txtar"

	"weir/dataplane/destination/destinationtest"
)

// The clock of the tests, and the spreadsheet.
var now = destinationtest.Now()

const spreadsheet = "1aBcD-eFgH_12345"

// credentials are those of the cases: the file of the key of a service account that there
// is not.
var credentials = sync.OnceValue(func() string {
	archive, err := txtar.ParseFile("testdata/upsert.txtar")
	if err != nil {
		panic(err)
	}
	var secrets struct{ Credentials string }
	for _, f := range archive.Files {
		if f.Name == "secrets.json" {
			err = json.Unmarshal(f.Data, &secrets)
		}
	}
	if err != nil || secrets.Credentials == "" {
		panic(fmt.Sprint("no credentials in the case: ", err))
	}
	return secrets.Credentials
})

// key is the key in credentials.
var key = sync.OnceValue(func() *rsa.PrivateKey {
	var file struct {
		Key string `json:"private_key"`
	}
	err := json.Unmarshal([]byte(credentials()), &file)
	if err == nil {
		var k *rsa.PrivateKey
		if k, err = jwt.ParseRSAPrivateKeyFromPEM([]byte(file.Key)); err == nil {
			return k
		}
	}
	panic(err)
})

// sheets is a spreadsheet with the sheet "It's mine" and its token endpoint, which refuse
// what those of Google refuse. Cells are nil, string, float64 or bool.
type sheets struct {
	*httptest.Server
	t testing.TB

	mu      sync.Mutex
	cells   [][]any // rows of the grid, all as wide
	frozen  int
	tokens  int // given so far; the last one alone is good
	refuses func(method string) (status int, body string)
	asked   []string // methods
}

// newSheets returns a grid of rows and columns with what cells say.
func newSheets(t testing.TB, rows, columns int, cells ...[]any) *sheets {
	s := &sheets{t: t}
	for range rows {
		s.cells = append(s.cells, make([]any, columns))
	}
	for i, r := range cells {
		copy(s.cells[i], r)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// dial leads every address to the stand-in.
func (s *sheets) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
}

// rows are those of the grid that are not empty, without empty cells at their end.
func (s *sheets) rows() (all [][]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.cells {
		n := len(r)
		for n > 0 && r[n-1] == nil {
			n--
		}
		all = append(all, slices.Clone(r[:n]))
	}
	for len(all) > 0 && len(all[len(all)-1]) == 0 {
		all = all[:len(all)-1]
	}
	return all
}

func (s *sheets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fail := func(status int, word, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"status":%q,"message":%q}}`, status, word, text)
	}
	if r.URL.Path == "/token" {
		s.token(w, r, string(body))
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, "/v4/spreadsheets/"+spreadsheet)
	switch {
	case r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", s.tokens):
		fail(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
		return
	case !ok:
		fail(404, "NOT_FOUND", "Requested entity was not found.")
		return
	}
	s.asked = append(s.asked, r.Method)
	if s.refuses != nil {
		if status, text := s.refuses(r.Method); status != 0 {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return
		}
	}
	q := r.URL.Query()
	var answer any
	switch {
	case r.Method == http.MethodGet && rest == "" && q.Get("ranges") == "'It''s mine'!1:1" && strings.HasPrefix(q.Get("fields"), "sheets(properties("):
		answer = s.first()
	case r.Method == http.MethodGet && rest == "":
		fail(400, "INVALID_ARGUMENT", "Unable to parse range: "+q.Get("ranges"))
		return
	case r.Method == http.MethodGet && strings.HasPrefix(rest, "/values/") && q.Get("majorDimension") == "COLUMNS" && q.Get("valueRenderOption") == "UNFORMATTED_VALUE":
		column := regexp.MustCompile(`^/values/'It''s mine'!([A-Z]+):([A-Z]+)$`).FindStringSubmatch(rest)
		if column == nil || column[1] != column[2] {
			fail(400, "INVALID_ARGUMENT", "Unable to parse range: "+rest)
			return
		}
		answer = s.column(column[1])
	case r.Method == http.MethodPost && rest == ":batchUpdate" && r.Header.Get("Content-Type") == "application/json":
		if text := s.batch(body); text != "" {
			fail(400, "INVALID_ARGUMENT", text)
			return
		}
		answer = map[string]string{"spreadsheetId": spreadsheet}
	default:
		fail(404, "NOT_FOUND", "unknown method")
		return
	}
	_ = json.NewEncoder(w).Encode(answer) // the client has gone
}

// token answers as https://developers.google.com/identity/protocols/oauth2/service-account#httprest says.
func (s *sheets) token(w http.ResponseWriter, r *http.Request, body string) {
	form := map[string]string{}
	for part := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(part, "=")
		form[name] = value
	}
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(form["assertion"], claims, func(*jwt.Token) (any, error) { return key().Public(), nil }, jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"RS256"}))
	if err != nil || form["grant_type"] != "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" || claims["scope"] != "https://www.googleapis.com/auth/spreadsheets" || claims["aud"] != "http://oauth2.example.com/token" || r.Method != http.MethodPost {
		w.WriteHeader(400)
		_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
		return
	}
	s.tokens++
	fmt.Fprintf(w, `{"access_token":"token-%d","expires_in":3599,"token_type":"Bearer"}`, s.tokens)
}

// first is the sheet's properties and its first row.
func (s *sheets) first() any {
	var values []any
	for _, c := range s.cells[0] {
		v := map[string]any{}
		switch c := c.(type) {
		case string:
			v["effectiveValue"] = map[string]any{"stringValue": c}
		case float64:
			v["effectiveValue"] = map[string]any{"numberValue": c}
		case bool:
			v["effectiveValue"] = map[string]any{"boolValue": c}
		}
		values = append(values, v)
	}
	grid := map[string]any{"rowCount": len(s.cells), "columnCount": len(s.cells[0])}
	if s.frozen > 0 {
		grid["frozenRowCount"] = s.frozen
	}
	return map[string]any{"sheets": []any{map[string]any{
		"properties": map[string]any{"sheetId": 77, "title": "It's mine", "gridProperties": grid},
		"data":       []any{map[string]any{"rowData": []any{map[string]any{"values": values}}}},
	}}}
}

// column is the values of a column, without empty ones at its end.
func (s *sheets) column(name string) any {
	at := 0
	for _, c := range name {
		at = at*26 + int(c-'A') + 1
	}
	var values []any
	for _, r := range s.cells {
		v := r[at-1]
		if v == nil {
			v = ""
		}
		values = append(values, v)
	}
	for len(values) > 0 && values[len(values)-1] == "" {
		values = values[:len(values)-1]
	}
	if len(values) == 0 {
		return map[string]any{"range": name}
	}
	return map[string]any{"range": name, "values": [][]any{values}}
}

type cellData struct {
	Value *struct {
		Text   *string  `json:"stringValue"`
		Number *float64 `json:"numberValue"`
		Bool   *bool    `json:"boolValue"`
	} `json:"userEnteredValue"`
}

type rowData struct {
	Values []cellData `json:"values"`
}

// change is a Request of spreadsheets.batchUpdate.
type change struct {
	Update *struct {
		Start struct {
			Sheet  int `json:"sheetId"`
			Row    int `json:"rowIndex"`
			Column int `json:"columnIndex"`
		} `json:"start"`
		Rows   []rowData `json:"rows"`
		Fields string    `json:"fields"`
	} `json:"updateCells"`
	Append *struct {
		Sheet  int       `json:"sheetId"`
		Rows   []rowData `json:"rows"`
		Fields string    `json:"fields"`
	} `json:"appendCells"`
	More *struct {
		Sheet     int    `json:"sheetId"`
		Dimension string `json:"dimension"`
		Length    int    `json:"length"`
	} `json:"appendDimension"`
	Delete *struct {
		Range struct {
			Sheet     int    `json:"sheetId"`
			Dimension string `json:"dimension"`
			Start     int    `json:"startIndex"`
			End       int    `json:"endIndex"`
		} `json:"range"`
	} `json:"deleteDimension"`
}

// batch makes the changes of a request, all or none; it returns what is wrong with one.
func (s *sheets) batch(body []byte) string {
	var in struct {
		Requests []change `json:"requests"`
	}
	if err := destinationtest.Strict(body, &in); err != nil || len(in.Requests) == 0 {
		return fmt.Sprintf("Must specify at least one request: %v", err)
	}
	was := make([][]any, len(s.cells))
	for i := range s.cells {
		was[i] = slices.Clone(s.cells[i])
	}
	for i, c := range in.Requests {
		if text := s.apply(c); text != "" {
			s.cells = was
			return fmt.Sprintf("Invalid requests[%d]: %s", i, text)
		}
	}
	return ""
}

func (s *sheets) apply(c change) string {
	width := len(s.cells[0])
	switch {
	case c.Update != nil:
		u := c.Update
		if u.Fields != "userEnteredValue" || u.Start.Sheet != 77 || len(u.Rows) == 0 {
			return "updateCells: fields"
		}
		for i, r := range u.Rows {
			if u.Start.Row+i >= len(s.cells) || u.Start.Column+len(r.Values) > width {
				return "updateCells: Attempting to write row or column beyond the grid"
			}
			for j, v := range r.Values {
				var text string
				if s.cells[u.Start.Row+i][u.Start.Column+j], text = v.read(); text != "" {
					return text
				}
			}
		}
	case c.Append != nil:
		if c.Append.Fields != "userEnteredValue" || c.Append.Sheet != 77 || len(c.Append.Rows) == 0 {
			return "appendCells: fields"
		}
		last := len(s.cells)
		for last > 0 && !slices.ContainsFunc(s.cells[last-1], func(v any) bool { return v != nil }) {
			last--
		}
		for i, r := range c.Append.Rows {
			if len(r.Values) > width {
				return "appendCells: beyond the grid"
			}
			if last+i >= len(s.cells) {
				s.cells = append(s.cells, make([]any, width))
			}
			for j, v := range r.Values {
				var text string
				if s.cells[last+i][j], text = v.read(); text != "" {
					return text
				}
			}
		}
	case c.More != nil:
		if c.More.Sheet != 77 || c.More.Length < 1 {
			return "appendDimension"
		}
		if c.More.Dimension == "ROWS" {
			for range c.More.Length {
				s.cells = append(s.cells, make([]any, width))
			}
			return ""
		}
		for i := range s.cells {
			s.cells[i] = append(s.cells[i], make([]any, c.More.Length)...)
		}
	case c.Delete != nil:
		d := c.Delete.Range
		if d.Sheet != 77 || d.Dimension != "ROWS" || d.Start < 0 || d.End > len(s.cells) || d.Start >= d.End {
			return "deleteDimension: no such range"
		}
		if len(s.cells)-(d.End-d.Start) <= s.frozen || len(s.cells)-(d.End-d.Start) < 1 {
			return "deleteDimension: Sorry, it is not possible to delete all non-frozen rows."
		}
		s.cells = slices.Delete(s.cells, d.Start, d.End)
	default:
		return "no request"
	}
	return ""
}

// read is what a cell has then, or what is wrong.
func (c cellData) read() (any, string) {
	if c.Value == nil {
		return nil, ""
	}
	v := c.Value
	switch {
	case v.Text != nil && v.Number == nil && v.Bool == nil:
		if len([]rune(*v.Text)) > 50000 {
			return nil, "Your input contains more than the maximum of 50000 characters in a single cell."
		}
		if *v.Text == "" {
			return nil, ""
		}
		return *v.Text, ""
	case v.Number != nil && v.Text == nil && v.Bool == nil:
		return *v.Number, ""
	case v.Bool != nil && v.Text == nil && v.Number == nil:
		return *v.Bool, ""
	}
	return nil, "userEnteredValue: one of the values has to be set"
}
