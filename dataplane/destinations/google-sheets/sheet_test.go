package googlesheets_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/dataplane/destination/cases"
	"weir/dataplane/destination/destinationtest"
	googlesheets "weir/dataplane/destinations/google-sheets"
	"weir/dataplane/event"
	"weir/dataplane/syncs/syncstest"
	"weir/shared/egress"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

func (s *sheets) deps() destination.Deps {
	return destination.Deps{Dial: s.dial, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)}
}

func settings(sheet string) string {
	return fmt.Sprintf(`{"spreadsheetId":%q,"sheet":%q,"baseUrl":"http://sheets.example.com"}`, spreadsheet, sheet)
}

func (s *sheets) opened() destination.Opened {
	s.t.Helper()
	o, err := googlesheets.Kind().Open([]byte(settings("It's mine")), map[string]secret.String{"credentials": secret.NewString(credentials())})
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *sheets) sink() destination.Sink {
	s.t.Helper()
	to, err := s.opened().Sink(s.t.Context(), s.deps())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = to.Close() })
	return to
}

func TestContract(t *testing.T) {
	t.Parallel()
	s := newSheets(t, 2, 2)
	destinationtest.CheckSink(t, destinationtest.Sink{
		Opened: s.opened(), Deps: s.deps(), Break: func(bool) {}, Taken: func() []id.Event { return nil }, // events are no rows
	})
}

// TestCases has the sheet of each case: people with a column of somebody else's in between.
func TestCases(t *testing.T) {
	t.Parallel()
	destinationtest.SinkCases(t, googlesheets.Kind(), ".", func(t testing.TB) destinationtest.Side {
		s := newSheets(t, 5, 4, []any{"email", "plan", "note", "score"}, []any{"ada@example.com", "free", "of Eve's", 1.0}, []any{"bob@example.com", "pro", nil, 2.0}, []any{42.0, "free"})
		if strings.HasSuffix(t.Name(), "/empty") {
			s = newSheets(t, 1, 1)
		}
		before := s.rows()
		return destinationtest.Side{Deps: s.deps(), Arrived: func() (lines []string) {
			if cmp.Equal(before, s.rows()) {
				return nil
			}
			for _, r := range s.rows() {
				b, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, string(b))
			}
			return lines
		}}
	})
}

