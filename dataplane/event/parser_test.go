package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/event"
	"weir/shared/fault"
)

var stamp = event.Stamp{
	Workspace: "ws_a", Source: "src_a", RequestIP: "203.0.113.9",
	ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC),
}

const received = "2026-03-01T12:00:00.123Z"

// parse parses one event with a stamp.
func parse(t *testing.T, s event.Stamp, body string) (event.Event, event.Code) {
	t.Helper()
	var p event.Parser
	p.Begin(s, nil, len(body), 1)
	return p.Event([]byte(body))
}

// values returns the raw top-level values of an object.
func values(t *testing.T, object []byte) map[string]string {
	t.Helper()
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(object, &raw); err != nil {
		t.Fatalf("%v in %.200s", err, object)
	}
	out := map[string]string{}
	for k, v := range raw {
		out[k] = string(v)
	}
	return out
}

func TestAddedFieldsStandAtTheEndAndOverwrittenOnesInTheirPlace(t *testing.T) {
	s := stamp
	s.Type = "track"
	e, code := parse(t, s, `{"receivedAt": "x", "messageId":"m1", "userId":7 ,"type":"page","request_ip":{"a":1},"p": [1.0,  1e3] }`)
	want := `{"receivedAt": "` + received + `", "messageId":"m1", "userId":7 ,"type":"track","request_ip":"203.0.113.9","p": [1.0,  1e3] ` +
		`,"originalTimestamp":"` + received + `","timestamp":"` + received + `"}`
	if code != "" || string(e.JSON) != want {
		t.Errorf("got %q %s\nwant %s", code, e.JSON, want)
	}
	e.JSON = nil
	if diff := cmp.Diff(event.Event{
		Workspace: "ws_a", Source: "src_a", MessageID: "m1", Type: "track", User: "7",
		ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC),
	}, e); diff != "" {
		t.Error(diff)
	}
}

func TestABlankMessageIDIsReplacedByAnIDOfItsOwn(t *testing.T) {
	for _, sent := range []string{``, `"messageId":null,`, `"messageId":"",`, `"messageId":" \t",`, `"messageId":"\u0020",`, `"messageId":[1],`} {
		e, code := parse(t, stamp, `{`+sent+`"userId":"u"}`)
		if code != "" || !e.Generated || len(e.MessageID) != 36 || values(t, e.JSON)["messageId"] != `"`+string(e.MessageID)+`"` {
			t.Errorf("%s: code %q, id %q, generated %v, %s", sent, code, e.MessageID, e.Generated, e.JSON)
		}
	}
}

func TestIdsAreTrimmedTextsAndStayAsSentInTheEvent(t *testing.T) {
	for name, tc := range map[string]struct{ sent, user, message string }{
		"strings are trimmed":                  {`{"userId":" u ","messageId":" m "}`, "u", "m"},
		"numbers count":                        {`{"userId":12345678901234567890,"messageId":1.0}`, "12345678901234567890", "1.0"},
		"the anonymous id stands in":           {`{"userId":"  ","anonymousId":"a","messageId":"m"}`, "a", "m"},
		"the user id comes first":              {`{"anonymousId":"a","userId":"u","messageId":"m"}`, "u", "m"},
		"escapes are resolved, in keys too":    {`{"user\u0049d":"\u0075\n\"","messageId":"\ud83d\ude00"}`, "u\n\"", "😀"},
		"a lone surrogate keeps its own text":  {`{"userId":"\ud800","messageId":"\ud801"}`, `\ud800`, `\ud801`},
		"an id that is an object is no id":     {`{"userId":{"x":1},"anonymousId":0,"messageId":"m"}`, "0", "m"},
		"a NUL is a character like any other":  {`{"userId":"\u0000x","messageId":"m"}`, "\x00x", "m"},
		"a null user id is none":               {`{"userId":null,"anonymousId":-1.5e3,"messageId":"m"}`, "-1.5e3", "m"},
		"an id of several scripts is kept":     {`{"userId":"ünï 漢字","messageId":"m"}`, "ünï 漢字", "m"},
		"a slash that was escaped is the same": {`{"userId":"a\/b","messageId":"m"}`, "a/b", "m"},
	} {
		t.Run(name, func(t *testing.T) {
			e, code := parse(t, stamp, tc.sent)
			if code != "" || e.User != tc.user || string(e.MessageID) != tc.message || e.Generated {
				t.Errorf("%s: code %q, user %q, message %q", tc.sent, code, e.User, e.MessageID)
			}
			if !bytes.HasPrefix(e.JSON, []byte(tc.sent[:len(tc.sent)-1])) {
				t.Errorf("sent %s, got %s", tc.sent, e.JSON)
			}
		})
	}
}

