package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/dataplane/event"
	"weir/dataplane/pull"
	"weir/dataplane/pull/api/answers"
	"weir/dataplane/pull/api/bodies"
	"weir/shared/catalog/streams"
	"weir/shared/catalog/streams/word"
	"weir/shared/delay"
	"weir/shared/fault"
)

// Bounds of requests.
const (
	timeout   = 60 * time.Second
	maxAnswer = 16 << 20
	shortWait = 5 * time.Second  // a longer one ends the step
	childWait = 30 * time.Second // where a step needs more than one request to come further
)

// errExpired is that what the pages went by has ended.
var errExpired = errors.New("the position has ended")

// waits ends a step: the account's limit is reached.
type waits struct{ time.Duration }

func (w waits) Error() string { return "the account's limit is reached" }

// asking is what a request is made with.
type asking struct {
	from, to reading
	parent   []byte // a row
	page     string
	job      string
	entry    streams.Entry
}

// value fills in references of templates.
func (s *source) value(a asking) func(root, name, as string) (string, bool) {
	return func(root, name, as string) (string, bool) {
		switch root {
		case "settings":
			v := listed(s.settings.Get(name))
			return v, v != ""
		case "parent":
			v := at(a.parent, strings.Split(name, ".")).Text()
			return v, v != ""
		case "job":
			return a.job, true
		case "stream":
			return a.entry[name], a.entry[name] != ""
		}
		v := a.from
		if name == "to" {
			v = a.to
		}
		if as == "ago" {
			return strconv.FormatInt((s.now()-v+minute-1)/minute, 10), true
		}
		return format(v, as), true
	}
}

// minute is one, in milliseconds.
const minute = int64(time.Minute / time.Millisecond)

// listed is a setting as text: a list with commas.
func listed(v fields.Value) string {
	if !v.IsList() {
		return v.Text()
	}
	var all []string
	for e := range v.Elements() {
		all = append(all, e.Text())
	}
	return strings.Join(all, ",")
}

// request makes the request for a page.
func (s *source) request(r *streams.Request, a asking) (destination.Request, error) {
	a.entry = r.Entry
	out := destination.Request{Method: r.Method, Header: http.Header{"Accept": {"application/json"}}}
	var err error
	value := s.value(a)
	for _, h := range r.Headers {
		if text, ok := streams.Expand(h.Value, value); ok {
			out.Header.Set(h.Name, text)
		}
	}
	if a.page != "" && (r.Pages.By == word.Link || r.Pages.By == word.NextURL) {
		if out.URL, err = s.next(a.page); err != nil {
			return out, err
		}
		return out, nil
	}
	escaped := func(root, name, as string) (string, bool) {
		text, ok := value(root, name, as)
		return url.PathEscape(text), ok
	}
	path, ok := streams.Expand(r.Path, escaped)
	if !ok {
		return out, &pull.Failure{Code: pull.CodeAnswer, Text: "A row lacks what the next request names."}
	}
	q := url.Values{}
	for _, m := range r.Query {
		if text, ok := streams.Expand(m.Value, value); ok {
			q.Add(m.Name, text)
		}
	}
	body := r.Body
	if body != nil {
		if body, err = bodies.Fill(body, value, s.settings); err != nil {
			return out, err
		}
	}
	put := func(name, text string) {
		switch {
		case name == "":
		case r.Pages.InBody && body != nil:
			if with, err := streams.WithMember(body, name, text); err == nil {
				body = with
			}
		default:
			q.Set(name, text)
		}
	}
	if r.Pages.SizeParam != "" {
		put(r.Pages.SizeParam, strconv.Itoa(r.Pages.Size))
	}
	switch page := a.page; {
	case page != "":
		put(r.Pages.Param, page)
	case r.Pages.By == word.Page:
		put(r.Pages.Param, strconv.Itoa(r.Pages.First))
	}
	if body != nil {
		out.Header.Set("Content-Type", "application/json")
		out.Body = body
	}
	if out.URL = s.base + path; len(q) > 0 {
		out.URL += "?" + q.Encode()
	}
	return out, nil
}

// next is the address of a next page, which may be relative to the base.
func (s *source) next(address string) (string, error) {
	b, err := url.Parse(s.base)
	if err == nil {
		if u, bad := b.Parse(address); bad == nil && sameOrigin(u.String(), s.base) {
			return u.String(), nil
		}
	}
	return "", &pull.Failure{Code: pull.CodeAnswer, Text: "The next page is at another address than the vendor's."}
}

// sameOrigin reports whether an address is the base's: credentials go nowhere else.
func sameOrigin(address, base string) bool {
	u, err := url.Parse(address)
	b, berr := url.Parse(base)
	return err == nil && berr == nil && u.User == nil && strings.EqualFold(u.Scheme, b.Scheme) && strings.EqualFold(u.Host, b.Host)
}

