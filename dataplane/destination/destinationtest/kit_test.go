package destinationtest

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/shared/secret"
)

// madeUp is a secret that every encoding changes.
const madeUp = "made+up/key?>~~"

// caseText is a case for kinds with the secret key.
func caseText(secrets, events string) string {
	return "-- settings.json --\n{}\n-- secrets.json --\n" + secrets + "\n-- events.jsonl --\n" + events + "\n"
}

func writeCase(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.txtar")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCasesThatCannotBeCheckedAreRefused(t *testing.T) {
	t.Parallel()
	const event = `{"messageId":"m1"}`
	for _, tc := range []struct{ secrets, events, want string }{
		{`{"key":"made-up"}`, event, ""},
		{`{"key":""}`, event, ""},
		{`{"key":"short"}`, event, ", secrets.json: key is too short"},
		{`{"key":"éééé"}`, event, ", secrets.json: key is too short"},
		{`{"pin":1234}`, event, ", secrets.json: pin is too short"},
		{`{"headers":{"A":"long enough","B":["x"]}}`, event, ", secrets.json: headers.B.0 is too short"},
		{`{"key":`, event, ", secrets.json: "},
		{`{"key":"made-up"}`, `{"type":"track"}`, ", events.jsonl line 1: there is no messageId"},
		{`{"key":"made-up"}`, event + "\n\n{}", ", events.jsonl line 3: there is no messageId"},
		{`{"key":"made-up"}`, event + "\nno", ", events.jsonl line 2: "},
		{`{"key":"made-up"}`, "", ": events.jsonl is missing or empty"},
	} {
		path := writeCase(t, caseText(tc.secrets, tc.events))
		_, err := readCase(path)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s %s: %v", tc.secrets, tc.events, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), path+tc.want) || strings.Contains(err.Error(), "<nil>") {
			t.Errorf("%s %s: %v, want %s%s", tc.secrets, tc.events, err, path, tc.want)
		}
	}
}

// leaky is a kind that puts text into one place.
type leaky struct{ place, text string }

func (l leaky) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	var reqs []destination.Request
	var verdicts []destination.Verdict
	for i := range b.Items {
		r := destination.Request{Method: "POST", URL: "https://acme.example/", Body: []byte("{}"), Items: []int{i},
			Header: http.Header{"Authorization": {"Bearer " + madeUp}}}
		switch l.place {
		case "URL":
			r.URL += "?k=" + l.text
		case "body":
			r.Body = []byte(l.text)
		case "detail":
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dead, Code: "unsupported_event", Detail: l.text})
			continue
		case "code":
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dead, Code: l.text})
			continue
		case "items":
			r.Items = []int{i + len(b.Items)}
		}
		reqs = append(reqs, r)
	}
	return reqs, verdicts
}

func (l leaky) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	all := destination.Classify(req, res)
	if l.place == "answer's detail" {
		for i := range all {
			all[i].Detail = l.text
		}
	}
	return all
}

// found returns what a case with the secret key finds wrong with d, but for want.jsonl.
func found(t *testing.T, d destination.Destination) []string {
	t.Helper()
	c, err := readCase(writeCase(t, caseText(`{"key":"`+madeUp+`"}`, `{"messageId":"m1"}`+"\n"+`{"messageId":"m2"}`)))
	if err != nil {
		t.Fatal(err)
	}
	all := c.check(destination.Kind{Open: func([]byte, map[string]secret.String) (destination.Opened, error) {
		return destination.Opened{HTTP: d, Limits: destination.Limits{Concurrency: 1, Timeout: time.Second, BatchSize: 2}}, nil
	}})
	return slices.DeleteFunc(all, func(s string) bool { return strings.Contains(s, "-want +got") })
}

func TestSecretsAreFoundInEveryPlaceAndForm(t *testing.T) {
	t.Parallel()
	if got := found(t, leaky{}); len(got) > 0 {
		t.Errorf("a secret in a header: %q, want nothing", got)
	}
	forms := map[string]string{
		madeUp:                  "in clear",
		url.QueryEscape(madeUp): "escaped for a URL's query",
		url.PathEscape(madeUp):  "escaped for a URL's path",
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		forms[encoding.EncodeToString([]byte(madeUp))] = "in base64"
	}
	for _, encoding := range []*base64.Encoding{base64.URLEncoding, base64.RawURLEncoding} {
		forms[encoding.EncodeToString([]byte(madeUp))] = "in base64 for URLs"
	}
	for place, name := range map[string]string{
		"URL": "a request's URL", "body": "a request's body", "detail": "a verdict's detail", "answer's detail": "a verdict's detail",
	} {
		for text, form := range forms {
			want := []string{"the secret key stands in " + name + ", " + form}
			if got := found(t, leaky{place, "x" + text + "x"}); !slices.Equal(got, want) {
				t.Errorf("%s: found %q, want %q", place, got, want)
			}
		}
	}
}