func TestABadMemberIsRefusedWithItsReasonAndKeptAsItIs(t *testing.T) {
	deep := func(n int) string { // the event is a level itself
		return `{"userId":"u","p":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	many := `{"userId":"u"`
	for i := range 100 {
		many += fmt.Sprintf(`,"k%d":%d`, i, i)
	}
	for name, tc := range map[string]struct {
		sent string
		want event.Code
	}{
		"a number":                      {`12`, event.NotObject},
		"a list":                        {`[{"userId":"u"}]`, event.NotObject},
		"null":                          {`null`, event.NotObject},
		"no id":                         {`{"event":"x"}`, event.NoID},
		"an empty object":               {`{}`, event.NoID},
		"blank ids":                     {`{"userId":" ","anonymousId":"\u0020"}`, event.NoID},
		"a bad number":                  {`{"userId":"u","a":01}`, event.InvalidJSON},
		"a bad escape":                  {`{"userId":"u","a":"\x"}`, event.InvalidJSON},
		"a raw control character":       {"{\"userId\":\"u\",\"a\":\"\x00\"}", event.InvalidJSON},
		"mismatched brackets":           {`{"userId":"u","a":[}}`, event.InvalidJSON},
		"a trailing comma":              {`{"userId":"u",}`, event.InvalidJSON},
		"a key without quotes":          {`{userId:"u"}`, event.InvalidJSON},
		"a raw byte that is no UTF-8":   {"{\"userId\":\"u\xff\"}", event.InvalidUTF8},
		"a raw surrogate":               {"{\"userId\":\"u\xed\xa0\x80\"}", event.InvalidUTF8},
		"a key twice":                   {`{"userId":"u","a":1,"a":1}`, event.DuplicateKey},
		"a key twice, once with escape": {`{"userId":"u","a":1,"\u0061":1}`, event.DuplicateKey},
		"a key twice among many":        {many + `,"\u006b55":1}`, event.DuplicateKey},
		"129 levels":                    {deep(129), event.TooDeep},
		"200,000 levels":                {strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000), event.TooDeep},
		"over 1 MiB":                    {`{"userId":"` + strings.Repeat("u", event.MaxBytes) + `"}`, event.TooLarge},
		"128 levels are kept":           {deep(128), ""},
		"100 keys are kept":             {many + `}`, ""},
		"exactly 1 MiB is kept":         {`{"userId":"` + strings.Repeat("u", event.MaxBytes-13) + `"}`, ""},
		"a nested key twice is kept":    {`{"userId":"u","a":{"b":1,"b":2}}`, ""},
		"an escaped NUL is kept":        {`{"userId":"u","a":"\u0000","\u0000":1}`, ""},
		"a lone surrogate is kept":      {`{"userId":"u","a":"\udc00","\ud800":1,"\ud801":2}`, ""},
		"a number beyond float is kept": {`{"userId":"u","a":1e999}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := bytes.Clone([]byte(tc.sent))
			var b event.Batch
			if err := b.Cut([]byte(`{"batch":[` + tc.sent + `]}`)); err != nil && tc.want != event.InvalidJSON {
				t.Fatal(err)
			}
			var p event.Parser
			p.Begin(stamp, nil, len(s), 1)
			e, code := p.Event(s)
			if code != tc.want || e.Quarantine != string(tc.want) {
				t.Fatalf("%.80s: got %q, quarantine %q, want %q", tc.sent, code, e.Quarantine, tc.want)
			}
			if e.MessageID == "" || e.Workspace == "" || e.Source == "" || e.ReceivedAt.IsZero() {
				t.Errorf("an event lacks what every event has: %q %q %q", e.MessageID, e.Workspace, e.Source)
			}
			clear(s) // the event may not share memory with the body
			if code != "" && string(e.JSON) != tc.sent {
				t.Errorf("the bytes in quarantine are not those that were sent: %.80q", e.JSON)
			}
			if code == "" && !json.Valid(e.JSON) {
				t.Errorf("no JSON: %.200s", e.JSON)
			}
		})
	}
}

