package endpoint

import (
	"encoding/json"
	"errors"
	"net/http"

	"weir/shared/fault"
)

// problem is an error as RFC 9457 writes it, like the control plane's.
type problem struct {
	Type     string          `json:"type"`
	Title    string          `json:"title"`
	Status   int             `json:"status"`
	Detail   string          `json:"detail"`
	Kind     string          `json:"kind"`
	Problems []fault.Problem `json:"problems,omitempty"`
}

// refuse answers with an error. Texts of errors that are no fault
// stay in the plane.
func (m *Mux) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError, Detail: "The plane could not answer; its log says why.", Kind: fault.KindOf(err).String()}
	switch fault.KindOf(err) {
	case fault.Invalid:
		p.Status = http.StatusBadRequest
	case fault.Denied:
		p.Status = http.StatusForbidden
		if errors.Is(err, errNoCapability) {
			p.Status = http.StatusUnauthorized
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	case fault.Missing:
		p.Status = http.StatusNotFound
	case fault.Conflict:
		p.Status = http.StatusConflict
	case fault.Limited:
		p.Status = http.StatusTooManyRequests
	case fault.Unavailable:
		p.Status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	default:
		m.cfg.Log.ErrorContext(r.Context(), "view call failed", "path", r.Pattern, "error", err)
	}
	var known *fault.Error
	if p.Status != http.StatusInternalServerError && errors.As(err, &known) {
		p.Detail, p.Problems = known.Text, known.Problems
	}
	p.Title = http.StatusText(p.Status)
	write(w, p.Status, "application/problem+json", p)
}

func write(w http.ResponseWriter, status int, kind string, body any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(body) // the reader went away; there is nobody to tell
}