// TestWithAuthNoSecretIsInAHeader: what a kind builds holds none then.
func TestWithAuthNoSecretIsInAHeader(t *testing.T) {
	t.Parallel()
	c, err := readCase(writeCase(t, caseText(`{"key":"`+madeUp+`"}`, `{"messageId":"m1"}`)))
	if err != nil {
		t.Fatal(err)
	}
	got := c.check(destination.Kind{Open: func([]byte, map[string]secret.String) (destination.Opened, error) {
		return destination.Opened{HTTP: leaky{}, Auth: []destination.Auth{{Type: "bearer"}}, Limits: destination.Limits{Concurrency: 1, Timeout: time.Second, BatchSize: 2}}, nil
	}})
	if !slices.Contains(got, "the secret key stands in a request's header, in clear") {
		t.Errorf("found %q, want the secret in the header", got)
	}
}

// careless is a kind that looks up without a key, for items that are not there, and
// with its secret in the address.
type careless struct{ leaky }

func (careless) LookUps(b destination.Batch) []destination.Request {
	return []destination.Request{{Method: "GET", URL: "https://acme.example/?key=" + madeUp, Items: []int{len(b.Items)}}}
}

func (careless) Find(destination.Request, destination.Response) (string, destination.Verdict) {
	return "", destination.Verdict{Outcome: destination.Dead, Code: "acme_unknown"}
}

func TestMistakesOfLookUpsAreFound(t *testing.T) {
	t.Parallel()
	got := strings.Join(found(t, careless{}), "\n")
	for _, want := range []string{`by key ""`, "a look-up is for item 2 of 2", "the secret key stands in a look-up's URL", `code "acme_unknown" is not declared`} {
		if !strings.Contains(got, want) {
			t.Errorf("not found: %s; found:\n%s", want, got)
		}
	}
}

// asking is a kind that asks for an id and sends to it.
type asking struct{ leaky }

func (asking) LookUps(destination.Batch) []destination.Request {
	return []destination.Request{{Method: "GET", URL: "https://acme.example/id", Key: "ada", Items: []int{0}}}
}

func (asking) Find(destination.Request, destination.Response) (string, destination.Verdict) {
	return "", destination.Verdict{Outcome: destination.Delivered}
}

func (asking) Build(b destination.Batch) ([]destination.Request, []destination.Verdict) {
	reqs := []destination.Request{{Method: "POST", URL: "https://acme.example/" + b.Found["ada"]}}
	for i := range b.Items {
		reqs[0].Items = append(reqs[0].Items, i)
	}
	return reqs, nil
}

func TestLookUpsAndWhatTheyFoundAreInCases(t *testing.T) {
	t.Parallel()
	text := caseText(`{}`, `{"messageId":"m1"}`) + "-- found.json --\n{\"ada\":\"7\"}\n-- want.jsonl --\n" +
		`{"events":["m1"],"lookUp":"ada","method":"GET","url":"https://acme.example/id"}` + "\n" + `{"events":["m1"],"method":"POST","url":"https://acme.example/7"}` + "\n"
	c, err := readCase(writeCase(t, text))
	if err != nil {
		t.Fatal(err)
	}
	kind := destination.Kind{Open: func([]byte, map[string]secret.String) (destination.Opened, error) {
		return destination.Opened{HTTP: asking{}, Limits: destination.Limits{Concurrency: 1, Timeout: time.Second, BatchSize: 2}}, nil
	}}
	if got := c.check(kind); len(got) > 0 {
		t.Errorf("found %q, want nothing", got)
	}
}

func TestEachMistakeIsSaidOnce(t *testing.T) {
	t.Parallel()
	got := found(t, leaky{"code", "acme_quota"})
	if len(got) != 1 || !strings.Contains(got[0], `code "acme_quota" is not declared: declare it in`) {
		t.Errorf("an undeclared code: found %q, want one mistake that says where to declare it", got)
	}
	if got := found(t, leaky{"code", "amplitude_refused"}); len(got) != 1 || !strings.Contains(got[0], `code "amplitude_refused" is declared by another kind`) {
		t.Errorf("another kind's code: found %q, want one mistake", got)
	}
	got = found(t, leaky{"items", ""})
	if len(got) != 2 || !strings.Contains(got[0], "there is no item 2") || !strings.Contains(got[1], "ends 0 times") {
		t.Errorf("items that are not there: found %q, want that and that events end nowhere", got)
	}
}