func TestTimes(t *testing.T) {
	const T0, T1, T2 = "2026-03-01T10:00:00.000Z", "2026-03-01T11:00:00.000Z", "2026-03-01T11:30:00.000Z"
	for name, tc := range map[string]struct {
		sent, batch                 string
		keep                        bool
		original, timestamp, sentAt string
		bad                         string
	}{
		"without times both are the arrival":            {``, ``, false, received, received, ``, ``},
		"without times a sentAt moves nothing":          {`"sentAt":"` + T1 + `"`, ``, false, received, received, T1, ``},
		"an original time is corrected by sentAt":       {`"originalTimestamp":"` + T0 + `","sentAt":"` + T1 + `"`, ``, false, T0, "2026-03-01T11:00:00.123Z", T1, ``},
		"a timestamp is the original and corrected":     {`"timestamp":"` + T0 + `","sentAt":"` + T1 + `"`, ``, false, T0, "2026-03-01T11:00:00.123Z", T1, ``},
		"with both the timestamp is kept":               {`"timestamp":"` + T2 + `","originalTimestamp":"` + T0 + `","sentAt":"` + T1 + `"`, ``, false, T0, T2, T1, ``},
		"without sentAt nothing is corrected":           {`"timestamp":"` + T0 + `"`, ``, false, T0, T0, ``, ``},
		"the batch's sentAt counts":                     {`"timestamp":"` + T0 + `"`, `"` + T1 + `"`, false, T0, "2026-03-01T11:00:00.123Z", T1, ``},
		"the member's sentAt comes first":               {`"timestamp":"` + T0 + `","sentAt":"` + T2 + `"`, `"` + T1 + `"`, false, T0, "2026-03-01T10:30:00.123Z", T2, ``},
		"a null sentAt is absent":                       {`"timestamp":"` + T0 + `","sentAt":null`, `"` + T1 + `"`, false, T0, "2026-03-01T11:00:00.123Z", T1, ``},
		"an unreadable sentAt counts as absent":         {`"timestamp":"` + T0 + `","sentAt":"soon"`, ``, false, T0, T0, `null`, `{"sentAt":"soon"}`},
		"an unreadable sentAt gives way to the batch's": {`"timestamp":"` + T0 + `","sentAt":"soon"`, `"` + T1 + `"`, false, T0, "2026-03-01T11:00:00.123Z", T1, `{"sentAt":"soon"}`},
		"an unreadable original gives way":              {`"originalTimestamp":{"a":1},"timestamp":"` + T0 + `"`, ``, false, T0, T0, ``, `{"originalTimestamp":{"a":1}}`},
		"all unreadable":                                {`"originalTimestamp":"x","timestamp":true,"sentAt":"z"`, `"w"`, false, received, received, `null`, `{"originalTimestamp":"x","timestamp":true,"sentAt":"z"}`},
		"import keeps a timestamp":                      {`"timestamp":"` + T0 + `","sentAt":"` + T1 + `"`, ``, true, T0, T0, T1, ``},
		"import corrects an original time":              {`"originalTimestamp":"` + T0 + `","sentAt":"` + T1 + `"`, ``, true, T0, "2026-03-01T11:00:00.123Z", T1, ``},
		"other forms come out in one":                   {`"originalTimestamp":"2026-03-01T12:00:00.1234567+02:00","timestamp":1772359200`, ``, false, "2026-03-01T10:00:00.123Z", T0, ``, ``},
		"a correction beyond the years is not made":     {`"timestamp":"9999-12-31","sentAt":"0003-01-01"`, ``, false, "9999-12-31T00:00:00.000Z", "9999-12-31T00:00:00.000Z", "0003-01-01T00:00:00.000Z", ``},
		"Go's zero time is absent":                      {`"timestamp":"` + T0 + `","sentAt":"0001-01-01T00:00:00Z"`, ``, false, T0, T0, `null`, `{"sentAt":"0001-01-01T00:00:00Z"}`},
		"a zero time in a zone is absent":               {`"timestamp":"` + T0 + `","sentAt":"0001-01-01T00:00:00-05:00"`, ``, false, T0, T0, `null`, `{"sentAt":"0001-01-01T00:00:00-05:00"}`},
		"a zero number is absent":                       {`"timestamp":"` + T0 + `","sentAt":0`, `"` + T1 + `"`, false, T0, "2026-03-01T11:00:00.123Z", T1, `{"sentAt":0}`},
		"the first instant of 1970 is absent":           {`"timestamp":"1970-01-01T00:00:00.000Z","sentAt":"` + T1 + `"`, ``, false, received, received, T1, `{"timestamp":"1970-01-01T00:00:00.000Z"}`},
		"a zero sentAt of the batch is absent":          {`"timestamp":"` + T0 + `"`, `"1970-01-01"`, false, T0, T0, ``, `{"sentAt":"1970-01-01"}`},
		"a zero original gives way":                     {`"originalTimestamp":"0001-01-01T00:00:00","timestamp":"` + T0 + `"`, ``, false, T0, T0, ``, `{"originalTimestamp":"0001-01-01T00:00:00"}`},
		"a correction of centuries is exact":            {`"timestamp":"1000-01-01","sentAt":"2000-01-01"`, ``, false, "1000-01-01T00:00:00.000Z", "1026-03-02T12:00:00.123Z", "2000-01-01T00:00:00.000Z", ``},
	} {
		t.Run(name, func(t *testing.T) {
			s := stamp
			s.KeepTimestamp = tc.keep
			member := `{"userId":"u"}`
			if tc.sent != "" {
				member = `{"userId":"u",` + tc.sent + `}`
			}
			body := `{"batch":[` + member + `]}`
			if tc.batch != "" {
				body = `{"sentAt":` + tc.batch + `,"batch":[` + member + `]}`
			}
			events := batch(t, s, body)
			got := values(t, events[0].JSON)
			quote := func(s string) string {
				if s == "" || s == "null" {
					return s
				}
				return `"` + s + `"`
			}
			if got["originalTimestamp"] != quote(tc.original) || got["timestamp"] != quote(tc.timestamp) || got["sentAt"] != quote(tc.sentAt) {
				t.Errorf("%s:\ngot  %s %s %s\nwant %s %s %s", body, got["originalTimestamp"], got["timestamp"], got["sentAt"],
					quote(tc.original), quote(tc.timestamp), quote(tc.sentAt))
			}
			bad := ""
			if context := got["context"]; context != "" {
				bad = values(t, []byte(values(t, []byte(context))["weir"]))["badTime"]
			}
			if bad != tc.bad {
				t.Errorf("badTime %s, want %s", bad, tc.bad)
			}
		})
	}
}

