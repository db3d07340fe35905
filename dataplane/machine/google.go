package machine

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"weir/shared/fault"
)

// Of Google's metadata server, which machines, containers and GKE's workloads reach by this
// name.
// Source: https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
const (
	metadataHost    = "metadata.google.internal"
	metadataPath    = "/computeMetadata/v1/instance/service-accounts/default/token"
	metadataTimeout = 5 * time.Second
	mostMetadata    = 64 << 10
	googleEarly     = time.Minute // so long before its end another token is asked for
)

// googleToken is an access token of Google's.
type googleToken struct {
	access string
	until  time.Time
}

// Token returns an access token of the machine's service account at Google, for a scope.
// fault.Unavailable, with a problem of code token_refused: the machine has none.
func (r *Role) Token(ctx context.Context, scope string) (string, error) {
	r.asking.Lock()
	defer r.asking.Unlock()
	if kept := r.tokens[scope]; kept.access != "" && time.Now().Before(kept.until) {
		return kept.access, nil
	}
	fresh, err := r.ask(ctx, scope)
	if err != nil {
		const text = "The machine of this data plane has no service account that Google knows, or Google gives no access token for it."
		return "", &fault.Error{Kind: fault.Unavailable, Text: text, Problems: []fault.Problem{{Code: "token_refused", Text: text}}}
	}
	if r.tokens == nil {
		r.tokens = map[string]googleToken{}
	}
	r.tokens[scope] = fresh
	return fresh.access, nil
}

// ask gets a token from the metadata server, never through a proxy.
func (r *Role) ask(ctx context.Context, scope string) (googleToken, error) {
	ctx, stop := context.WithTimeout(ctx, metadataTimeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+cmp.Or(r.Metadata, metadataHost)+metadataPath+"?"+url.Values{"scopes": {scope}}.Encode(), nil)
	if err != nil {
		return googleToken{}, err
	}
	req.Header.Set("Metadata-Flavor", "Google")
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return googleToken{}, err
	}
	defer func() { _ = res.Body.Close() }()
	var got struct {
		Access string `json:"access_token"`
		Life   int64  `json:"expires_in"` // seconds
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, mostMetadata)).Decode(&got); err != nil || res.StatusCode != http.StatusOK || got.Access == "" {
		return googleToken{}, fmt.Errorf("the metadata server answered %d", res.StatusCode)
	}
	return googleToken{access: got.Access, until: time.Now().Add(time.Duration(got.Life)*time.Second - googleEarly)}, nil
}
