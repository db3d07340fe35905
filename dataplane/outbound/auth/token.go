package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"weir/dataplane/destination"
	"weir/dataplane/destination/answer"
	"weir/dataplane/destination/serviceaccount"
	"weir/dataplane/destination/trust"
	"weir/shared/catalog/requests"
	"weir/shared/fault"
)

// Used is the access token with which a request was authorised; zero: none.
type Used struct{ key, access string }

// token is what a token endpoint answered (RFC 6749, section 5).
type token struct {
	access  string
	refresh string    // the newest, where the endpoint gives another with each access token
	until   time.Time // when another one is due
	anew    time.Time // until then another one is not asked for when this one is refused
	err     error     // the endpoint gave none; it is asked again after until
	unsaved *token    // what the endpoint gave, which is not durable yet
}

// refusedAccess is the access token that a destination refused, "" for none.
func (t *token) refusedAccess() string {
	if t.until.IsZero() {
		return t.access
	}
	return ""
}

// Times of tokens.
const (
	tokenTimeout  = 30 * time.Second
	tokenLife     = 50 * time.Minute // of one whose life is not said
	tokenEarly    = time.Minute      // so long before its end another one is asked for
	afterARefusal = 10 * time.Second // so long the endpoint is not asked again
	afterAFailure = time.Second      // and so long when it did not answer, or said no time
	maxTokens     = 10_000
)

// tokens are the access tokens of a plane by credentials.
type tokens struct {
	do     Do
	shared *Shared // nil: there is one process
	group  singleflight.Group
	mu     sync.Mutex
	kept   map[string]*token
}

// grant is what a token is asked for with.
type grant struct {
	key, url, id, secret, refresh, scope string
	inHeader                             bool   // the client's id and secret
	account                              string // of a service account: its file
	trust                                *trust.HTTP
}

func grantOf(a destination.Auth, t *trust.HTTP) grant {
	g := grant{
		url:      a.Value(func(t requests.Auth) string { return t.TokenURL }),
		id:       a.Value(func(t requests.Auth) string { return t.ClientID }),
		secret:   a.Value(func(t requests.Auth) string { return t.ClientSecret }),
		refresh:  a.Value(func(t requests.Auth) string { return t.RefreshToken }),
		scope:    a.Value(func(t requests.Auth) string { return t.Scope }),
		inHeader: a.Value(func(t requests.Auth) string { return t.ClientIn }) == "header",
	}
	if a.Type == "serviceAccount" {
		g.account = a.Value(func(t requests.Auth) string { return t.Key })
	}
	by := ""
	if g.trust = t; t != nil {
		if by = t.Key; t.Beside != nil {
			g.trust = t.Beside
		}
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{g.url, g.id, g.secret, g.refresh, g.scope, g.account, by}, "\x00")))
	g.key = string(sum[:])
	return g
}

// of returns a token that is good at now. Those who ask for one at once share one
// answer of the endpoint.
func (t *tokens) of(ctx context.Context, a destination.Auth, by *trust.HTTP, now time.Time) (Used, error) {
	g := grantOf(a, by)
	if used, known, err := t.have(g.key, now); known {
		return used, err
	}
	ctx, stop := context.WithTimeout(ctx, tokenTimeout)
	defer stop()
	answer := t.group.DoChan(g.key, func() (any, error) {
		if used, known, err := t.have(g.key, now); known {
			return used, err
		}
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), tokenTimeout) // whoever asked first may leave
		defer stop()
		return t.ask(ctx, g, now)
	})
	select {
	case <-ctx.Done():
		return Used{}, ctx.Err()
	case r := <-answer:
		used, _ := r.Val.(Used)
		return used, r.Err
	}
}

// have returns the token that is kept, or that there is none for now.
func (t *tokens) have(key string, now time.Time) (used Used, known bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept := t.kept[key]
	switch {
	case kept == nil || !now.Before(kept.until):
		return Used{}, false, nil
	case kept.err != nil:
		return Used{}, true, kept.err
	}
	return Used{key: key, access: kept.access}, true, nil
}

// refused is the error of a token that the endpoint does not give.
func refused() error {
	return &fault.Error{Kind: fault.Unavailable, Problems: []fault.Problem{{Code: "token_refused", Text: "The destination gives no access token for these credentials."}}}
}