// batch parses a batch in which every member is good.
func batch(t *testing.T, s event.Stamp, body string) []event.Event {
	t.Helper()
	var b event.Batch
	if err := b.Cut([]byte(body)); err != nil {
		t.Fatalf("Cut(%.200s): %v", body, err)
	}
	var p event.Parser
	p.Begin(s, &b, len(body), len(b.Members))
	var events []event.Event
	for _, m := range b.Members {
		e, code := p.Event(m)
		if code != "" {
			t.Fatalf("%s: %s", m, code)
		}
		events = append(events, e)
	}
	return events
}

func TestUnreadableTimesKeepEveryContextThatWasSent(t *testing.T) {
	for sent, want := range map[string]string{
		`null`:                             `{"weir":{"badTime":{"timestamp":"x"}}}`,
		`{}`:                               `{"weir":{"badTime":{"timestamp":"x"}}}`,
		`{ }`:                              `{ "weir":{"badTime":{"timestamp":"x"}}}`,
		`{"a":1}`:                          `{"a":1,"weir":{"badTime":{"timestamp":"x"}}}`,
		`{"weir":{"b":1},"a":1}`:           `{"weir":{"b":1,"badTime":{"timestamp":"x"}},"a":1}`,
		`{"weir":{}}`:                      `{"weir":{"badTime":{"timestamp":"x"}}}`,
		`{"weir":7}`:                       `{"weir":{"sent":7,"badTime":{"timestamp":"x"}}}`,
		`"text"`:                           `{"context":"text","weir":{"badTime":{"timestamp":"x"}}}`,
		`[1]`:                              `{"context":[1],"weir":{"badTime":{"timestamp":"x"}}}`,
		`{"a":[{"weir":"]}"}],"z":"\"}"}`:  `{"a":[{"weir":"]}"}],"z":"\"}","weir":{"badTime":{"timestamp":"x"}}}`,
		`{"w\u0065ir":{"x":{}},"weird":1}`: `{"w\u0065ir":{"x":{},"badTime":{"timestamp":"x"}},"weird":1}`,
	} {
		e, code := parse(t, stamp, `{"userId":"u","context":`+sent+`,"timestamp":"x"}`)
		if got := values(t, e.JSON)["context"]; code != "" || got != want {
			t.Errorf("context %s: code %q\ngot  %s\nwant %s", sent, code, got, want)
		}
	}
	if e, _ := parse(t, stamp, `{"userId":"u","timestamp":"x"}`); values(t, e.JSON)["context"] != `{"weir":{"badTime":{"timestamp":"x"}}}` {
		t.Errorf("without a context: %s", e.JSON)
	}
}

