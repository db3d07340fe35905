package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"weir/dataplane/destination/serviceaccount"
	"weir/dataplane/warehouse"
	"weir/shared/fault"
)

// Google gives access tokens for one scope of Google's, by a service account or by the
// machine's. It is safe for concurrent use.
type Google struct {
	Client  *Client
	Scope   string
	Account serviceaccount.Account
	Machine func(ctx context.Context, scope string) (string, error) // nil: by Account
	Now     func() time.Time

	mu    sync.Mutex
	token string
	until time.Time
}

// early is so long before its end that another token is asked for.
const early = time.Minute

// Token returns an access token. Errors are Failures.
// Source: https://developers.google.com/identity/protocols/oauth2/service-account#httprest
func (g *Google) Token(ctx context.Context) (string, error) {
	if g.Machine != nil {
		t, err := g.Machine(ctx, g.Scope)
		return t, warehouse.Fail(warehouse.CodeAuth, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.Now()
	if g.token != "" && now.Before(g.until) {
		return g.token, nil
	}
	assertion, err := g.Account.Assertion(g.Scope, now)
	if err != nil {
		return "", warehouse.Fail(warehouse.CodeAuth, errors.New("the key of the service account cannot sign"))
	}
	form := url.Values{"grant_type": {serviceaccount.Grant}, "assertion": {assertion}}
	res, err := g.Client.Do(ctx, http.MethodPost, g.Account.TokenURL, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return "", err
	}
	var out struct {
		Token   string `json:"access_token"`
		Seconds int    `json:"expires_in"`
	}
	if res.Status != http.StatusOK || json.Unmarshal(res.Body, &out) != nil || out.Token == "" {
		return "", warehouse.Fail(warehouse.CodeAuth, fmt.Errorf("there is no token for the service account (status %d): its key was removed, or the account is disabled", res.Status))
	}
	g.token, g.until = out.Token, now.Add(time.Duration(out.Seconds)*time.Second-early)
	return g.token, nil
}

// CheckGoogle wants a service account's credentials that can be read, or the machine's role
// in their place.
func CheckGoogle(given string, machine bool) []fault.Problem {
	switch {
	case machine && given != "":
		return []fault.Problem{{Path: "secrets.credentials", Code: "not_allowed", Text: "With machineRole the plane signs in as its machine: leave credentials out, or machineRole."}}
	case machine:
		return nil
	case given == "":
		return []fault.Problem{{Path: "secrets.credentials", Code: "required", Text: "Give the secret credentials, or set machineRole where the plane's owner allows it."}}
	}
	if _, err := serviceaccount.Parse(given); err != nil {
		return []fault.Problem{{Path: "secrets.credentials", Code: "malformed", Text: "The secret credentials " + err.Error() + "."}}
	}
	return nil
}