// ask gets a token and keeps it. An endpoint that gives none is left alone for a while, by
// all.
func (t *tokens) ask(ctx context.Context, g grant, now time.Time) (Used, error) {
	var last token
	t.mu.Lock()
	kept := t.kept[g.key]
	if kept != nil {
		last = *kept
	}
	t.mu.Unlock()
	if last.refresh != "" {
		g.refresh = last.refresh
	}
	var fresh *token
	if t.shared != nil {
		fresh = t.askShared(ctx, g, last, now)
	} else {
		fresh = t.alone(ctx, g, now)
	}
	if kept != nil && last.until.IsZero() {
		fresh.anew = now.Add(afterAFailure)
	}
	t.keep(g.key, fresh, now)
	return Used{key: g.key, access: fresh.access}, fresh.err
}

// alone gets a token from the endpoint.
func (t *tokens) alone(ctx context.Context, g grant, now time.Time) *token {
	r, err := g.request(now)
	if err != nil {
		return &token{refresh: g.refresh, until: now.Add(afterARefusal), err: err}
	}
	res, err := t.do(ctx, r, tokenTimeout)
	return answered(g, res, err, now)
}

// answered is what an answer of the endpoint, or none, says.
func answered(g grant, res destination.Response, err error, now time.Time) *token {
	var got struct {
		AccessToken  string      `json:"access_token"`
		RefreshToken string      `json:"refresh_token"`
		ExpiresIn    json.Number `json:"expires_in"`
	}
	switch {
	case err != nil:
		return &token{refresh: g.refresh, until: now.Add(afterAFailure), err: err}
	case res.Status == 429 || res.Status >= 500:
		wait := min(max(answer.RetryAfter(res.Header, now), afterAFailure), time.Hour)
		return &token{refresh: g.refresh, until: now.Add(wait), err: fault.New(fault.Unavailable, "The token endpoint does not answer.")}
	case res.Status >= 300 || json.Unmarshal(res.Body, &got) != nil || got.AccessToken == "":
		return &token{refresh: g.refresh, until: now.Add(afterARefusal), err: refused()}
	}
	life := tokenLife
	if seconds, err := got.ExpiresIn.Int64(); err == nil && seconds > 0 {
		life = time.Duration(min(seconds, 366*24*3600)) * time.Second
	}
	life -= min(tokenEarly, life/4)
	fresh := &token{access: got.AccessToken, refresh: got.RefreshToken, until: now.Add(life)}
	if fresh.refresh == "" {
		fresh.refresh = g.refresh
	}
	return fresh
}

// keep keeps a token; those that are over make room.
func (t *tokens) keep(key string, fresh *token, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.kept) >= maxTokens {
		for k, old := range t.kept {
			if !now.Before(old.until) || len(t.kept) >= 2*maxTokens {
				delete(t.kept, k)
			}
		}
	}
	t.kept[key] = fresh
}

// forget makes another token due, unless there is one already. One that was got a moment
// ago, because another was refused, stays: the error says so.
func (t *tokens) forget(used Used, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kept := t.kept[used.key]; kept != nil && kept.access == used.access {
		if now.Before(kept.anew) {
			return refused()
		}
		kept.until = time.Time{}
	}
	return nil
}

// request is that of RFC 6749, sections 4.4 and 6, or of RFC 7523, section 2.1.
func (g grant) request(now time.Time) (destination.Request, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	switch {
	case g.account != "":
		account, err := serviceaccount.Parse(g.account)
		if err != nil {
			return destination.Request{}, refused()
		}
		assertion, err := account.Assertion(g.scope, now)
		if err != nil {
			return destination.Request{}, refused()
		}
		g.url, g.scope = account.TokenURL, "" // the assertion says it
		form = url.Values{"grant_type": {serviceaccount.Grant}, "assertion": {assertion}}
	case g.refresh != "":
		form = url.Values{"grant_type": {"refresh_token"}, "refresh_token": {g.refresh}}
	}
	if g.scope != "" {
		form.Set("scope", g.scope)
	}
	h := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}
	switch {
	case g.id == "":
	case g.inHeader:
		both := url.QueryEscape(g.id) + ":" + url.QueryEscape(g.secret)
		h["Authorization"] = []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(both))}
	default:
		form.Set("client_id", g.id)
		if g.secret != "" {
			form.Set("client_secret", g.secret)
		}
	}
	return destination.Request{Method: http.MethodPost, URL: g.url, Header: h, Body: []byte(form.Encode()), Trust: g.trust}, nil
}