func TestTheBatchStandsUnderItsMembers(t *testing.T) {
	events := batch(t, stamp, `{"context":{"a":1,"b":{"x":1},"c":"\u0063"},"integrations":{"All":false},"batch":[
		{"userId":"1"},
		{"userId":"2","context":{"b":2,"z":3},"integrations":{"All":true}},
		{"userId":"3","context":{},"integrations":{"x":true}},
		{"userId":"4","context":{"\u0061":1,"b":2,"c":3}},
		{"userId":"5","context":"text","integrations":null},
		{"userId":"6","context":null,"integrations":false},
		{"userId":"7","context":[],"integrations":[ ]}]}`)
	type pair struct{ Context, Integrations string }
	var got []pair
	for _, e := range events {
		v := values(t, e.JSON)
		got = append(got, pair{v["context"], v["integrations"]})
	}
	whole := `{"a":1,"b":{"x":1},"c":"\u0063"}`
	want := []pair{
		{whole, `{"All":false}`},
		{`{"b":2,"z":3,"a":1,"c":"\u0063"}`, `{"All":true}`},
		{whole, `{"x":true,"All":false}`},
		{`{"\u0061":1,"b":2,"c":3}`, `{"All":false}`},
		{`"text"`, `{"All":false}`},
		{whole, `false`},
		{whole, `{"All":false}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestABatchContextCannotMakeAnEventLargerThanTheLimit(t *testing.T) {
	var b event.Batch
	body := []byte(`{"context":{"a":"` + strings.Repeat("x", event.MaxBytes+8192) + `"},"batch":[{"userId":"1"},{"userId":"2","context":"none"}]}`)
	if err := b.Cut(body); err != nil {
		t.Fatal(err)
	}
	var p event.Parser
	p.Begin(stamp, &b, len(body), 2)
	e, code := p.Event(b.Members[0])
	if code != event.TooLarge || string(e.JSON) != `{"userId":"1"}` {
		t.Errorf("got %q %.80s", code, e.JSON)
	}
	if e, code = p.Event(b.Members[1]); code != "" || e.User != "2" {
		t.Errorf("the next member: got %q %.80s", code, e.JSON)
	}
}

func TestABodyThatCannotBeCutIsRefusedWhole(t *testing.T) {
	for body, want := range map[string]event.Code{
		``:                                 event.InvalidJSON,
		`  `:                               event.InvalidJSON,
		`{`:                                event.InvalidJSON,
		`{"batch":[{"userId":"u"}]`:        event.InvalidJSON,
		`{"batch":[{"userId":"u"}]} x`:     event.InvalidJSON,
		`{"batch":[{"userId":"u"},]}`:      event.InvalidJSON,
		`{"batch":[,]}`:                    event.InvalidJSON,
		`{"batch":[1 2]}`:                  event.InvalidJSON,
		`{"batch":[{"userId":"u]}`:         event.InvalidJSON,
		`{"batch":[1],"x":tru}`:            event.InvalidJSON,
		`{"batch":[1],"\x":1}`:             event.InvalidJSON,
		"{\"batch\":[1],\"x\":\"\xff\"}":   event.InvalidUTF8,
		`{"batch":[1],"batch":[2]}`:        event.DuplicateKey,
		`{"batch":[1],"b\u0061tch":[2]}`:   event.DuplicateKey,
		`{"batch":[]}`:                     event.EmptyBatch,
		`{"batch": [ ] }`:                  event.EmptyBatch,
		`{}`:                               event.NoBatch,
		`{"batch":{}}`:                     event.NoBatch,
		`{"batch":null}`:                   event.NoBatch,
		`[{"userId":"u"}]`:                 event.NoBatch,
		`"text"`:                           event.NoBatch,
		strings.Repeat("[", 4<<20):         event.InvalidJSON,
		strings.Repeat(`{"batch":`, 4<<17): event.InvalidJSON,
		`{"context":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `,"batch":[1]}`: event.TooDeep,
		`{"batch":[` + strings.Repeat("1,", event.MaxMembers) + `1]}`:                         event.TooMany,
	} {
		var b event.Batch
		err := b.Cut([]byte(body))
		if err == nil || fault.KindOf(err) != fault.Invalid || len(fault.ProblemsOf(err)) != 1 || fault.ProblemsOf(err)[0].Code != string(want) {
			t.Errorf("Cut(%.60s) = %v, want %s", body, err, want)
		}
	}
}

func TestOneBadMemberCostsOnlyItself(t *testing.T) {
	good := `{"userId":"u"}`
	for _, bad := range []string{
		strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000), "{\"userId\":\"\xff\"}", `nul`, `{"a":"\q"}`, `{"a":1,"a":2}`, `{"a" 1}`, `[[}]`, `"\` + "\n" + `"`,
	} {
		var b event.Batch
		if err := b.Cut([]byte(`{"batch":[` + good + `,` + bad + `,` + good + `]}`)); err != nil {
			t.Errorf("%.40s: %v", bad, err)
			continue
		}
		var p event.Parser
		p.Begin(stamp, &b, 100, 3)
		for i, m := range b.Members {
			if _, code := p.Event(m); (code != "") != (i == 1) {
				t.Errorf("%.40s: member %d: %q", bad, i, code)
			}
		}
	}
}

func TestEverySentValueIsFoundByteForByte(t *testing.T) {
	const seed = 1764
	r := rand.New(rand.NewPCG(seed, seed))
	for round := range 300 {
		n := 1 + r.IntN(5)
		var sent [][]byte
		body := []byte(`{"batch":[`)
		for i := range n {
			if i > 0 {
				body = append(body, ',')
			}
			m := object(r)
			sent = append(sent, m)
			body = append(append(append(body, " \n\t"[:r.IntN(3)]...), m...), " \r\n"[:r.IntN(3)]...)
		}
		body = append(body, `]}`...)
		var b event.Batch
		if err := b.Cut(body); err != nil || len(b.Members) != n {
			t.Fatalf("seed %d round %d: %v in %s", seed, round, err, body)
		}
		var p event.Parser
		p.Begin(stamp, &b, len(body), n)
		var events []event.Event
		for _, m := range b.Members {
			e, code := p.Event(m)
			if code != "" {
				t.Fatalf("seed %d round %d: %s: %s", seed, round, code, m)
			}
			events = append(events, e)
		}
		clear(body)
		for i, e := range events {
			same(t, sent[i], e.JSON)
		}
	}
}

// owned are the keys whose values Weir sets.
var owned = []string{"receivedAt", "request_ip", "timestamp", "originalTimestamp", "sentAt"}

// same fails when a value of sent is not in got under the same key with the
// same bytes, or the keys have another order.
func same(t *testing.T, sent, got []byte) {
	t.Helper()
	var keys []string
	have := values(t, got)
	for key, value := range event.Fields(sent) {
		keys = append(keys, string(key))
		if slices.Contains(owned, string(key)) {
			continue
		}
		if have[string(key)] != string(value) {
			t.Errorf("key %q: sent %s, got %s", key, value, have[string(key)])
		}
	}
	i := 0
	for key := range event.Fields(got) {
		if i < len(keys) && string(key) != keys[i] {
			t.Errorf("key %d is %q, was %q", i, key, keys[i])
		}
		i++
	}
}

// object makes an event with hostile but allowed values.
func object(r *rand.Rand) []byte {
	out := []byte(`{"userId":"u","messageId":"m"`)
	for i := range r.IntN(40) {
		out = fmt.Appendf(out, `,%s"k%d"%s:`, " \n"[:r.IntN(3)], i, "\t "[:r.IntN(3)])
		out = value(r, out, 4)
	}
	for _, key := range owned {
		if r.IntN(3) == 0 {
			out = fmt.Appendf(out, `,%q:"2026-01-02T03:04:05Z"`, key)
		}
	}
	return append(out, '}')
}

var scalars = []string{
	`12345678901234567890`, `9007199254740993`, `-0`, `1.0`, `1e3`, `1E+400`, `0.10`, `true`, `null`, `""`, `"\u0000"`, `"\ud800"`, `"\udfff\ud800"`,
	`"é\/\"\\"`, `"\\\\\""`, `"😀"`, `"]}"`, `"{[,"`, `{"a":1,"a":2}`, `{"z":1,"a":2,"10":3,"2":4}`, `[ 1 , 2 ]`, `{ }`, `[]`,
}

func value(r *rand.Rand, out []byte, depth int) []byte {
	switch n := r.IntN(4); {
	case depth == 0 || n > 1:
		return append(out, scalars[r.IntN(len(scalars))]...)
	case n == 0:
		out = append(out, '[')
		for i := range r.IntN(4) {
			if i > 0 {
				out = append(out, ',')
			}
			out = value(r, out, depth-1)
		}
		return append(out, ']')
	}
	out = append(out, '{')
	for i := range r.IntN(4) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(value(r, fmt.Appendf(out, `"%d":`, i), depth-1), ' ')
	}
	return append(out, '}')
}
