package remote

import (
	"context"
	"net/http"
)

// Pulls reads the streams that the workspace pulls into out.
func (v *View) Pulls(ctx context.Context, out any) error {
	_, err := v.call(ctx, http.MethodGet, "/v1/pulls", nil, nil, out)
	return err
}

// ChangePull does verb (run, pause, resume, reset, backfill) to a stream of a source, or
// for "" to all of them, and reads them into out. from is of backfill, RFC 3339.
func (v *View) ChangePull(ctx context.Context, verb, source, stream, from string, out any) error {
	_, err := v.call(ctx, http.MethodPost, "/v1/pulls", nil, map[string]string{"verb": verb, "source": source, "stream": stream, "from": from}, out)
	return err
}

// Arrivals reads what came to the sources of the workspace into out. fault.Missing: the plane
// is older.
func (v *View) Arrivals(ctx context.Context, out any) error {
	_, err := v.call(ctx, http.MethodGet, "/v1/arrivals", nil, nil, out)
	return err
}