// send sends a request in its account's turn and returns a successful answer.
// waits, errExpired, *pull.Failure or the error of ctx say why there is none.
func (r *run) send(request destination.Request) (destination.Response, error) {
	s, ctx, patience := r.source, r.ctx, shortWait
	if r.stream.For != "" {
		patience = childWait
	}
	for renewed := false; ; renewed = true {
		turn, err := s.turn(ctx, patience)
		if err != nil {
			return destination.Response{}, err
		}
		now := s.deps.Now()
		authorised, used, err := s.deps.Keys.Request(ctx, s.opened, request, now)
		if err != nil {
			turn.Learn(destination.Response{}, now)
			return destination.Response{}, unreached(ctx, err)
		}
		res, err := s.deps.Do(ctx, authorised, timeout, maxAnswer)
		turn.Learn(res, s.deps.Now())
		if err != nil {
			return res, unreached(ctx, err)
		}
		s.heed(res)
		if res.Status == http.StatusUnauthorized && !renewed {
			if again, err := s.deps.Keys.Refused(used, s.deps.Now()); again && err == nil {
				continue
			}
		}
		return res, s.judge(res)
	}
}

// turner is a turn of an account's rate.
type turner interface {
	Learn(destination.Response, time.Time)
}

// turn waits for the account's turn, or ends the step.
func (s *source) turn(ctx context.Context, patience time.Duration) (turner, error) {
	for {
		turn, wait := s.deps.Rates.Take(s.account, s.limits, s.deps.Now())
		if wait == 0 {
			return turn, nil
		}
		if wait > patience {
			return nil, waits{wait}
		}
		if !delay.For(ctx, wait) {
			return nil, ctx.Err()
		}
	}
}

// unreached is why there was no answer, without the texts of others.
func unreached(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.KindOf(err) == fault.Denied:
		return &pull.Failure{Code: pull.CodeUnreachable, Text: "The plane's owner does not allow this address."}
	case len(fault.ProblemsOf(err)) > 0 && fault.ProblemsOf(err)[0].Code == "token_refused":
		return &pull.Failure{Code: pull.CodeReauthorize, Text: "The vendor gives no access token for the credentials."}
	}
	return &pull.Failure{Code: pull.CodeUnreachable, Text: "The vendor does not answer."}
}

// heed takes the vendor's clock from an answer: windows end by it where it is behind.
func (s *source) heed(res destination.Response) {
	if t, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		s.skew = min(t.Add(time.Second).UnixMilli()-s.deps.Now().UnixMilli(), 0)
	}
}

// now is the time in milliseconds by the slower of both clocks.
func (s *source) now() int64 { return s.deps.Now().UnixMilli() + s.skew }

// meaning is what the spec says that an answer means, "" when it says nothing.
func (s *source) meaning(res destination.Response) string {
	for _, a := range s.spec.Answers {
		if a.Status == res.Status && !res.Cut && event.Check(res.Body, 200) == "" && answers.Holds(a.When, bytes.TrimSpace(res.Body)) {
			return a.Is
		}
	}
	return s.spec.Errors[res.Status]
}

// judge says what an answer means.
func (s *source) judge(res destination.Response) error {
	text := fmt.Sprintf("The vendor answered %d.", res.Status)
	meaning := s.meaning(res)
	switch {
	case res.Status < 300 && meaning != "": // judged by its body
	case res.Status < 300 && !res.Cut:
		return nil
	case res.Status < 300:
		return &pull.Failure{Code: pull.CodeAnswer, Text: fmt.Sprintf("A page is larger than %d MiB.", maxAnswer>>20)}
	case res.Status == http.StatusForbidden && res.Header.Get("X-Ratelimit-Remaining") == "0", res.Header.Get("Retry-After") != "" && res.Status == http.StatusForbidden:
		return waits{answers.Limited(res, s.deps.Now())}
	}
	switch {
	case meaning == word.Wait:
		return waits{answers.Limited(res, s.deps.Now())}
	case meaning == word.Reauthorize, meaning == "" && res.Status == http.StatusUnauthorized:
		return &pull.Failure{Code: pull.CodeReauthorize, Text: text}
	case meaning == word.Skip:
		return &pull.Failure{Code: pull.CodeNoStream, Text: text}
	case meaning == word.Expired:
		return errExpired
	case res.Status == http.StatusTooManyRequests:
		return waits{answers.Limited(res, s.deps.Now())}
	case res.Status >= 500, meaning == word.Retry:
		return &pull.Failure{Code: pull.CodeUnreachable, Text: text}
	}
	return &pull.Failure{Code: pull.CodeRefused, Text: text}
}