// TestSyncs has the rows of a model in a sheet, whatever is lost on the way, beside columns
// and rows of somebody else's.
func TestSyncs(t *testing.T) {
	t.Parallel()
	s := newSheets(t, 3, 2, []any{"note"}, []any{"kept"})
	s.frozen = 1
	s.cells[0][1] = "id"
	syncstest.Keeps(t, syncstest.Kept{
		Opened: s.opened(), Deps: s.deps(), Sync: activation.Sync{Object: "row"}, NoEmpty: true,
		Records: func() map[string]string {
			all, rows := map[string]string{}, s.rows()
			if len(rows) < 2 || rows[1][0] != "kept" {
				t.Fatalf("the row of somebody else's is gone: %v", rows)
			}
			for _, r := range rows[2:] {
				fields := map[string]any{}
				for i, name := range rows[0] {
					if fields[name.(string)] = nil; i < len(r) {
						fields[name.(string)] = r[i]
					}
				}
				key := fmt.Sprint(fields["id"])
				delete(fields, "id")
				delete(fields, "note")
				b, _ := json.Marshal(fields)
				if all[key] != "" {
					t.Fatalf("two rows have the key %s", key)
				}
				all[key] = string(b)
			}
			return all
		},
		Break: func(broken bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.refuses = nil; broken {
				s.refuses = func(method string) (int, string) {
					if method == http.MethodPost {
						return 403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"The caller does not have permission"}}`
					}
					return 0, ""
				}
			}
		},
	}, 5)
}

func batch(records ...string) destination.Batch {
	b := destination.Batch{Now: now}
	for i, r := range records {
		b.Items = append(b.Items, destination.Item{Event: event.Event{MessageID: id.Event(fmt.Sprint("m", i)), Type: "record", JSON: []byte(r)}, Attempt: 1})
	}
	return b
}

func record(action, mode, email, fields string) string {
	return fmt.Sprintf(`{"type":"record","action":%q,"mode":%q,"object":"row","key":"k","identifiers":{"email":%q},"fields":{%s}}`, action, mode, email, fields)
}

// TestAnswersOfGoogle has an outcome and a code for what Google answers.
func TestAnswersOfGoogle(t *testing.T) {
	t.Parallel()
	say := func(status int, word, text string) func(string) (int, string) {
		return func(string) (int, string) {
			return status, fmt.Sprintf(`{"error":{"code":%d,"status":%q,"message":%q}}`, status, word, text)
		}
	}
	for name, tc := range map[string]struct {
		answer func(string) (int, string)
		want   string
	}{
		"all is well":       {nil, "delivered "},
		"not shared":        {say(403, "PERMISSION_DENIED", "The caller does not have permission"), "retry google_sheets_denied"},
		"a protected range": {say(400, "INVALID_ARGUMENT", "Invalid requests[0].updateCells: You are trying to edit a protected cell or object."), "retry google_sheets_denied"},
		"no spreadsheet":    {say(404, "NOT_FOUND", "Requested entity was not found."), "retry google_sheets_no_sheet"},
		"no sheet":          {say(400, "INVALID_ARGUMENT", "Unable to parse range: 'It''s mine'!1:1"), "retry google_sheets_no_sheet"},
		"too many cells":    {say(400, "INVALID_ARGUMENT", "This action would increase the number of cells in the workbook above the limit of 10000000 cells."), "retry google_sheets_refused"},
		"too many requests": {say(429, "RESOURCE_EXHAUSTED", "Quota exceeded"), "retry busy"},
		"unavailable":       {say(503, "UNAVAILABLE", "The service is currently unavailable."), "retry server_error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSheets(t, 3, 2, []any{"email", "plan"})
			s.refuses = tc.answer
			to := s.sink()
			verdicts, err := to.Write(t.Context(), batch(record("insert", "upsert", "a@example.com", `"plan":"x"`)))
			v := destination.Wrote(1, verdicts, err)[0]
			if got := cases.Outcome(v.Outcome) + " " + v.Code; got != tc.want {
				t.Errorf("%s: %v, want %s", got, err, tc.want)
			}
			if test := to.(interface{ Test(context.Context) error }).Test(t.Context()); (test == nil) != (tc.answer == nil) {
				t.Errorf("Test = %v", test)
			}
		})
	}
}

// TestATokenThatIsRefused is replaced once.
func TestATokenThatIsRefused(t *testing.T) {
	t.Parallel()
	s := newSheets(t, 3, 2, []any{"email", "plan"})
	to := s.sink()
	write := func() destination.Verdict {
		verdicts, err := to.Write(t.Context(), batch(record("insert", "upsert", "a@example.com", `"plan":"x"`)))
		return destination.Wrote(1, verdicts, err)[0]
	}
	if v := write(); v.Outcome != destination.Delivered || s.tokens != 1 {
		t.Errorf("%+v with %d tokens, want one", v, s.tokens)
	}
	if write(); s.tokens != 1 {
		t.Errorf("%d tokens for two batches, want one", s.tokens)
	}
	s.tokens++ // the one that is kept is good no more
	if v := write(); v.Outcome != destination.Delivered || s.tokens != 3 {
		t.Errorf("%+v with %d tokens, want it written with a new one", v, s.tokens)
	}
}

// TestABatchAsksThreeTimes: two requests read and one writes, however many rows there are.
func TestABatchAsksThreeTimes(t *testing.T) {
	t.Parallel()
	s := newSheets(t, 2, 2, []any{"email", "plan"})
	var rows []string
	for i := range 1000 {
		rows = append(rows, record("insert", "upsert", fmt.Sprintf("a%d@example.com", i), `"plan":"x"`))
	}
	for range 2 {
		verdicts, err := s.sink().Write(t.Context(), batch(rows...))
		for _, v := range destination.Wrote(1000, verdicts, err) {
			if v.Outcome != destination.Delivered {
				t.Fatalf("%+v, %v", v, err)
			}
		}
	}
	if want := []string{"GET", "GET", "POST", "GET", "GET", "POST"}; !slices.Equal(s.asked, want) || len(s.rows()) != 1001 {
		t.Errorf("%d rows by %v, want 1001 by %v", len(s.rows()), s.asked, want)
	}
}

// TestEgress wants an address that is private to be refused where the plane forbids it.
func TestEgress(t *testing.T) {
	t.Parallel()
	s := newSheets(t, 1, 1)
	o, err := googlesheets.Kind().Open([]byte(strings.Replace(settings("a"), "http://sheets.example.com", s.URL, 1)),
		map[string]secret.String{"credentials": secret.NewString(strings.Replace(credentials(), "http://oauth2.example.com", s.URL, 1))})
	if err != nil {
		t.Fatal(err)
	}
	to, err := o.Sink(t.Context(), destination.Deps{Dial: egress.New(egress.Policy{}).DialContext, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	verdicts, err := to.Write(t.Context(), batch(record("insert", "upsert", "a@example.com", `"plan":"x"`)))
	if v := destination.Wrote(1, verdicts, err)[0]; v.Code != "egress_denied" {
		t.Errorf("%+v, %v, want egress_denied", v, err)
	}
}

// TestAServerThatHangs wants a write to end with its context.
func TestAServerThatHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s := newSheets(t, 1, 1)
	to, err := s.opened().Sink(t.Context(), destination.Deps{Now: time.Now, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, listener.Addr().String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := to.Write(ctx, batch(record("insert", "upsert", "a@example.com", `"plan":"x"`))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v, want its deadline", err)
	}
}

// TestCredentialsThatAreNone are refused when the settings are checked.
func TestCredentialsThatAreNone(t *testing.T) {
	t.Parallel()
	_, err := googlesheets.Kind().Open([]byte(settings("a")), map[string]secret.String{"credentials": secret.NewString("made-up-key")})
	if problems := fault.ProblemsOf(err); len(problems) != 1 || problems[0].Path != "secrets.credentials" || strings.Contains(fmt.Sprint(err), "made-up") {
		t.Errorf("%v", err)
	}
}
