package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/destination"
)

// part is a section of a case file.
type part struct{ name, text string }

// file is a case file.
type file struct {
	comment           string
	settings, secrets []byte
	pulls             []pulling
	troubles          []trouble
}

// pulling is one pull of a stream at a time.
type pulling struct {
	stream string
	at     time.Time
	from   string // where the configuration lets it begin; "": with the oldest row
	asked  []exchange
	rows   string
}

// exchange is a request as text, and its answer.
type exchange struct {
	request string
	answer  destination.Response
	text    string // of the answer
	once    bool   // the next request that is the same gets the next answer to it
}

// trouble is an answer of the vendor's that may come instead of any other, and what it
// means: wait, or the code of a failure.
type trouble struct {
	means, text string
	answer      destination.Response
}

// split divides a case file.
func split(text string) (comment string, parts []part) {
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "-- ")
		if name, closed := strings.CutSuffix(name, " --"); ok && closed {
			parts = append(parts, part{name: name})
			continue
		}
		if len(parts) == 0 {
			comment += line
		} else {
			parts[len(parts)-1].text += line
		}
	}
	return comment, parts
}

// read reads a case file.
func read(text string) (file, error) {
	comment, parts := split(text)
	f := file{comment: comment, settings: []byte("{}"), secrets: []byte("{}")}
	for _, p := range parts {
		word, rest, _ := strings.Cut(p.name, " ")
		last := func() *pulling { return &f.pulls[len(f.pulls)-1] }
		var err error
		switch {
		case word == "settings":
			f.settings = []byte(p.text)
		case word == "secrets":
			f.secrets = []byte(p.text)
		case word == "pull":
			stream, when, _ := strings.Cut(rest, " ")
			when, from, _ := strings.Cut(when, " from ")
			x := pulling{stream: stream, from: from}
			x.at, err = time.Parse(time.RFC3339, when)
			f.pulls = append(f.pulls, x)
		case word == "trouble":
			t := trouble{means: rest, text: p.text}
			t.answer, err = answerOf(p.text)
			f.troubles = append(f.troubles, t)
		case len(f.pulls) == 0:
			err = fmt.Errorf("it stands before any pull")
		case word == "request":
			last().asked = append(last().asked, exchange{request: p.text})
		case word == "answer":
			all := last().asked
			if len(all) == 0 || all[len(all)-1].text != "" {
				all = append(all, exchange{})
			}
			x := &all[len(all)-1]
			x.text, x.once = p.text, rest == "once"
			x.answer, err = answerOf(p.text)
			last().asked = all
		case word == "rows":
			last().rows = p.text
		default:
			err = fmt.Errorf("there is no such section")
		}
		if err != nil {
			return f, fmt.Errorf("section %q: %w", p.name, err)
		}
	}
	return f, nil
}

// write is the text of a case file.
func (f file) write() string {
	var b strings.Builder
	section := func(name, text string) { fmt.Fprintf(&b, "-- %s --\n%s", name, text) }
	b.WriteString(f.comment)
	if s := string(f.settings); s != "{}" {
		section("settings", s)
	}
	if s := string(f.secrets); s != "{}" {
		section("secrets", s)
	}
	for _, t := range f.troubles {
		section("trouble "+t.means, t.text)
	}
	for _, p := range f.pulls {
		name := "pull " + p.stream + " " + p.at.Format(time.RFC3339)
		if p.from != "" {
			name += " from " + p.from
		}
		section(name, "")
		for _, x := range p.asked {
			section("request", x.request)
			if x.once {
				section("answer once", x.text)
				continue
			}
			section("answer", x.text)
		}
		section("rows", p.rows)
	}
	return b.String()
}

// answerOf reads an answer: its status, headers, an empty line and the body.
func answerOf(text string) (destination.Response, error) {
	head, body, _ := strings.Cut(text, "\n\n")
	status, rest, _ := strings.Cut(head, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(status))
	if err != nil {
		return destination.Response{}, fmt.Errorf("an answer begins with its status: %w", err)
	}
	r := destination.Response{Status: n, Header: http.Header{}, Body: []byte(strings.TrimSpace(body))}
	for line := range strings.Lines(rest) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r, nil
}

// requestText is a request as case files show it: method and address, its parameters,
// headers, an empty line and the body.
func requestText(r destination.Request) string {
	var b strings.Builder
	u, err := url.Parse(r.URL)
	if err != nil {
		return "unreadable address " + r.URL
	}
	q := u.Query()
	u.RawQuery = ""
	fmt.Fprintf(&b, "%s %s\n", r.Method, u)
	for _, name := range sorted(q) {
		for _, value := range q[name] {
			fmt.Fprintf(&b, "? %s=%s\n", name, value)
		}
	}
	for _, name := range sorted(r.Header) {
		for _, value := range r.Header[name] {
			if name != "Accept" || value != "application/json" {
				fmt.Fprintf(&b, "%s: %s\n", name, value)
			}
		}
	}
	if len(r.Body) > 0 {
		var out bytes.Buffer
		if json.Indent(&out, r.Body, "", "  ") == nil {
			fmt.Fprintf(&b, "\n%s\n", &out)
		} else {
			fmt.Fprintf(&b, "\n%s\n", r.Body)
		}
	}
	return b.String()
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
